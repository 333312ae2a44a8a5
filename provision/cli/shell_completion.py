"""What a shell may offer at a place of the command line: inventories, hosts and groups, roles, settings, runs, kinds.

The law: nothing is printed and nothing goes wrong, whatever the files are like; no program is run and no secret looked
up for a Tab.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Found = Callable[[click.Context, str], Iterable[str]]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offered(find: Found, separators: str = "") -> Complete:
    """What begins as the word does, after the last separator in it."""

    def complete(context: click.Context, parameter: click.Parameter, word: str) -> list[CompletionItem]:
        head = re.match(rf".*[{separators}]", word) if separators else None
        before = head[0] if head else ""
        with contextlib.suppress(Exception, click.Abort):
            found = sorted(set(find(context, word)))
            return [CompletionItem(before + name) for name in found if name.startswith(word[len(before) :])]
        return []

    return complete


def _named(context: click.Context) -> tuple[str, ...]:
    """The inventories that the command line names so far, or those that are meant without."""
    from provision.inventory import places

    told = os.environ.get("PROVISION_INVENTORY")
    default = places.named("default", places.folders())
    return tuple(context.params.get("inventory") or filter(None, [told or (str(default) if default else None)]))


def _role_path(context: click.Context) -> list[Path]:
    from provision import shipped
    from provision.inventory import places

    names = _named(context)
    return shipped.role_path(places.find_all(names).directories if names else ())


def _inventories(context: click.Context, word: str) -> Iterable[str]:
    """Names in the folders for them; and paths, which a shell completes as well as we could."""
    from provision.inventory import places

    ends = (".yml", ".yaml", ".ini", "")
    named = [file for folder in places.folders() if folder.is_dir() for file in folder.iterdir()]
    yield from (file.stem for file in named if file.suffix in ends and not file.name.startswith((".", "_")))
    folder, _, _ = word.rpartition("/")
    for name in os.listdir(folder or "."):
        path = f"{folder}/{name}" if folder else name
        if not name.startswith("."):
            yield path + "/" if os.path.isdir(path) else path


def _hosts(context: click.Context, word: str) -> Iterable[str]:
    from provision import inventory

    found = inventory.load(*_named(context), no_exec=True)
    return (*found.hosts, *found.groups)


def _roles(context: click.Context, word: str) -> Iterable[str]:
    from provision import shipped

    return shipped.role_names(_role_path(context))


def _settings(context: click.Context, word: str) -> Iterable[str]:
    from provision import role, shipped

    path = _role_path(context)
    name, dot, _ = word.partition(".")
    if not dot:
        return [f"{found}." for found in shipped.role_names(path)]
    return [f"{name}.{field}=" for field in role.load(name, path).settings.model_fields]


def _runs(context: click.Context, word: str) -> Iterable[str]:
    from provision import journal

    return ("last", *(found.run for found in journal.runs(journal.folder())))


def _kinds(context: click.Context, word: str) -> Iterable[str]:
    from provision import site_kinds
    from provision.inventory import places
    from provision.report.settings import KINDS

    names = _named(context)
    return (*KINDS, *(path.stem for path in site_kinds.files(places.find_all(names).directories if names else ())))


inventories = _offered(_inventories)
hosts = _offered(_hosts, ":&!,")
roles = _offered(_roles)
roles_listed = _offered(_roles, ",")
settings = _offered(_settings)
runs = _offered(_runs)
kinds = _offered(_kinds)
