"""Talking to a container registry as the Docker daemon of this host would: its certificates, its proxies, its rules.

The law: a login goes over https only (http for this machine itself, or where insecure was asked), only to the registry
or to a token service of its own domain, and never after a redirect. No answer is trusted to be short or soon: the size
is limited here, and the time by who calls.
"""

import base64
import contextlib
import http.client
import ipaddress
import json
import re
import ssl
import urllib.error
import urllib.request
from urllib.parse import parse_qsl, urlencode, urlsplit

from ..docker import command_line
from ..docker.engine_facts import config_file, document, process
from ..host import lenient
from ..host.errors import Failed
from .client_config import HUB_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from email.message import Message
    from typing import Any, Sequence

    from ..host.system import System

CERTIFICATES = "/etc/docker/certs.d"
ENVIRONMENT_FILE = "/etc/docker/http-proxy.env"
ANSWER_LIMIT = 4 * 1024 * 1024
SOCKET_TIMEOUT = 10
"""Seconds without a byte."""
SHARED_SUFFIX = re.compile(r"(co|com|org|net|ac|gov|edu)\.[a-z]{2}$")
"""Domains like co.uk, under which strangers live."""
CHALLENGE = re.compile(r"([A-Za-z0-9_-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))")


class RegistryUnreachable(Exception):
    """No answer: the text says from whom, and why."""


class RegistryRefused(Failed):
    """The registry does not take the login."""


class RegistryResponse:
    """Status, headers (any case) and body of an answer, errors included."""

    def __init__(self, status: int, headers: "Message", body: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def document(self) -> "dict[str, Any]":
        try:
            found = json.loads(self.body.decode("utf-8"))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: "Any") -> None:
        return None


def host_of(registry: str) -> str:
    """host[:port] to connect to."""
    return "registry-1.docker.io" if registry in HUB_NAMES else registry


class Registry:
    """One registry over the API v2. Raises Unreachable, Refused, Failed."""

    def __init__(
        self,
        system: "System",
        registry: str,
        ca_certificate: "str | None" = None,
        insecure: bool = False,
        realm_hosts: "Sequence[str]" = (),
    ) -> None:
        self.name = registry
        self.host = host_of(registry)
        self._realm_hosts = realm_hosts
        self._insecure = insecure
        self._plain = insecure or _is_this_machine(self.host)
        self._proxies = daemon_proxies(system)
        self._context = _context(system, self.host, ca_certificate, insecure)
        self._scheme = "https"

    def ask(
        self, path: str, authorization: "str | None" = None, method: str = "GET", accept: "str | None" = None
    ) -> "RegistryResponse":
        """The Answer to a request below /v2/."""
        if self._plain and authorization is None and self._scheme == "https":
            try:
                return self._request("https://{}/v2/{}".format(self.host, path), None, method, accept)
            except RegistryUnreachable:
                self._scheme = "http"
        return self._request("{}://{}/v2/{}".format(self._scheme, self.host, path), authorization, method, accept)

    def challenge(self, path: str = "") -> "tuple[str | None, dict[str, str]]":
        """(scheme in lower case, parameters) of the answer to an anonymous request; (None, {}) for an open door."""
        answer = self.ask(path)
        if answer.status == 200:
            return None, {}
        given = answer.headers.get("WWW-Authenticate", "")
        if answer.status != 401 or not given:
            fix = "look at https://{}/v2/ : a registry answers 200 or 401 there".format(self.host)
            raise Failed("{} answers with status {} and is no registry".format(self.name, answer.status), fix)
        scheme, _, rest = given.strip().partition(" ")
        parameters = {}
        for name, quoted, bare in CHALLENGE.findall(rest):
            parameters[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) or bare
        return scheme.lower(), parameters

    def token(
        self, parameters: "dict[str, str]", login: "tuple[str, str] | None" = None, scope: "str | None" = None
    ) -> "tuple[int, str | None]":
        """(status, token or None) from the token service that a Bearer challenge names."""
        url = self._token_url(parameters, login, scope)
        answer = self._request(url, basic(login) if login else None)
        document = answer.document()
        token = document.get("token") or document.get("access_token")
        return answer.status, token if isinstance(token, str) and re.match(r"[\x21-\x7e]+$", token) else None

    def _token_url(self, parameters: "dict[str, str]", login: "tuple[str, str] | None", scope: "str | None") -> str:
        parts = urlsplit(parameters.get("realm", ""))
        host = parts.hostname or ""
        if parts.scheme != "https" and not (parts.scheme == "http" and (self._insecure or _is_this_machine(host))):
            raise Failed(
                "{} sends logins to {!r}, which is not https".format(self.name, parts.netloc),
                "do not use this registry",
            )
        if not self._is_trusted(host):
            fix = "if that is right, add {} to realm_hosts".format(host)
            raise Failed("{} sends logins to {}, outside of its domain".format(self.name, host), fix)
        query = dict(parse_qsl(parts.query))
        query.update({name: parameters[name] for name in ("service", "scope") if name in parameters})
        if scope:
            query["scope"] = scope
        if login:
            query["account"] = login[0]
        return parts._replace(query=urlencode(query)).geturl()

    def _is_trusted(self, host: str) -> bool:
        own = urlsplit("//" + self.host).hostname or ""
        if host == own or host in self._realm_hosts:
            return True
        parent = own.partition(".")[2]
        if "." not in parent or SHARED_SUFFIX.match(parent) or _is_address(own):
            parent = own
        return host == parent or host.endswith("." + parent)

    def _request(
        self, url: str, authorization: "str | None", method: str = "GET", accept: "str | None" = None
    ) -> "RegistryResponse":
        request = urllib.request.Request(url, method=method, headers={"User-Agent": "docker/provision"})
        if accept:
            request.add_header("Accept", accept)
        if authorization:
            request.add_unredirected_header("Authorization", authorization)
        parts = urlsplit(url)
        proxies = (
            {}
            if goes_directly(parts, self._proxies.get("no", ""))
            else {k: v for k, v in self._proxies.items() if k != "no"}
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=self._context), _NoRedirect
        )
        try:
            with contextlib.closing(opener.open(request, timeout=SOCKET_TIMEOUT)) as response:
                return RegistryResponse(response.getcode(), response.headers, response.read(ANSWER_LIMIT))
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                return RegistryResponse(error.code, error.headers, error.read(ANSWER_LIMIT))
        except (OSError, ValueError, http.client.HTTPException) as error:
            through = " through the proxy of the Docker daemon" if proxies.get(parts.scheme) else ""
            raise RegistryUnreachable(
                "{} does not answer{}: {}".format(parts.netloc, through, getattr(error, "reason", error))
            ) from None


