"""What is known of Docker on the host, without asking Docker: packages, unit, process, and what its files ask for.

The law: reads only, and starts nothing (a client would start a stopped daemon through docker.socket). No value that may
hold a secret leaves: proxies, logins in URLs, tokens of log drivers.
"""

import json
import re

from ..files import json_object
from ..host import lenient
from ..host.errors import Failed
from ..services import unit_file
from . import flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Mapping

    from ..host.system import System

ENGINES = ("docker-ce", "docker.io", "docker-engine", "docker-ee", "moby-engine", "lxc-docker")
"""Packages that hold a dockerd, in the order in which one is believed if there are several."""
PACKAGES = ENGINES + (
    "containerd",
    "containerd.io",
    "docker-buildx",
    "docker-buildx-plugin",
    "docker-ce-cli",
    "docker-ce-rootless-extras",
    "docker-cli",
    "docker-compose",
    "docker-compose-plugin",
    "docker-compose-v2",
    "docker-doc",
    "moby-cli",
    "moby-containerd",
    "moby-runc",
    "podman-docker",
    "runc",
)
"""Packages that are, belong to, or conflict with an engine."""
CONFIG = "/etc/docker/daemon.json"
MARK, MARK_SINCE = "\ufeff", 23
"""A byte order mark, and the first engine that reads a daemon.json with one."""
DAEMONS = ("dockerd", "dockerd-ce", "docker-daemon")
TREES = ("", "systemd/", "unified/")
PROCESSES = "/sys/fs/cgroup/{}{}/docker.service/cgroup.procs"


def docker(system: "System", installed: "Mapping[str, Any]") -> "dict[str, Any]":
    """The facts of the engine; `installed` is {name: dpkg.Package}."""
    versions = {name: installed[name].version for name in PACKAGES if name in installed and installed[name].present}
    daemon = system.which("dockerd")
    pid = process(system)
    facts: "dict[str, Any]" = {
        "packages": versions,
        "snap": lenient.exists(system, "/snap/docker/current"),
        "version": _version(system, versions, daemon),
        "daemon": daemon,
        "unit": unit_file.load(system, "docker.service"),
        "sysv": lenient.exists(system, "/etc/init.d/docker"),
        "upstart": lenient.exists(system, "/etc/init/docker.conf"),
        "pid": pid,
        "command_line": None,
    }
    if pid is not None:
        facts["command_line"] = [lenient.without_secrets(word) for word in lenient.arguments(system, pid) or ()]
    facts["default_options"], facts["default_problem"] = default_file(lenient.text(system, FILE))
    facts["config"] = _config(system, facts["unit"], facts["default_options"])
    facts["configured"], facts["config_problem"] = _configured(system, facts["config"], facts["version"] or "")
    facts["written"] = _written(system, facts["config"], facts["configured"])
    return facts


def config_file(words: "list[str]") -> str:
    """The daemon.json of a daemon with this command line."""
    return (flags.values(words).get("config-file") or [CONFIG])[-1]


def _config(system: "System", unit: "dict[str, Any] | None", default_options: "list[str]") -> str:
    """The daemon.json of the next start."""
    words = list(default_options)
    if unit is not None and lenient.exists(system, "/run/systemd/system"):
        parts = flags.expand(unit["exec_start"], dict(unit["variables"], DOCKER_OPTS=reading(unit, default_options)))
        words = [word for part in parts for word in part]
    return config_file(words)


def reading(unit: "dict[str, Any]", default_options: "list[str]") -> "list[str]":
    """What `$DOCKER_OPTS` is on the command line of this unit."""
    named = FILE in [path.lstrip("-") for path in unit["environment_files"]]
    own: "list[str]" = unit["variables"].get("DOCKER_OPTS", [])
    return list(default_options) if named and not own else own


def upstream(version: str) -> "str | None":
    """The engine's own version in that of a package: 29.2.1 in 5:29.2.1-1~ubuntu.24.04~noble; None without one."""
    match = re.match(r"(?:\d+:)?v?(\d+(?:\.\d+)+)", version)
    return match.group(1) if match else None


