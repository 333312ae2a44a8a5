"""Why Docker does not come up: its own last words, matched against what they mean.

The law: the daemon's words are always shown; a cause is given only where a known text stands in them.
"""

from ..host import known_errors
from ..host.known_errors import KnownError

KNOWN = (
    KnownError(
        r"specified both as a flag and in the configuration file: (?P<what>.+)",
        "an option stands both on Docker's command line and in daemon.json: {what}",
        "remove it from one of the two (systemctl cat docker, /etc/default/docker, daemon.json)",
    ),
    KnownError(
        r"don't match any configuration option: (?P<what>[^\n]+)",
        "daemon.json has a key that this Docker does not know: {what}",
        "remove it, or upgrade Docker",
    ),
    KnownError(
        r"unable to configure the Docker daemon with file (?P<what>.+)",
        "Docker cannot read its configuration: {what}",
        "correct that file",
    ),
    KnownError(
        r"(?P<what>unknown log opt '[^']+' for \S+ log driver)",
        "a log option is none of the log driver's: {what}",
        "correct log-opts in daemon.json (docker_daemon.log_opts), or log-driver",
    ),
    KnownError(
        r"unknown flag: (?P<what>\S+)",
        "this Docker does not know the flag {what}",
        "look for it in the unit and /etc/default/docker",
    ),
    KnownError(
        r"failed to allocate gateway \((?P<what>[^)]+)\)",
        "Docker cannot take the address {what} for its bridge",
        "choose a bip that is a free host address with its prefix",
    ),
    KnownError(
        r"(?P<what>Pool overlaps with other one on this address space"
        r"|conflicts with network .*networks have overlapping IPv4)",
        "another Docker network overlaps the one that is asked for docker0: {what}",
        "choose another bip, or remove that network (docker network ls, docker network inspect ID)",
    ),
    KnownError(
        r"(?:Can't create ID mappings|Error during \"\S+\" user creation): (?P<what>[^\n]+)",
        "Docker cannot map users as userns-remap asks: {what}",
        "see that /etc/subuid and /etc/subgid are there, with a range for that user",
    ),
    KnownError(
        r"specified default runtime '(?P<what>[^']+)' does not exist",
        "the default runtime {what} is not installed",
        "install it first",
    ),
    KnownError(
        r"(?P<what>contains several valid graphdrivers: [^\n\"]+)",
        "Docker's data root {what}",
        "set docker_daemon.storage_driver to the one to keep",
    ),
    KnownError(
        r"(?P<what>formatted without d_type support|driver not supported"
        r"|prior storage driver \S+ (?:failed|is not)[^\n\"]*)",
        "the storage driver does not work on this host: {what}",
        "choose another storage_driver, or another file system for the data root",
    ),
    KnownError(
        r"(?P<what>You specified -b & --bip[^\n\"]*)",
        "Docker has a bridge of its own: {what}",
        "leave bip out, or remove the bridge option",
    ),
    KnownError(
        r"no space left on device(?P<what>)",
        "the disk is full{what}",
        "free space (df -h), then run again",
    ),
    KnownError(
        r"(?P<what>no sockets found via socket activation)",
        "Docker was not started through its socket: {what}",
        "start docker.socket: systemctl start docker.socket",
    ),
    KnownError(
        r"(?P<what>pid file found, ensure docker is not running|process with PID \d+ is still running)",
        "another Docker runs: {what}",
        "end it",
    ),
    KnownError(
        r"(?P<what>failed to start (?:daemon|containerd)[^\n]*)",
        "{what}",
        "look at the daemon's log",
    ),
)


def explain(log: str) -> "tuple[str, str] | None":
    """(cause, fix) of the newest known failure in the daemon's log, or None."""
    for line in reversed(log.splitlines()):
        known = known_errors.explain(line.rstrip().rstrip('"'), KNOWN)
        if known is not None:
            return known.cause, known.fix
    return None
