"""dockerd's command line: as its process has it, and as its unit would start it now. Where the two differ, what runs is
not what is on disk, whoever changed the one or the other.

The law: reads only, and judges only what it can tell: a unit that starts a script of its own, has specifiers of systemd
(%H) or options made by shell code is no measure of the process.
"""

import re

from ..host import lenient
from ..services import unit_file
from . import engine_facts, flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System

UNIT = "docker.service"
SPECIFIER = r"(?<!%)(?:%%)*%[A-Za-z]"


def words(system: "System") -> "list[str]":
    """That of the running daemon, or of the next start where none runs; [] where it cannot be told."""
    pid = engine_facts.process(system)
    return (lenient.arguments(system, pid) if pid is not None else planned_words(system)) or []


def otherwise(system: "System", pid: int) -> "list[str]":
    """The flags in which the process differs from what its unit would start now; [] where that cannot be told."""
    running, planned = lenient.arguments(system, pid), planned_words(system)
    if not running or planned is None or not started_by_unit(system, pid):
        return []
    return flags.unlike([lenient.without_secrets(word) for word in running[1:]], planned[1:])


def started_by_unit(system: "System", pid: int) -> bool:
    """Is it a process of docker.service?"""
    groups = lenient.text(system, "/proc/{}/cgroup".format(pid)) or ""
    return re.search("/{}$".format(re.escape(UNIT)), groups, re.M) is not None


def planned_words(system: "System") -> "list[str] | None":
    """The words that systemd would start the daemon with, our own drop-ins included; None where they cannot be told."""
    unit = unit_file.load(system, UNIT, ())
    if unit is None or unit["masked"] or not unit["exec_start"]:
        return None
    planned = _expanded(system, unit)
    if planned is None or planned[0].rsplit("/", 1)[-1] not in engine_facts.DAEMONS + ("docker",):
        return None
    return planned


def _expanded(system: "System", unit: "dict[str, Any]") -> "list[str] | None":
    options, problem = engine_facts.default_file(lenient.text(system, engine_facts.FILE))
    variables = dict(unit["variables"], DOCKER_OPTS=engine_facts.reading(unit, options))
    if problem is not None and any("DOCKER_OPTS" in word for word in unit["exec_start"]):
        return None
    found = [word for part in flags.expand(unit["exec_start"], variables) for word in part]
    if any(re.search(SPECIFIER, word) for word in found):
        return None
    unset = unit_file.VARIABLE  # a variable that is set nowhere is empty
    found = [re.sub(unset, "", word) for word in found if not re.match(unset + "$", word)]
    return [word.replace("%%", "%").replace("$$", "$") for word in found]
