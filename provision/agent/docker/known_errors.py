"""Why Docker does not come up: its own last words, matched against what they mean.

The law: the daemon's words are always shown; a cause is given only where a known text stands in them.
"""

import re

SIGNATURES = (
    (
        r"specified both as a flag and in the configuration file: (.+)",
        "an option stands both on Docker's command line and in daemon.json: {}",
        "remove it from one of the two (systemctl cat docker, /etc/default/docker, daemon.json)",
    ),
    (
        r"don't match any configuration option: ([^\n]+)",
        "daemon.json has a key that this Docker does not know: {}",
        "remove it, or upgrade Docker",
    ),
    (
        r"unable to configure the Docker daemon with file (.+)",
        "Docker cannot read its configuration: {}",
        "correct that file",
    ),
    (
        r"unknown flag: (\S+)",
        "this Docker does not know the flag {}",
        "look for it in the unit and /etc/default/docker",
    ),
    (
        r"failed to allocate gateway \(([^)]+)\)",
        "Docker cannot take the address {} for its bridge",
        "choose a bip that is a free host address with its prefix",
    ),
    (
        r"(Pool overlaps with other one on this address space|conflicts with network .*networks have overlapping IPv4)",
        "another Docker network overlaps the one that is asked for docker0: {}",
        "choose another bip, or remove that network (docker network ls, docker network inspect ID)",
    ),
    (
        r"(unknown log opt '[^']+' for \S+ log driver)",
        "a log option is none of the log driver's: {}",
        "correct log-opts in daemon.json (docker_daemon.log_opts), or log-driver",
    ),
    (
        r"specified default runtime '([^']+)' does not exist",
        "the default runtime {} is not installed",
        "install it first",
    ),
    (
        r"(contains several valid graphdrivers: [^\n\"]+)",
        "Docker's data root {}",
        "set docker_daemon.storage_driver to the one to keep",
    ),
    (
        r"(formatted without d_type support|driver not supported|prior storage driver \S+ (?:failed|is not)[^\n\"]*)",
        "the storage driver does not work on this host: {}",
        "choose another storage_driver, or another file system for the data root",
    ),
    (
        r"(You specified -b & --bip[^\n\"]*)",
        "Docker has a bridge of its own: {}",
        "leave bip out, or remove the bridge option",
    ),
    (r"no space left on device()", "the disk is full{}", "free space (df -h), then run again"),
    (
        r"(no sockets found via socket activation)",
        "Docker was not started through its socket: {}",
        "start docker.socket: systemctl start docker.socket",
    ),
    (
        r"(pid file found, ensure docker is not running|process with PID \d+ is still running)",
        "another Docker runs: {}",
        "end it",
    ),
    (r"(failed to start (?:daemon|containerd)[^\n]*)", "{}", "look at the daemon's log"),
)


def explain(log: str) -> "tuple[str, str] | None":
    """(cause, fix) of the newest known failure in the daemon's log, or None."""
    lines = log.splitlines()
    for line in reversed(lines):
        for pattern, cause, fix in SIGNATURES:
            match = re.search(pattern, line)
            if match:
                return cause.format(match.group(1).strip().rstrip('"')), fix
    return None
