"""What the daemon refuses when it starts, though `dockerd --validate` takes it: found in the plan.

The law: pure, and only what is certain. A driver, runtime or version that is not known here is Docker's to judge.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from provision.daemon.options import Version
from provision.role import Refuse

_LABELS = frozenset({"env", "env-regex", "labels", "labels-regex", "tag"})
_FILES = frozenset({"max-size", "max-file", "compress"})
_ALL = frozenset({"mode", "max-buffer-size", "cache-disabled", "cache-max-file", "cache-max-size", "cache-compress"})
_TLS = frozenset(f"syslog-tls-{name}" for name in ("ca-cert", "cert", "key", "skip-verify"))
LOG_OPTIONS: Mapping[str, frozenset[str]] = {
    "json-file": _LABELS | _FILES,
    "local": _FILES,
    "journald": _LABELS,
    "syslog": _LABELS | _TLS | {"syslog-address", "syslog-facility", "syslog-format"},
    "gelf": _LABELS
    | {"gelf-address", "gelf-compression-level", "gelf-compression-type"}
    | {"gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"},
}
"""Options of log drivers, besides those that each driver has."""
OWN_RUNTIMES = ("runc", "io.containerd.", "/")
"""What a default runtime may be, or begin with, that stands in no list of runtimes."""
PATHS_REFUSED: tuple[Version, Version] = ((17, 10), (24, 0, 8))
"""From and until which version the URL of a mirror could have no path."""


def refuse(
    asked: Mapping[str, Any], configured: Mapping[str, Any], flags: Mapping[str, Sequence[str]], version: Version
) -> None:
    """Raise Refuse for what `asked` (keys of daemon.json) would keep Docker from starting, beside what stays."""
    _mirrors(asked.get("registry-mirrors") or (), version)
    _log_options(asked, configured, flags)
    _default_runtime(asked, configured, flags)


def _mirrors(mirrors: Sequence[str], version: Version) -> None:
    first, until = PATHS_REFUSED
    for mirror in mirrors if first <= version < until else ():
        if urlsplit(mirror).path.strip("/"):
            known = ".".join(map(str, version))
            cause = f"registry_mirrors: Docker {known} takes no path in the URL of a mirror: {mirror}"
            raise Refuse(cause, "give the mirror a name or port of its own, or upgrade Docker to 24.0.8 or newer")


def _log_options(asked: Mapping[str, Any], configured: Mapping[str, Any], flags: Mapping[str, Sequence[str]]) -> None:
    if not {"log-driver", "log-opts"} & asked.keys():
        return
    given = flags.get("log-driver") or [configured.get("log-driver") or "json-file"]
    driver = asked.get("log-driver") or given[-1]
    ours, theirs = set(asked.get("log-opts") or ()), configured.get("log-opts") or ()
    theirs = theirs if isinstance(theirs, Mapping) else ()  # not an object: that is said where it is written
    foreign = {*theirs, *(value.partition("=")[0] for value in flags.get("log-opt", ()))} - ours
    known = LOG_OPTIONS.get(driver, frozenset()) | _ALL
    if driver not in LOG_OPTIONS or not (ours | foreign) - known:
        return
    has = ", ".join(sorted(LOG_OPTIONS[driver]))
    if ours - known:
        told = f"log_opts: the log driver {driver} has no option {', '.join(sorted(ours - known))}"
        raise Refuse(f"{told}: Docker would not start", f"correct it ({has}), or set the log_driver that it is for")
    told = f"the log options {', '.join(sorted(foreign - known))} of this host are none of the log driver {driver}"
    raise Refuse(f"{told}: Docker would not start", "take them out of daemon.json or the daemon's flags first")


def _default_runtime(
    asked: Mapping[str, Any], configured: Mapping[str, Any], flags: Mapping[str, Sequence[str]]
) -> None:
    name = asked.get("default-runtime")
    if name is None or name.startswith(OWN_RUNTIMES):
        return
    known = {*(asked.get("runtimes") or ()), *(configured.get("runtimes") or ())}
    known |= {value.partition("=")[0] for value in flags.get("add-runtime", ())}
    if name not in known:
        there = ", ".join(sorted({"runc", *known}))
        cause = f"default_runtime: no runtime is called {name} on this host ({there}): Docker would not start"
        raise Refuse(cause, "add it to docker_daemon.runtimes, or take the role that brings it (nvidia_docker)")
