"""Finds the inventory, tells what kind it is, and reads it with its group_vars and host_vars into a tree.

The law: a file is a program only if it says so (`#!` or an ELF header, and the executable bit), and none is run under
no_exec. All that is wrong, in all files, is reported at once.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provision.errors import InputError, Problem, nearest
from provision.inventory import document, loader, programs
from provision.inventory.document import Map
from provision.inventory.structure import Reader
from provision.inventory.tree import Tree
from provision.inventory.vault import HEADER, Vault

YAML_ENDINGS = (".yml", ".yaml", ".json")
INVENTORIES = Path(__file__).resolve().parent.parent.parent / "inventories"
"""The program's own, beside provision.py."""


@dataclass
class Source:
    """What was read: the tree, where it lies, and what is odd about it."""

    path: Path
    directory: Path
    tree: Tree = field(default_factory=Tree)
    rollout: Any = None
    warnings: list[str] = field(default_factory=list)
    vaulted: set[str] = field(default_factory=set)
    """Names of files that were wholly in a vault: every value from them is secret."""


def folders() -> tuple[Path, ...]:
    """Where `--inventory NAME` is looked for: the user's own ./inventories, then the program's."""
    return tuple(dict.fromkeys((Path.cwd() / "inventories", INVENTORIES)))


def named(name: str, places: Sequence[Path]) -> Path | None:
    """The inventory of that name in the first of these folders that has it."""
    files = (place / (name + ending) for place in places for ending in (".yml", ".yaml", ""))
    return next((file for file in files if file.exists()), None)


def find(source: str, *places: Path) -> Path:
    """The file or directory that `--inventory` means: a bare name is looked for in `places` (none given: `folders()`),
    a path is taken as it is. Raises InputError."""
    places = places or folders()
    bare = source not in ("", ".", "..") and "/" not in source and not source.endswith(YAML_ENDINGS)
    if bare and (found := named(source, places)):
        return found
    path = Path(source).expanduser()
    if source and path.exists():
        return path
    if not bare:
        raise InputError([Problem(f"the inventory {source!r} does not exist", hint="give a name or a path")])
    known = sorted({entry.stem for place in places if place.is_dir() for entry in place.iterdir()})
    close = nearest(source, known)
    hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(known) or 'none'}; or give a path"
    where = " or ".join(map(str, places))
    raise InputError([Problem(f"no inventory is called {source!r} in {where}", hint=hint)])


def read(path: Path, vault: Vault, *, no_exec: bool) -> Source:
    """Reads the inventory at `path`. Raises InputError with everything that is wrong."""
    return _Loading(path, vault, no_exec).source()


