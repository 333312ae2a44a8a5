"""Where hosts get their packages: this machine's own apt configuration, carried over to another release,
and a caching proxy, so that ten hosts that install the same package fetch it once.

Law: no archive is named here. Sources, options, certificates and logins are read from this machine's
/etc/apt when they are needed, and the proxy listens on the lab's bridge address only.
"""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lab.machine import RUN, cache, program
from tests.lab.processes import Daemon, LabError, call

PORT = 3142
PROXY = Daemon("apt-cacher-ng", RUN / "apt-cache.json", RUN / "apt-cache.log")
KEPT_OPTIONS = re.compile(r"Acquire::(Check-|Retries|Languages|ForceIPv|https?::(?!Proxy|User-Agent))")
ETC = Path("/etc/apt")
LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")


def sources(release: str) -> list[str]:
    """One-line sources for `release`, from the machine's lines for its own release.

    Empty on a machine of another distribution: there the bootstrap tool's own default is right.
    """
    system = _os_release()
    if system.get("ID") != "debian":
        return []
    own = system["VERSION_CODENAME"]
    lines = []
    for uri, suite, components in _entries():
        if suite == own or suite.startswith(f"{own}-"):
            lines.append(f"deb {uri} {suite.replace(own, release, 1)} {components}")
    if not lines:
        raise LabError(f"/etc/apt has no source for {own}, so none can be derived for {release}")
    return list(dict.fromkeys(lines))


def options() -> str:
    """The machine's options that decide whether an archive is accepted, as apt.conf text."""
    dumped = call([program("apt-config"), "dump"]).stdout.splitlines()
    return "".join(f"{line}\n" for line in dumped if KEPT_OPTIONS.match(line))


def proxy_options(machine: str) -> str:
    """apt.conf text for a host: packages through the cache, the lab's own services directly."""
    return (
        f'Acquire::http::Proxy "http://{machine}:{PORT}";\n'
        f'Acquire::https::Proxy "http://{machine}:{PORT}";\n'
        f'Acquire::http::Proxy::{machine} "DIRECT";\n'
    )


def credentials() -> list[Path]:
    """The machine's apt logins and local certificate authorities: hosts need what the machine needs."""
    found = [ETC / "auth.conf", *sorted((ETC / "auth.conf.d").glob("*.conf"))]
    if any(line.startswith("deb https:") for line in sources(_os_release().get("VERSION_CODENAME", ""))):
        found += sorted(LOCAL_AUTHORITIES.glob("*.crt"))
    return [path for path in found if path.is_file()]


def ensure_proxy(machine: str) -> None:
    """Have the caching proxy answer on the bridge address; the caller holds the machine-wide lock."""
    if PROXY.running():
        return
    store = cache() / "packages"
    store.mkdir(parents=True, exist_ok=True)
    config = RUN / "apt-cache"
    config.mkdir(exist_ok=True)
    lines = [
        f"CacheDir: {store}",
        f"LogDir: {config}",
        "SupportDir: /usr/lib/apt-cacher-ng",
        f"Port: {PORT}",
        f"BindAddress: {machine}",
        "PassThroughPattern: .*",  # https sources go through as they are
        "ExThreshold: 30",
        "ForeGround: 1",
        f"SocketPath: {config / 'socket'}",
    ]
    upstream = _upstream_proxy()
    if upstream:
        lines.append(f"Proxy: {upstream}")
    (config / "acng.conf").write_text("\n".join(lines) + "\n")
    (config / "acng.conf").chmod(0o600)
    PROXY.start([program("apt-cacher-ng"), "-c", str(config)])
    _wait_listening(machine)


def stop_proxy() -> None:
    PROXY.stop()


def _wait_listening(machine: str, limit: float = 15) -> None:
    end = time.monotonic() + limit
    while True:
        try:
            socket.create_connection((machine, PORT), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end or not PROXY.running():
                raise LabError(f"the lab's package cache does not start:\n{PROXY.tail()}") from None
            time.sleep(0.05)


def _upstream_proxy() -> str:
    words = [program("apt-config"), "shell", "P", "Acquire::http::Proxy"]
    value = call(words).stdout.strip().removeprefix("P=").strip("'\"")
    return "" if value == "DIRECT" else value


def _os_release() -> dict[str, str]:
    pairs = (line.partition("=") for line in Path("/etc/os-release").read_text().splitlines())
    return {key: value.strip('"') for key, _, value in pairs}


def _entries() -> Iterator[tuple[str, str, str]]:
    """(uri, suite, components) of every binary source in use on this machine, in either format."""
    lists = [ETC / "sources.list", *sorted((ETC / "sources.list.d").glob("*.list"))]
    for path in lists:
        if path.exists():
            yield from _one_line_entries(path.read_text())
    for path in sorted((ETC / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            yield from _stanza_entries(stanza)


def _one_line_entries(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.splitlines():
        found = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if found:
            yield found[1], found[2], found[3].strip()


def _stanza_entries(stanza: str) -> Iterator[tuple[str, str, str]]:
    lines = (line for line in stanza.splitlines() if ":" in line and not line.startswith(("#", " ")))
    fields = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if fields.get("enabled", "yes").lower() == "no" or "deb" not in fields.get("types", "").split():
        return
    for uri in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            yield uri, suite, fields.get("components", "main")
