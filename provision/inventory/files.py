"""The files of an inventory, read as documents; what is wrong with one is collected in `problems`.

The law: a file in a vault is opened, and its name is noted in `vaulted`: every value from it is secret.
"""

from pathlib import Path
from typing import Any

from provision.errors import InputError, Problem
from provision.inventory import loader
from provision.inventory.vault import HEADER, Vault


class InventoryFiles:
    """Reads files, by the names that the user knows them by."""

    def __init__(self, vault: Vault, problems: list[Problem]) -> None:
        self._vault = vault
        self._problems = problems
        self.vaulted: set[str] = set()

    def text(self, file: Path) -> str | bytes | None:
        """The content of a file, out of its vault where it is in one; None where it cannot be read (noted)."""
        name = shown(file)
        try:
            if not file.is_file() or file.stat().st_size > loader.MAX_CHARACTERS:
                raise InputError([Problem("is no regular file of at most 32 MiB", name)])
            content = file.read_bytes()
            if content.startswith(HEADER.encode()):
                self.vaulted.add(name)
                return self._vault.open(content.decode("utf-8", "replace"), name)
            return content
        except InputError as error:
            self._problems += error.problems
        except OSError as error:
            self._problems.append(Problem(f"cannot be read: {error.strerror}", name))
        return None

    def document(self, file: Path, content: str | bytes | None) -> Any:
        """The data of YAML; None where there is none, or where it is wrong (noted)."""
        try:
            return None if content is None else loader.load(content, shown(file), hidden=shown(file) in self.vaulted)
        except InputError as error:
            self._problems += error.problems
            return None


def shown(file: Path) -> str:
    """The file's name in messages: as the user would type it."""
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)