def _version(system: "System", versions: "dict[str, str]", daemon: "str | None") -> "str | None":
    for name in ENGINES:
        if name in versions:
            return upstream(versions[name])
    if daemon is None:
        return None
    answer = system.query([daemon, "--version"], timeout=10)  # not from a package: a static binary, or a snap
    match = re.search(r"version (\d+(?:\.\d+)+)", answer.out)
    return match.group(1) if match else None


def process(system: "System") -> "int | None":
    """The daemon's PID, or None: a PID file outlives its process, so the command line must name dockerd."""
    for found in (_of_pid_file, _of_unit, _of_unit_elsewhere):
        for pid in found(system):
            if is_daemon(system, pid):
                return int(pid)
    return None


def _of_pid_file(system: "System") -> "list[str]":
    return lenient.word(system, "/var/run/docker.pid").split()[:1]


def _of_unit(system: "System") -> "list[str]":
    """The processes of docker.service: where the daemon has another PID file (--pidfile)."""
    return _in_slice(system, "system.slice")


def _of_unit_elsewhere(system: "System") -> "list[str]":
    """The same, where a drop-in gives the unit a slice of its own (Slice=), or systemd is not at the tree's root."""
    name = unit_file.last(system, "docker.service", "Slice")
    parts = name[: -len(".slice")].split("-") if re.match(r"[\w-]+\.slice$", name) else ["system"]
    path = "/".join("-".join(parts[: count + 1]) + ".slice" for count in range(len(parts)))
    of_systemd = lenient.text(system, "/proc/1/cgroup") or ""
    roots = re.findall(r"^(?:\d+:name=systemd|0:):(.*)/init\.scope$", of_systemd, re.M)
    return [pid for root in dict.fromkeys([""] + roots) for pid in _in_slice(system, root.strip("/") + "/" + path)]


def _in_slice(system: "System", path: str) -> "list[str]":
    files = [PROCESSES.format(tree, path.strip("/")) for tree in TREES]
    return [pid for file in files for pid in lenient.word(system, file).split()]


def is_daemon(system: "System", pid: str) -> bool:
    """Does the command line of this process name dockerd?"""
    if not pid.isdigit():
        return False
    words = [word.rsplit("/", 1)[-1] for word in (lenient.arguments(system, pid) or ())[:2]]
    return words == ["docker", "daemon"] or any(word in DAEMONS for word in words)  # the second: a script of that name


