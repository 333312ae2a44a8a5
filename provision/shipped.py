"""The data that is shipped with the program: roles, templates, inventories and the tests of `verify`.

The one place that says where they are. In a clone, and for an editable install, they lie beside the package. In a wheel
they lie in the package, in provision/data/: setup.py copies them there when the wheel is built.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "data"

TOP = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
ROLES = TOP / "roles"
TEMPLATES = TOP / "templates"
INVENTORIES = TOP / "inventories"
TESTS = TOP / "tests" / "verify"


def role_path(directories: Iterable[Path]) -> list[Path]:
    """Where the roles of an inventory in these directories are looked for: beside it, then among the shipped ones."""
    return [*dict.fromkeys(directory / "roles" for directory in directories), ROLES]


def role_names(search_path: Sequence[Path]) -> list[str]:
    """The names of all roles in these folders, sorted."""
    files = (file for folder in search_path for file in folder.glob("*.py"))
    return sorted({file.stem for file in files if not file.stem.startswith("_")})
