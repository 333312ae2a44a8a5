"""Tells of what kind the files of an inventory are, and reads them with their group_vars and host_vars into a tree.

The law: a file is a program only if it says so (`#!` or an ELF header, and the executable bit). One that was found in a
directory and not named is run only if it knows --list, as inventories do; none is run under no_exec. All that is wrong,
in all files, is reported at once.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provision.errors import InputError, Problem
from provision.inventory import document, folder, loader, programs, ranges
from provision.inventory.document import Map, Mark
from provision.inventory.files import InventoryFiles, shown
from provision.inventory.ini import IniReader
from provision.inventory.places import HostList, Place, Places
from provision.inventory.structure import StructureReader
from provision.inventory.tree import UNGROUPED, Tree
from provision.inventory.varfiles import ENDINGS, VariableFiles
from provision.inventory.vault import Vault

FILES_FIRST = "use_vars_plugins"
"""A setting of the plugin `constructed`."""
HOOKS = "move it elsewhere, or into a folder whose name begins with a dot; if it is an inventory, name it with -i"


@dataclass
class Source:
    """What was read: the tree, where it lies, and what is odd about it."""

    places: Places
    tree: Tree = field(default_factory=Tree)
    rollout: Any = None
    warnings: list[str] = field(default_factory=list)
    vaulted: set[str] = field(default_factory=set)
    """Names of files that were wholly in a vault: every value from them is secret."""


def read(places: Places, vault: Vault, *, no_exec: bool) -> Source:
    """Reads the inventories at these places as one. Raises InputError with everything that is wrong."""
    return _Loading(places, vault, no_exec).source()


class _Loading:
    def __init__(self, places: Places, vault: Vault, no_exec: bool) -> None:
        self._source = Source(places)
        self._vault = vault
        self._no_exec = no_exec
        self._problems: list[Problem] = []
        self._files = InventoryFiles(vault, self._problems)
        self._reader = StructureReader(self._source.tree, self._problems)
        self._ini = IniReader(self._source.tree, self._reader, self._problems)

    def source(self) -> Source:
        source = self._source
        found = {place: self._found(place) for place in source.places.all}
        before = len(self._problems)
        self._inventories([file for place in source.places.all for file in found[place]])
        if len(self._problems) > before:
            self._problems += [
                Problem(
                    "all files of a directory are read as inventories",
                    str(place),
                    f"to read one, name it: -i {files[0]}",
                )
                for place, files in found.items()
                if len(files) > 1
            ]
        self._problems += source.tree.finish()
        self._variable_files()
        source.rollout = self._reader.rollout
        source.vaulted |= self._files.vaulted
        if self._problems:
            raise InputError(list(dict.fromkeys(self._problems)))
        source.warnings += [
            f"{name} is the name of a group and of a host" for name in source.tree.hosts if name in source.tree.groups
        ]
        return source

    def _variable_files(self) -> None:
        """Those beside each inventory; where several lie in one directory, they count at the last of them."""
        reader = VariableFiles(self._files, self._source.tree, self._problems, self._source.warnings)
        last = {directory.resolve(): number for number, directory in enumerate(self._source.places.directories)}
        for number, directory in enumerate(self._source.places.directories):
            if last[directory.resolve()] == number:
                reader.read(directory, number)

    def _found(self, place: Place) -> list[Place]:
        if isinstance(place, HostList) or not place.is_dir():
            return [place]
        found = folder.files(place, self._source.warnings)
        if not found:
            there = ", ".join(sorted(entry.name for entry in place.iterdir())[:10])
            what = f"this directory holds no inventory, only {there}" if there else "this directory is empty"
            raise InputError([Problem(what, str(place), "write hosts.yml in it, or name the file")])
        self._problems += [
            Problem("is a program that knows no --list, so no inventory, and is not run", shown(file), HOOKS)
            for file in found
            if folder.is_program(file) and not folder.answers_list(file) and file not in self._source.places.all
        ]
        return list(found)

    def _inventories(self, found: list[Place]) -> None:
        """All files in order. If one is for a plugin of Ansible's, Ansible reads them all: a plugin may need others."""
        files = [file for file in found if isinstance(file, Path)]
        documents = {file: self._document(file) for file in files if not folder.is_program(file)}
        if self._problems:
            found = [file for file in found if file in documents]  # what is wrong is told before anything is run
        elif any(_is_for_ansible(file, content) for file, content in documents.items()):
            self._refuse_files_first(documents.values())
            self._through_ansible(found)
            return
        for file in found:
            if isinstance(file, HostList):
                self._host_list(file)
                continue
            content = documents.get(file)
            if file not in documents:
                self._run_program(file)
            elif isinstance(content, _Ini):
                self._ini.read(content.text, shown(file))
            elif content is not _UNREADABLE:
                self._reader.yaml(content, shown(file))

    def _refuse_files_first(self, contents: Iterable[Any]) -> None:
        """A plugin that wants the files of variables gets none: they are read after it, so that they have places."""
        for content in contents:
            if isinstance(content, Map) and content.get(FILES_FIRST):
                what = f"{FILES_FIRST}: files of group_vars and host_vars are not given to plugins here"
                hint = "write what the plugin needs into the inventory itself"
                self._problems.append(Problem(what, str(content.keys_at[FILES_FIRST]), hint))

    def _host_list(self, names: HostList) -> None:
        at = Mark(f"-i {names}")
        for name in filter(None, map(str.strip, names.split(","))):
            if ranges.is_range(name):
                what = f"{name} is a range: -i takes names, separated by commas"
                self._problems.append(Problem(what, at.file, "write an inventory, or each name"))
            else:
                self._reader.hosts(self._source.tree.groups[UNGROUPED], name, None, at, at)

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
        listing = self._json([*argv, "--list"], name)
        if isinstance(listing, Map) and "_meta" not in listing:
            self._reader.listing(listing, name)
            for host in list(self._source.tree.hosts.values()):
                answer = self._json([*argv, "--host", host.name], name)
                if isinstance(answer, Map):
                    host.variables.append(answer)
        elif listing is not None:
            self._reader.listing(listing, name)

    def _through_ansible(self, found: list[Place]) -> None:
        """What only Ansible reads. Files of variables we read: so values have places, and vaults stay shut."""
        alone = found[0] if len(found) == 1 else None
        name = shown(alone) if isinstance(alone, Path) else str(self._source.places)
        if self._no_exec:
            what = "only ansible-inventory reads this kind of inventory"
            self._problems.append(Problem(what, name, "--no-exec forbids to run it"))
            return
        program = shutil.which("ansible-inventory")
        if program is None:
            what = "TOML files and inventory plugins are read through ansible-inventory, which is not installed here"
            self._problems.append(Problem(what, name, "install ansible-core, or write the inventory as YAML or INI"))
            return
        vault = [word for known in self._vault.identities for word in ("--vault-id", str(known)) if not known.asked]
        given = [word for file in found for word in ("-i", file if isinstance(file, HostList) else str(file.resolve()))]
        argv = [program, *given, "--list", "--export", *vault]
        if self._files.vaulted:
            self._source.vaulted.add(name)
        listing = self._json(argv, name)
        if listing is not None:
            self._reader.listing(listing, name)

    def _json(self, argv: list[str], name: str) -> Any:
        """The JSON that a program prints where the user stands, or None where it printed none (noted)."""
        quiet = {
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
            "ANSIBLE_VARS_ENABLED": "",
        }
        try:
            text = programs.run(argv, Path.cwd(), env=quiet)
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
    """YAML by its ending, or, without one, by its first line."""
    first = folder.first_line(content)
    return file.suffix in ENDINGS or (not file.suffix and (folder.begins_yaml(first) or not first))
