"""The inventory files of a directory that is an inventory.

The law is Ansible's: all of them count together, in order of name, those in its folders too. None is dropped in
silence.
"""

import os
import re
from pathlib import Path

from provision.inventory.files import shown
from provision.inventory.varfiles import ENDINGS

_NOT = {"group_vars", "host_vars", "vars_plugins", "roles"}
_IGNORED = (".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")
"""As in Ansible."""
MAX_PROGRAM = 32 * 1024 * 1024
"""Bytes of a program that are looked through."""
_NAMED = re.compile(r"(hosts|inventory)\b")
_SECTION = re.compile(r"\[[^:\]\s]+(:\w+)?\]\s*(#.*)?\Z")
_BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\[\]-]*(\s+\w+=\S.*)?\Z")


def files(folder: Path, warnings: list[str], above: tuple[Path, ...] = ()) -> list[Path]:
    """The files, in Ansible's order. One that may be an inventory and is not read is told in `warnings`."""
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


def first_word(content: bytes | str) -> str:
    """The first line that is neither empty nor a comment."""
    text = content[:65536].decode("utf-8-sig", "replace") if isinstance(content, bytes) else content[:65536]
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and line[0] not in "#;"), "")


def _counts(file: Path, warnings: list[str]) -> bool:
    if file.suffix in (*ENDINGS, ".ini", ".toml") or _NAMED.match(file.name) or is_program(file):
        return True
    try:
        with file.open("rb") as stream:
            start = stream.read(65536).decode("utf-8-sig", "replace")
    except OSError:
        return True  # reading it says what is wrong
    first = first_word(start)
    if _SECTION.match(first) or first == "---" or first.startswith("all:"):
        return True
    if _BARE.match(first) and any(_SECTION.match(line.strip()) for line in start.splitlines()):
        return True
    if not file.suffix and _BARE.match(first):
        warnings.append(f"{shown(file)} is not read: if it lists hosts, begin it with a section such as [ungrouped]")
    return False