def document(system: "System", path: str) -> "dict[str, Any]":
    """daemon.json as the daemon reads it; {} where there is none, or it cannot be read."""
    try:
        found = json.loads((lenient.text(system, path) or "").lstrip(MARK) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _configured(system: "System", path: str, version: str) -> "tuple[dict[str, Any], str | None]":
    """(daemon.json without secrets, why it cannot be read)."""
    content = lenient.text(system, path)
    if content is None:
        return {}, "{} cannot be read".format(path) if lenient.exists(system, path) else None
    if content.startswith(MARK) and int(version.partition(".")[0] or 0) < MARK_SINCE:
        return {}, "{}:1: begins with a byte order mark, which Docker {} does not take".format(path, version)
    try:
        document = json_object.parse(content.encode("utf-8", "surrogateescape"), path)
    except Failed as error:
        return {}, error.cause
    return {key: bare(key, value) for key, value in document.items() if key != "proxies"}, None


def _written(system: "System", path: str, configured: "dict[str, Any]") -> "dict[str, list[str]]":
    """{key of daemon.json: the roles of ours that wrote it}; of a map all entries have to be ours."""
    try:
        records = system.state_file.get("json_keys", path) or {}
    except Failed:  # what we remember is damaged: whatever needs it says so
        return {}
    found: "dict[str, dict[tuple[str, ...], str]]" = {}
    for name, record in records.items():
        found.setdefault(json.loads(name)[0], {})[tuple(json.loads(name)[1:])] = record["role"]
    return {
        key: sorted(set(roles.values()))
        for key, roles in found.items()
        if () in roles or {name[0] for name in roles} >= set(configured.get(key) or ())
    }


def bare(key: str, value: "Any") -> "Any":
    """A value of daemon.json without what may be secret in it."""
    if isinstance(value, dict):
        return {name: bare(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [bare(key, item) for item in value]
    if isinstance(value, str):
        prefix = "-{}=".format(key)
        return lenient.without_secrets(prefix + value)[len(prefix) :]
    return value


# -- /etc/default/docker: a shell file for sysvinit and upstart, an EnvironmentFile for systemd

# Compiled where there is such a file, as `re` does by itself; on a host without one that would be a millisecond of it.
_ASSIGNMENT = r"(?s)(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$"
_CONTROL = r"(?:if|then|elif|else|fi|for|while|until|do|done|case|esac|eval|source|\.|\{|\}|\[|test)(?:\s|;|$)|.*\(\)"
_CURLY = "\u201c\u201d\u201e\u201f\u2018\u2019"
FILE = "/etc/default/docker"


def default_file(content: "str | None") -> "tuple[list[str], str | None]":
    """(the words of DOCKER_OPTS, secrets hidden; why the file cannot be edited safely, or None)."""
    options = ""
    for line in _logical_lines(content or ""):
        problem = _problem(line)
        if problem:
            return [], problem
        match = re.match(_ASSIGNMENT, line)
        if match and match.group(1) == "DOCKER_OPTS":
            value = _value(match.group(2))
            if value is None:
                return [], "{}: DOCKER_OPTS is made by shell code; write its value out".format(FILE)
            options = options.join(re.split(r"\$DOCKER_OPTS\b|\$\{DOCKER_OPTS\}", value))
    return [lenient.without_secrets(word) for word in options.split()], None


def _logical_lines(content: str) -> "Iterator[str]":
    """Lines without comments and blanks; a quoted value may run over several, and a backslash joins two."""
    pending = ""
    for line in content.split("\n"):
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1]
        elif re.sub(r"\\.", "", pending).count('"') % 2:
            pending += " "
        else:
            yield pending.strip(" \t")
            pending = ""
    if pending:
        yield pending.strip(" \t")


def _problem(line: str) -> "str | None":
    if line.endswith("\r"):
        return "{} has CRLF line ends, which become part of each value; convert it (sed -i 's/\\r$//')".format(FILE)
    if any(mark in line for mark in _CURLY):
        return "{} has curly quotation marks, which the shell does not take; write plain ones".format(FILE)
    if re.match(r"(?:export\s+)?DOCKER_OPTS\s+=|(?:export\s+)?DOCKER_OPTS=\s+\S", line):
        return "{} has a space beside the = of DOCKER_OPTS, so Docker gets no options; remove it".format(FILE)
    if re.match(_CONTROL, line) or ("DOCKER_OPTS" in line and not re.match(_ASSIGNMENT, line)):
        return "{} has shell code, so that its values cannot be told from its text; write them out".format(FILE)
    return None


def _value(raw: str) -> "str | None":
    """The value of a plain assignment, or None when only a shell could tell it."""
    match = re.match(
        r"\"((?:[^\"\\]|\\.)*)\"\s*(?:#.*)?$|'([^']*)'\s*(?:#.*)?$|([^\s\"';&|<>()]*)\s*(?:#.*)?$", raw, re.S
    )
    if match is None:
        return None
    quoted, literal, bare = match.groups()
    if literal is not None:
        return literal
    value = re.sub(r"\\([\"\\$`])", r"\1", quoted) if quoted is not None else bare
    without_itself = re.sub(r"\$DOCKER_OPTS\b|\$\{DOCKER_OPTS\}", "", value)
    return None if re.search(r"[$`]", without_itself) else value
