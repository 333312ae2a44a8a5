"""The dead man's switch: what puts an unfinished change back when we cannot.

The law: the program that does it (our own sources, beside the journal) and what starts it are on disk before the first
change. A unit starts it at the next boot, before Docker, so that power loss is covered; it is written without
daemon-reload, which would disturb others, and systemd reads it when it boots. A timer, or a child of its own where
systemd is not, adds the deadline. Whether there is anything to do is decided by the journal alone: a starter that was
left behind does no harm.
"""

import contextlib
import os
import re
import sys

from ..host.errors import Failed
from ..host.state import UNDO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from ..host.system import System

PLAIN = re.compile(r"[\w./+-]+$")
"""A path that means the same to systemd."""
UNIT = "/etc/systemd/system/provision-undo.service"
WANTED = "/etc/systemd/system/multi-user.target.wants/provision-undo.service"
TIMER = "provision-undo-deadline"
TEXT = """\
[Unit]
Description=Put back what an unfinished run of provision has changed
ConditionPathExists={journal}
RequiresMountsFor={folders}
Before=docker.service

[Service]
Type=oneshot
TimeoutStartSec=300
ExecStart={command}
"""
LOADER = """\
import json, sys, time, zlib
time.sleep(float(sys.argv[1]))
with open({path!r}, "rb") as file:
    head, packed = (file.read(int(file.read(8), 16)) for _ in range(2))
payload = json.loads(zlib.decompress(head).decode())
payload["options"]["booting"] = "boot" in sys.argv
exec(payload["boot"], dict(payload=payload, packed=packed))
"""


def arm(system: "System", folders: "Sequence[str]") -> None:
    """Before the first change: put everything back at the next boot, should this run not come to its end.

    `folders`: where that is, which may be another disk.
    """
    folder = os.path.join(system.state, UNDO)
    packed = os.path.join(folder, "agent")
    system.keep(packed, system.sources.packed({"undo": True, "state": system.state}))
    system.keep(_program(system), LOADER.format(path=packed).encode("utf-8"))
    if _systemd(system):
        command = " ".join(_command(system, 0) + ["boot"])
        known = [path for path in [system.state] + list(folders) if PLAIN.match(path)]
        text = TEXT.format(journal=os.path.join(folder, "journal.json"), folders=" ".join(known), command=command)
        if system.stat(os.path.dirname(WANTED)) is None:  # nothing is enabled on this host yet
            system.make_directory(os.path.dirname(WANTED), 0o755)
        system.keep(UNIT, text.encode("utf-8"))
        system.make_link(UNIT, WANTED)


def arm_deadline(system: "System", seconds: float) -> None:
    """Put everything back in so many seconds, unless the journal's deadline is lifted before."""
    if not _systemd(system):
        system.detach(_command(system, seconds))
        return
    stop_deadline(system)
    argv = ["systemd-run", "--quiet", "--collect", "--unit=" + TIMER, "--on-active={}".format(seconds)]
    system.run(argv + ["--timer-property=AccuracySec=500ms"] + _command(system, 0), timeout=30)


def stop_deadline(system: "System") -> None:
    if _systemd(system):
        with contextlib.suppress(Failed):  # there is none: it has run, or was never made
            system.run(["systemctl", "stop", TIMER + ".timer"], timeout=30)


def disarm(system: "System") -> None:
    """The change stands, or was put back: nothing of the switch stays on the host."""
    folder = os.path.join(system.state, UNDO)
    left = [os.path.join(folder, name) for name in system.names(folder)]  # what a run that died was writing included
    for path in [WANTED, UNIT] + left + [folder]:
        system.remove(path)


def _program(system: "System") -> str:
    return os.path.join(system.state, UNDO, "undo.py")


def _command(system: "System", seconds: float) -> "list[str]":
    return [sys.executable, "-I", "-S", "-B", _program(system), str(seconds)]


def _systemd(system: "System") -> bool:
    return system.stat("/run/systemd/system") is not None
