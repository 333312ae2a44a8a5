"""The inventory files of a directory that is an inventory.

The law is Ansible's: all of them count together, in order of name, those in its folders too. Without an ending a file
is YAML if it begins so; it and files of other endings are INI if their first line is a section or a host. None of
which Ansible would read a part is dropped.
"""

import os
import re
import shlex
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from provision.inventory.files import shown
from provision.inventory.ini import SECTION
from provision.inventory.varfiles import ENDINGS

_NOT = {"group_vars", "host_vars", "vars_plugins", "roles", "kinds", "templates"}
"""The last three are ours."""
_IGNORED = (".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")
"""As in Ansible."""
MAX_PROGRAM = 32 * 1024 * 1024
"""Bytes of a program that are looked through."""
MAX_START = 65536
"""Bytes of a file by which is told what it is."""
_NAMED = re.compile(r"(hosts|inventory)\b")
_OF_GROUPS = re.compile(r"\b(hosts|children|vars|plugin)\b[\"']?\s*:")
"""A key that every inventory in YAML has."""
_WORD = re.compile(r"[^\s\[]+\Z")
_KEY = re.compile(r"(\"[^\"]*\"|'[^']*'|[^\s\[{:]+):(\s|\Z)|[^#]*:\s*(#.*)?\Z")


def files(folder: Path, warnings: list[str], above: tuple[Path, ...] = ()) -> list[Path]:
    """The files, in Ansible's order. One that Ansible may read and that is not read is told in `warnings`."""
    found = []
    above = (*above, folder.resolve())
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in _NOT or entry.name.endswith(_IGNORED):
            continue
        if entry.is_dir():
            found += files(entry, warnings, above) if entry.resolve() not in above else []
        elif entry.is_file() and _counts(entry, warnings):
            found.append(entry)
    return found


def is_program(file: Path) -> bool:
    """Does the file say that it is a program? `#!` or an ELF header, and the executable bit."""
    if not (file.is_file() and os.access(file, os.X_OK)):
        return False
    try:
        with file.open("rb") as stream:
            start = stream.read(4)
    except OSError:
        return True  # execute-only
    return start.startswith(b"#!") or start == b"\x7fELF"


def answers_list(program: Path) -> bool:
    """Does the program mention --list, which it has to answer as an inventory? A hook or any other script does not."""
    try:
        with program.open("rb") as stream:
            return b"--list" in stream.read(MAX_PROGRAM)
    except OSError:
        return False


def first_line(content: bytes | str) -> str:
    """The first line that is neither empty nor a comment."""
    return next(_lines(content), "")


def begins_yaml(line: str) -> bool:
    """Does YAML begin with this line? INI begins with a section or a host, YAML with a key."""
    return line == "---" or line[:1] == "{" or _KEY.match(line) is not None


def _lines(content: bytes | str) -> Iterator[str]:
    text = content[:MAX_START].decode("utf-8-sig", "replace") if isinstance(content, bytes) else content[:MAX_START]
    lines = (line.strip() for line in text.splitlines())
    return (line for line in lines if line and line[0] not in "#;")


def _counts(file: Path, warnings: list[str]) -> bool:
    if file.suffix in (*ENDINGS, ".ini", ".toml") or (not file.suffix and _NAMED.match(file.name)) or is_program(file):
        return True
    try:
        with file.open("rb") as stream:
            start = stream.read(MAX_START).decode("utf-8-sig", "surrogateescape")
    except OSError:
        return True  # reading it says what is wrong
    first, *more = [*islice(_lines(start), 2)] or [""]
    if not file.suffix and begins_yaml(first):
        return _OF_GROUPS.search(start) is not None
    if file.suffix == ".py" or not (SECTION.match(first) or _is_host(first)):
        return False
    if more or not _WORD.match(first):
        return True
    if not file.suffix:  # with one, it is somebody's token or password
        what = "if it is a host, begin it with [ungrouped]; if not, hide it behind a dot in its name"
        warnings.append(f"{shown(file)} is not read, since it is one word: {what}")
    return False


def _is_host(line: str) -> bool:
    """Is this a host with its variables, to Ansible's reader of INI?"""
    try:
        name, *given = shlex.split(line, comments=True) or [":"]
    except ValueError:
        return False
    if name[:1] in ("<", "{"):  # XML and lines of JSON: what runs leave
        return False
    return not name.endswith(":") and all("=" in word for word in given)