def basic(login: "tuple[str, str]") -> str:
    return "Basic " + base64.b64encode("{}:{}".format(*login).encode("utf-8")).decode("ascii")


def _context(system: "System", host: str, ca_certificate: "str | None", insecure: bool) -> "ssl.SSLContext":
    context = ssl.create_default_context()
    # Python 3.13 refuses CAs without a key usage extension. Docker takes them, and it is Docker's login that we prove.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    directory = "{}/{}".format(CERTIFICATES, host)
    texts = [
        lenient.text(system, directory + "/" + name)
        for name in lenient.names(system, directory)
        if name.endswith(".crt")
    ]
    for text in [*texts, ca_certificate]:
        if text:
            try:
                context.load_verify_locations(cadata=text)
            except (ssl.SSLError, ValueError):
                raise Failed(
                    "a CA certificate for {} is none that TLS can read".format(host), "look at {}".format(directory)
                ) from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def daemon_proxies(system: "System") -> "dict[str, str]":
    """{"http": …, "https": …, "no": …} of this host's Docker daemon: the running one's, or what it would start with."""
    pid = process(system)
    words = (lenient.text(system, "/proc/{}/environ".format(pid)) or "").split("\0") if pid else []
    if not words:
        words = (lenient.text(system, ENVIRONMENT_FILE) or "").splitlines()
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        if name.lower() in ("http_proxy", "https_proxy", "no_proxy") and value:
            found[name.lower().partition("_")[0]] = value.strip("\"'")
    configured = document(system, config_file(command_line.words(system))).get("proxies")
    configured = configured if isinstance(configured, dict) else {}
    for name in ("http", "https", "no"):
        given = configured.get(name + "-proxy")
        found.update({name: given} if isinstance(given, str) and given else {})
    return found


def goes_directly(parts: "urllib.parse.SplitResult", no_proxy: str) -> bool:
    """Does Docker (Go's httpproxy) go to this URL without the proxy?"""
    host, port = (parts.hostname or "").lower().rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)
    if _is_this_machine(host):
        return True
    for entry in (word.strip().lower() for word in no_proxy.split(",")):
        name, colon, given = entry.rpartition(":")
        if colon and given.isdigit() and ":" not in name:
            if int(given) != port:
                continue
            entry = name
        if entry == "*" or (entry and _matches(host, entry)):
            return True
    return False


def _matches(host: str, entry: str) -> bool:
    if _is_address(host):
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    entry = entry[1:] if entry.startswith("*.") else entry
    return host.endswith(entry) if entry.startswith(".") else host == entry or host.endswith("." + entry)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_this_machine(host: str) -> bool:
    name = urlsplit("//" + host).hostname or ""
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)
