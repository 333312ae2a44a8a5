"""The files of group_vars/ and host_vars/ beside an inventory.

The law is Ansible's: for one name the first counts that exists of NAME, NAME.yml, NAME.yaml and NAME.json; in a folder
all files count in order of name, those in its folders too, but none that is hidden or ends in ~. Links are followed.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from provision.errors import Problem, nearest
from provision.inventory.document import Map
from provision.inventory.files import InventoryFiles, shown
from provision.inventory.tree import PRIORITY, Tree

ENDINGS = (".yml", ".yaml", ".json")


class VariableFiles:
    """Reads the variables of groups and hosts into the tree. What is odd goes to `warnings`, what is wrong to
    `problems`."""

    def __init__(self, files: InventoryFiles, tree: Tree, problems: list[Problem], warnings: list[str]) -> None:
        self._files = files
        self._tree = tree
        self._problems = problems
        self._warnings = warnings

    def read(self, directory: Path, number: int) -> None:
        """What lies in the two folders of this directory, which is that of the inventory of this number."""
        folder = directory / "group_vars"
        present = _names_in(folder)
        for name, group in self._tree.groups.items() if present else ():
            group.files += ((number, found) for found in self._of(folder, present, name))
        self._strangers(folder, present, self._tree.groups)
        folder = directory / "host_vars"
        present = _names_in(folder)
        for name, host in self._tree.hosts.items() if present else ():
            host.variables += self._of(folder, present, name)
        self._strangers(folder, present, self._tree.hosts)

    def _of(self, folder: Path, present: dict[str, None], name: str) -> Iterator[Map]:
        found = [folder / f"{name}{ending}" for ending in ("", *ENDINGS) if self._has(folder, present, name + ending)]
        self._warnings += [f"{shown(path)} is not read: {shown(found[0])} is" for path in found[1:]]
        for file in self._below(found[0]) if found else ():
            data = self._files.document(file, self._files.text(file))
            if isinstance(data, Map):
                if PRIORITY in data:
                    what = f"{PRIORITY} counts only in the inventory itself; write it there"
                    self._warnings.append(f"{data.keys_at[PRIORITY]}: {what}")
                yield data
            elif data is not None:
                self._problems.append(
                    Problem("a file of variables is a mapping", f"{shown(file)}:1:1", "write NAME: VALUE")
                )

    @staticmethod
    def _has(folder: Path, present: dict[str, None], name: str) -> bool:
        """Is there such a file or folder? A name with a slash, rack1/dgx1, is a path below the folder."""
        return name in present or ("/" in name and ".." not in name and (folder / name).exists())

    def _below(self, entry: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
        """The files of a folder in order, or the one file that `entry` is."""
        if not entry.is_dir():
            yield entry
        elif (real := entry.resolve()) in above:
            self._problems.append(Problem("this link leads back to a folder that holds it", shown(entry), "remove it"))
        else:
            for inner in sorted(entry.iterdir()):
                wanted = not inner.suffix or (inner.suffix in ENDINGS and not inner.is_dir())
                if wanted and inner.exists() and not inner.name.startswith(".") and not inner.name.endswith("~"):
                    yield from self._below(inner, (*above, real))

    def _strangers(self, folder: Path, present: Iterable[str], known: Iterable[str]) -> None:
        """Files whose name is nearly that of a group or host."""
        names = set(known)
        for written in present:
            name = next((written.removesuffix(ending) for ending in ENDINGS if written.endswith(ending)), written)
            if {name, written} & names or written.startswith(".") or written.endswith("~"):
                continue
            if close := nearest(name, names):
                what = folder.name.removesuffix("_vars")
                self._warnings.append(f"{shown(folder / written)} belongs to no {what}: did you mean {close}?")


def _names_in(folder: Path) -> dict[str, None]:
    """The names of what is in a folder, in order, without links that lead nowhere; none where there is no folder."""
    return {path.name: None for path in sorted(folder.iterdir()) if path.exists()} if folder.is_dir() else {}
