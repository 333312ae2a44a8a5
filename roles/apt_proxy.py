"""The HTTP proxy that a host's apt uses; and, from the same settings, the Docker daemon and chosen users' containers.

apt's file is /etc/apt/apt.conf.d/proxy.conf. A password makes it readable by root alone; apt as an ordinary user then
leaves the file out without a word (apt-cache and apt-config do not need it).
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, model_validator

from provision import role
from provision.resources import AptConf, AptEffective, ClientProxies, DaemonEnvironment, Resource
from provision.secrets import Secret, text_of

DAEMON = True

PATH = "/etc/apt/apt.conf.d/proxy.conf"
HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
NETWORK = re.compile(r"[0-9A-Fa-f:.]+/\d+")
NO_PROXY = re.compile(r"\*|\.?[A-Za-z0-9_*.-]+(?::\d+)?|\[?[0-9A-Fa-f:]+\]?")


def _proxy(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("should be a proxy, as in http://proxy.example.com:3128") from None
    if parts.username is not None:
        raise ValueError("should have no login in it: write username: and password:, so that it is kept secret")
    host = parts.hostname or ""
    plain = re.fullmatch(r"[\x21-\x7e]+", value) and not re.search(r"[\"\\;{}%$'`]", value)
    known = parts.scheme in ("http", "https", "ftp") and port != 0 and not (parts.query or parts.fragment)
    if not (plain and known and re.fullmatch(r"[A-Za-z0-9_.:-]+", host) and parts.path in ("", "/")):
        raise ValueError("should be a proxy, as in http://proxy.example.com:3128")
    return value.rstrip("/")


def _exception(value: str) -> str:
    if not (NO_PROXY.fullmatch(value) or NETWORK.fullmatch(value)):
        raise ValueError("should be one host, .domain, address, network or *, as in NO_PROXY")
    return value


Proxy = Annotated[str, AfterValidator(_proxy)]
Exception_ = Annotated[str, AfterValidator(_exception)]


class Settings(role.Settings):
    http: Proxy | None = None
    """http://HOST:PORT for http URLs. null for all three: no proxy, and proxy.conf is removed."""
    https: Proxy | Literal["DIRECT"] | None = None
    """For https URLs; null: as `http`, as apt does; DIRECT: none. The proxy's own scheme is nearly always http."""
    ftp: Proxy | None = None
    """For ftp URLs."""
    no_proxy: tuple[Exception_, ...] = ()
    """Hosts to go to directly. apt knows whole names and addresses only; .domain, networks and * are for Docker."""
    username: str | None = None
    """At all of these proxies. Special characters as they are: they are encoded where that is needed."""
    password: Secret | None = None
    docker_daemon: bool = True
    """Does the Docker daemon pull through these proxies too, where this host has Docker?"""
    client_users: tuple[str, ...] = ()
    """Users whose containers get these proxies, through ~/.docker/config.json. A password shows in each container's
    environment. An account that docker_users makes wants docker_users to stand before apt_proxy."""

    @model_validator(mode="after")
    def _a_password_has_a_user(self) -> "Settings":
        if self.password is not None and self.username is None:
            raise ValueError("a password needs a username")
        if not any((self.http, self.https, self.ftp)) and (self.username or self.client_users):
            raise ValueError("there is no proxy for this: set http")
        return self


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    text = apt_text(settings)
    secret = settings.password is not None
    # What stood there before may hold a password as well, so neither side of the diff is ever shown.
    yield AptConf(path=PATH, content=_kept(settings, text), mode="0600" if secret else "0644", sensitive=True)
    if text is not None:
        yield AptEffective(path=PATH, values=apt_options(settings))
    if settings.docker_daemon:
        for name, value in variables(settings).items():
            yield DaemonEnvironment(name=name, value=value)
    for user in settings.client_users:
        yield ClientProxies(user=user, proxies=client(settings))


def apt_configuration(settings: Settings) -> Secret | None:
    """apt.conf lines for the time before the host has python; None without a proxy."""
    text = apt_text(settings)
    return None if text is None else Secret(text)


def apt_text(settings: Settings) -> str | None:
    """The whole of proxy.conf, or None where there should be none."""
    options = {name: text_of(value) for name, value in apt_options(settings).items()}
    if not options:
        return None
    lines = ["// Written by provision, role apt_proxy: changes made here are overwritten."]
    return "\n".join([*lines, *(f'{name} "{value}";' for name, value in options.items())]) + "\n"


def apt_options(settings: Settings) -> dict[str, str | Secret]:
    """apt's options by name."""
    wanted = {"http": settings.http, "https": settings.https or settings.http, "ftp": settings.ftp}
    options: dict[str, str | Secret] = {}
    for scheme, proxy in wanted.items():
        if proxy is not None:
            options[f"Acquire::{scheme}::Proxy"] = "DIRECT" if proxy == "DIRECT" else _with_login(settings, proxy, "/")
    for host in _hosts(settings) if options else ():
        for scheme in ("http", "https"):
            options[f"Acquire::{scheme}::Proxy::{host}"] = "DIRECT"
    return options


def _hosts(settings: Settings) -> list[str]:
    """The whole host names and IPv4 addresses of no_proxy: apt's option names can hold nothing else."""
    names = [entry.partition(":")[0] for entry in settings.no_proxy if entry.count(":") < 2]
    return list(dict.fromkeys(name for name in names if HOST.fullmatch(name)))


def variables(settings: Settings) -> dict[str, str | Secret]:
    """The proxies as environment variables, for the Docker daemon."""
    found: dict[str, str | Secret] = {}
    if settings.http is not None:
        found["HTTP_PROXY"] = _with_login(settings, settings.http)
    https = settings.https or settings.http
    if https is not None and https != "DIRECT":
        found["HTTPS_PROXY"] = _with_login(settings, https)
    if found and settings.no_proxy:
        found["NO_PROXY"] = ",".join(settings.no_proxy)
    return found


def client(settings: Settings) -> dict[str, str | Secret]:
    """The proxies under the names of Docker's client."""
    names = {"HTTP_PROXY": "httpProxy", "HTTPS_PROXY": "httpsProxy", "NO_PROXY": "noProxy"}
    found = {names[name]: value for name, value in variables(settings).items()}
    if settings.ftp is not None:
        found["ftpProxy"] = _with_login(settings, settings.ftp)
    return found


def _with_login(settings: Settings, proxy: str, end: str = "") -> str | Secret:
    if settings.username is None:
        return proxy + end
    scheme, _, rest = proxy.partition("://")
    user = quote(settings.username, safe="")
    if settings.password is None:
        return f"{scheme}://{user}@{rest}{end}"
    return Secret(f"{scheme}://{user}:{quote(settings.password.reveal(), safe='')}@{rest}{end}")


def _kept(settings: Settings, text: str | None) -> Any:
    return Secret(text) if text is not None and settings.password is not None else text