class _Loading:
    def __init__(self, path: Path, vault: Vault, no_exec: bool) -> None:
        self._source = Source(path, path if path.is_dir() else path.parent)
        self._vault = vault
        self._no_exec = no_exec
        self._problems: list[Problem] = []
        self._reader = Reader(self._source.tree, self._problems)
        self._read_by_ansible = False

    def source(self) -> Source:
        source = self._source
        main = self._main_file()
        if _is_program(main):
            self._run_program(main)
        elif self._is_yaml(main):
            self._yaml(main)
        else:
            self._through_ansible(main)
        self._problems += source.tree.finish()
        if not self._read_by_ansible:  # it has read these too
            self._variables("group_vars", list(source.tree.groups))
            self._variables("host_vars", list(source.tree.hosts))
        source.rollout = self._reader.rollout
        if self._problems:
            raise InputError(list(dict.fromkeys(self._problems)))
        source.warnings += [
            f"{name} is the name of a group and of a host" for name in source.tree.hosts if name in source.tree.groups
        ]
        return source

    def _main_file(self) -> Path:
        path = self._source.path
        if not path.is_dir():
            return path
        found = [path / name for name in ("hosts.yml", "hosts.yaml", "hosts") if (path / name).is_file()]
        others = [entry for entry in sorted(path.iterdir()) if entry.suffix in YAML_ENDINGS and entry.is_file()]
        if not found and len(others) == 1:
            return others[0]
        if not found:
            raise InputError([Problem("this directory holds no hosts.yml", str(path), "write one, or name the file")])
        if len(found) > 1:
            names = " and ".join(file.name for file in found)
            raise InputError([Problem(f"this directory holds {names}", str(path), "keep one of them")])
        self._source.warnings += [
            f"{other} is not read: the inventory is {found[0]}" for other in others if other != found[0]
        ]
        return found[0]

    def _is_yaml(self, file: Path) -> bool:
        """YAML by its ending; else by its first word: INI has sections and bare host names, YAML has keys."""
        if file.suffix in YAML_ENDINGS:
            return True
        if file.suffix in (".ini", ".cfg", ".toml"):
            return False
        try:
            lines = file.read_bytes()[:65536].decode("utf-8-sig", "replace").splitlines()
        except OSError:
            return True  # reading it as YAML says what is wrong
        first = next((line.strip() for line in lines if line.strip() and line.strip()[0] not in "#;"), "")
        return (
            first == "---"
            or first.startswith(("{", HEADER))
            or first.split(" #")[0].rstrip().endswith(":")
            or not first
        )

    def _yaml(self, file: Path) -> None:
        data = self._document(file)
        if isinstance(data, Map) and "plugin" in data:
            self._through_ansible(file)
        elif data is not None or not self._problems:
            self._reader.yaml(data, self._shown(file))

    def _document(self, file: Path) -> Any:
        name = self._shown(file)
        try:
            if file.stat().st_size > loader.MAX_CHARACTERS or not file.is_file():
                raise InputError([Problem("is no regular file of at most 32 MiB", name)])
            content = file.read_bytes()
            if content.startswith(HEADER.encode()):
                self._source.vaulted.add(name)
                return loader.load(self._vault.open(content.decode("utf-8", "replace"), name), name)
            return loader.load(content, name)
        except InputError as error:
            self._problems += error.problems
        except OSError as error:
            self._problems.append(Problem(f"cannot be read: {error.strerror}", name))
        return None

    def _shown(self, file: Path) -> str:
        """The file's name in messages: as the user would type it."""
        try:
            return str(file.relative_to(Path.cwd()))
        except ValueError:
            return str(file)

    def _variables(self, folder: str, names: list[str]) -> None:
        """group_vars/NAME.yml, group_vars/NAME, or all files in group_vars/NAME/, and the same for hosts."""
        base = self._source.directory / folder
        if not base.is_dir():
            return
        entries: dict[str, list[Path]] = {}
        for entry in sorted(base.iterdir()):
            if not entry.name.startswith("."):
                entries.setdefault(_name_of(entry), []).append(entry)
        known = set(names)
        for name, found in entries.items():
            if name not in known:
                close = nearest(name, known)
                if close:
                    self._source.warnings.append(
                        f"{self._shown(found[0])} belongs to no {folder[:-5]}: did you mean {close}?"
                    )
                continue
            for entry in found:
                self._variable_files(folder, name, entry)

    def _variable_files(self, folder: str, name: str, entry: Path) -> None:
        for file in _files_below(entry):
            data = self._document(file)
            tree = self._source.tree
            owner = tree.groups[name] if folder == "group_vars" else tree.hosts[name]
            if isinstance(data, Map):
                owner.variables.append(data)
            elif data is not None:
                self._problems.append(
                    Problem("a file of variables is a mapping", f"{self._shown(file)}:1:1", "write NAME: VALUE")
                )

    def _run_program(self, file: Path) -> None:
        name = self._shown(file)
        if self._no_exec:
            self._problems.append(Problem("the inventory is a program", name, "--no-exec forbids to run it"))
            return
        argv = [str(file.resolve())]
        listing = self._json([*argv, "--list"], name)
        if isinstance(listing, Map) and "_meta" not in listing:
            self._reader.listing(listing, name)
            for host in list(self._source.tree.hosts.values()):
                answer = self._json([*argv, "--host", host.name], name)
                if isinstance(answer, Map):
                    host.variables.append(answer)
        elif listing is not None:
            self._reader.listing(listing, name)

    def _through_ansible(self, file: Path) -> None:
        name = self._shown(file)
        self._read_by_ansible = True
        if self._no_exec:
            what = "only ansible-inventory reads this kind of inventory"
            self._problems.append(Problem(what, name, "--no-exec forbids to run it"))
            return
        program = shutil.which("ansible-inventory")
        if program is None:
            what = "INI files and inventory plugins are read through ansible-inventory, which is not installed here"
            self._problems.append(Problem(what, name, "install ansible-core, or write the inventory as YAML"))
            return
        listing = self._json([program, "-i", str(file.resolve()), "--list", "--export"], name)
        if listing is not None:
            self._reader.listing(listing, name)

    def _json(self, argv: list[str], name: str) -> Any:
        """The JSON that a program prints, or None where it printed none (noted)."""
        quiet = {
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
        }
        try:
            text = programs.run(argv, self._source.directory.resolve(), env=quiet)
            return document.from_plain(json.loads(text, object_pairs_hook=_no_duplicates), name)
        except programs.ProgramFailed as error:
            self._problems.append(Problem(str(error), name, "run it by hand with --list"))
        except (ValueError, RecursionError) as error:
            self._problems.append(Problem(f"{' '.join(argv[1:])} does not print JSON: {error}", name, "run it by hand"))
        return None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"duplicate key {key!r}")
        found[key] = value
    return found


def _name_of(entry: Path) -> str:
    return entry.stem if entry.suffix in YAML_ENDINGS and not entry.is_dir() else entry.name


def _files_below(entry: Path) -> list[Path]:
    if not entry.is_dir():
        return [entry]
    files = (Path(folder) / name for folder, _, names in os.walk(entry) for name in names)
    return sorted(
        file for file in files if not file.name.startswith(".") and (file.suffix in YAML_ENDINGS or not file.suffix)
    )


def _is_program(file: Path) -> bool:
    if not (file.is_file() and os.access(file, os.X_OK)):
        return False
    try:
        with file.open("rb") as stream:
            start = stream.read(4)
    except OSError:
        return True  # execute-only
    return start.startswith(b"#!") or start == b"\x7fELF"
