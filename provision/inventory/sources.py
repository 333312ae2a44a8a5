"""Finds the inventory, tells what kind it is, and reads it with its group_vars and host_vars into a tree.

The law: a file is a program only if it says so (`#!` or an ELF header, and the executable bit), and none is run under
no_exec. All that is wrong, in all files, is reported at once.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provision import shipped
from provision.errors import InputError, Problem, nearest
from provision.inventory import document, folder, loader, programs
from provision.inventory.document import Map
from provision.inventory.files import Files, shown
from provision.inventory.ini import IniReader
from provision.inventory.structure import Reader
from provision.inventory.tree import Tree
from provision.inventory.varfiles import ENDINGS, VariableFiles
from provision.inventory.vault import Vault


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
    return tuple(dict.fromkeys((Path.cwd() / "inventories", shipped.INVENTORIES)))


def named(name: str, places: Sequence[Path]) -> Path | None:
    """The inventory of that name in the first of these folders that has it."""
    files = (place / (name + ending) for place in places for ending in (".yml", ".yaml", ""))
    return next((file for file in files if file.exists()), None)


def find(source: str, *places: Path) -> Path:
    """The file or directory that `--inventory` means: a bare name is looked for in `places` (none given: `folders()`),
    a path is taken as it is. Raises InputError."""
    places = places or folders()
    bare = source not in ("", ".", "..") and "/" not in source and not source.endswith(ENDINGS)
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
        self._files = Files(vault, self._problems)
        self._reader = Reader(self._source.tree, self._problems)
        self._ini = IniReader(self._source.tree, self._reader, self._problems)

    def source(self) -> Source:
        source = self._source
        self._inventories(self._found())
        self._problems += source.tree.finish()
        VariableFiles(self._files, source.tree, self._problems, source.warnings).read(source.directory)
        source.rollout = self._reader.rollout
        source.vaulted |= self._files.vaulted
        if self._problems:
            raise InputError(list(dict.fromkeys(self._problems)))
        source.warnings += [
            f"{name} is the name of a group and of a host" for name in source.tree.hosts if name in source.tree.groups
        ]
        return source

    def _found(self) -> list[Path]:
        path = self._source.path
        if not path.is_dir():
            return [path]
        found = folder.files(path, self._source.warnings)
        if not found:
            there = ", ".join(sorted(entry.name for entry in path.iterdir())[:10])
            what = f"this directory holds no inventory, only {there}" if there else "this directory is empty"
            raise InputError([Problem(what, str(path), "write hosts.yml in it, or name the file")])
        return found

    def _inventories(self, found: list[Path]) -> None:
        """All files in order. If one is for a plugin of Ansible's, Ansible reads them all: a plugin may need others."""
        documents = {file: self._document(file) for file in found if not folder.is_program(file)}
        if any(_is_for_ansible(file, content) for file, content in documents.items()):
            self._through_ansible(found)
            return
        for file in found:
            content = documents.get(file)
            if file not in documents:
                self._run_program(file)
            elif isinstance(content, _Ini):
                self._ini.read(content.text, shown(file))
            elif content is not _UNREADABLE:
                self._reader.yaml(content, shown(file))

    def _document(self, file: Path) -> Any:
        """The data of YAML, or the text of INI."""
        before = len(self._problems)
        content = self._files.text(file)
        if content is None:
            return _UNREADABLE
        read = self._files.document if _is_yaml(file, content) else self._ini_text
        data = read(file, content)
        return _UNREADABLE if len(self._problems) > before else data

    def _ini_text(self, file: Path, content: str | bytes) -> "_Ini | None":
        try:
            return _Ini(loader.decoded(content, shown(file)))
        except InputError as error:
            self._problems += error.problems
            return None

    def _run_program(self, file: Path) -> None:
        name = shown(file)
        if self._no_exec:
            self._problems.append(Problem("the inventory is a program", name, "--no-exec forbids to run it"))
            return
        argv = [str(file.resolve())]
        cwd = self._source.directory.resolve()
        listing = self._json([*argv, "--list"], name, cwd)
        if isinstance(listing, Map) and "_meta" not in listing:
            self._reader.listing(listing, name)
            for host in list(self._source.tree.hosts.values()):
                answer = self._json([*argv, "--host", host.name], name, cwd)
                if isinstance(answer, Map):
                    host.variables.append(answer)
        elif listing is not None:
            self._reader.listing(listing, name)

    def _through_ansible(self, found: list[Path]) -> None:
        """What only Ansible reads. Files of variables we read: so values have places, and vaults stay shut."""
        name = shown(found[0] if len(found) == 1 else self._source.path)
        if self._no_exec:
            what = "only ansible-inventory reads this kind of inventory"
            self._problems.append(Problem(what, name, "--no-exec forbids to run it"))
            return
        program = shutil.which("ansible-inventory")
        if program is None:
            what = "TOML files and inventory plugins are read through ansible-inventory, which is not installed here"
            self._problems.append(Problem(what, name, "install ansible-core, or write the inventory as YAML or INI"))
            return
        password = self._vault.password_file
        vault = ["--vault-password-file", str(password.resolve())] if password else []
        given = [word for file in found for word in ("-i", str(file.resolve()))]
        argv = [program, *given, "--list", "--export", *vault]
        if self._files.vaulted:
            self._source.vaulted.add(name)
        listing = self._json(argv, name, Path.cwd())
        if listing is not None:
            self._reader.listing(listing, name)

    def _json(self, argv: list[str], name: str, cwd: Path) -> Any:
        """The JSON that a program prints, or None where it printed none (noted)."""
        quiet = {
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
            "ANSIBLE_VARS_ENABLED": "",
        }
        try:
            text = programs.run(argv, cwd, env=quiet)
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


@dataclass(frozen=True)
class _Ini:
    text: str


_UNREADABLE = object()
"""Stands for a document that is wrong, which is noted."""


def _is_for_ansible(file: Path, content: Any) -> bool:
    return file.suffix == ".toml" or (isinstance(content, Map) and "plugin" in content)


def _is_yaml(file: Path, content: str | bytes) -> bool:
    """YAML by its ending; else by its first word: INI has sections and bare host names, YAML has keys."""
    if file.suffix in ENDINGS:
        return True
    if file.suffix in (".ini", ".cfg", ".toml"):
        return False
    first = folder.first_word(content)
    return first == "---" or first.startswith("{") or first.split(" #")[0].rstrip().endswith(":") or not first
