"""Reading where anything may be missing, unreadable or odd: facts are what can be seen, and the rest is None.

The law: an error of the host while looking (no such file, no permission, not a regular file) is not a failure here; it
is the fact that nothing is known. Bugs of ours still raise.
"""

import os
import re

from .errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .system import System

LINKS = 40
"""Symbolic links that Linux follows in one path."""


def text(system: "System", path: str) -> "str | None":
    """A file as text, or None where there is none or it cannot be read."""
    try:
        return system.text(path)
    except (OSError, Failed):
        return None


def word(system: "System", path: str) -> str:
    """A file of one short line, stripped; "" where there is none."""
    return (text(system, path) or "").strip()


def names(system: "System", path: str) -> "list[str]":
    """Sorted names in a directory; [] where there is none or it cannot be read."""
    try:
        return system.names(path)
    except OSError:
        return []


def exists(system: "System", path: str) -> bool:
    """Is there anything, a dangling link included?"""
    try:
        return system.stat(path) is not None
    except OSError:
        return False


def resolved(system: "System", path: str) -> "str | None":
    """A path without symbolic links, as os.path.realpath makes it; None where they lead to each other."""
    done, parts, links = "/", path.split("/"), 0
    while parts:
        name = parts.pop(0)
        if name in ("", ".", ".."):
            done = os.path.dirname(done) if name == ".." else done
            continue
        target = system.link(os.path.join(done, name))
        if target is None:
            done = os.path.join(done, name)
            continue
        links += 1
        if links > LINKS:
            return None
        done = "/" if target.startswith("/") else done
        parts = target.split("/") + parts
    return done


def assignments(content: "str | None") -> "dict[str, str]":
    """The NAME=value lines of an os-release like file; quotes removed, the last of several wins."""
    pairs = re.findall(r"^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$", content or "", re.M)
    return {name: _unquoted(value) for name, value in pairs}


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return re.sub(r"\\(.)", r"\1", value)


def arguments(system: "System", pid: "int | str") -> "list[str] | None":
    """The command line of a process, or None."""
    line = text(system, "/proc/{}/cmdline".format(pid))
    return line.rstrip("\0").split("\0") if line else None


_LOGIN = r"(://)[^/@\s\"']*@"
_NAMED = r"(?i)((?:^|[-_.])(?:token|password|passwd|secret|secret-?key|api-?key|auth)=).+"


def without_secrets(argument: str) -> str:
    """One command line argument with logins in URLs and values that are named like a secret hidden."""
    if "=" in argument:
        argument = re.sub(_NAMED, r"\1********", argument)
    return re.sub(_LOGIN, r"\1********@", argument) if "@" in argument else argument
