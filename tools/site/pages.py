"""Pages of the site that are made from the code: each role, all kinds, all commands, the known errors. As Markdown.

The law: nothing is written here that the code does not say; a page is a pure function of it.
"""

import ast
import functools
import html
import inspect
import json
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

import click
import known_errors  # beside this file: mkdocs loads hooks so

from provision import cli, role, shipped
from provision.agent.engine.kinds import MODULES
from provision.cli.man import STATUS
from provision.report import settings

EXAMPLE = shipped.INVENTORIES / "example" / "group_vars" / "all.yml"


def roles() -> list[role.Role]:
    """The shipped ones, in the order in which an inventory would ask for them."""
    names = shipped.role_names([shipped.ROLES])
    order = [name for name in re.findall(r"^([a-z_]+):", EXAMPLE.read_text("utf-8"), re.M) if name in names]
    return [role.load(name, [shipped.ROLES]) for name in dict.fromkeys([*order, *names])]


def role_page(asked: role.Role) -> str:
    """One role: what it is for, an example, its settings, and what `verify` looks at."""
    parts = [f"# {asked.name}", text(asked.doc), *_character(asked)]
    if example := _example(asked.name):
        parts += ["## Example", f"```yaml\n{example}\n```"]
    parts += ["## Settings", *(_field(row, 3 + row["name"].count(".")) for row in _settings(asked))]
    parts += ["## What `verify` tests", *_tests(asked.name)]
    return "\n\n".join(parts) + "\n"


def _character(asked: role.Role) -> Iterator[str]:
    if asked.needs:
        yield "It waits for " + ", ".join(f"`{name}`" for name in asked.needs) + " where that has a change to make."
    if asked.transaction:
        yield "Its resources stand or fall together: what does not come up, or cuts the host off, goes back."


def _example(name: str) -> str:
    found = re.search(rf"^{name}:.*\n(?:[ #].*\n?)*", EXAMPLE.read_text("utf-8"), re.M)
    return found[0].rstrip() if found else ""


def _tests(name: str) -> Iterator[str]:
    file = shipped.TESTS / f"{name}.py"
    if not file.exists():
        yield "There are no tests from outside of this role."
        return
    tree = ast.parse(file.read_text("utf-8"))
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    yield "\n".join(f"- {text(_sentence(node))}" for node in tests)


def _sentence(test: ast.FunctionDef) -> str:
    doc = ast.get_docstring(test)
    named = test.name.removeprefix("test_").replace("_", " ")
    return f"{named}: {doc}" if doc else named


def kinds_page() -> str:
    """Every kind of resource."""
    parts = [
        "# Kinds of resources",
        "What a role may yield: each kind with its fields and the keys of its state, which are what `--diff` shows. "
        "The verb `kinds` says the same; [a role of your own](roles.md) shows how they are used.",
    ]
    for name, kind in settings.KINDS.items():
        [line] = settings.kinds_json({name: kind})
        rows = json.loads(line.text)["fields"]
        parts += [f"## `{name}` {{ #{name} }}", text(inspect.cleandoc(kind.__doc__ or ""))]
        parts += [_fields(row for row in rows if row["name"] != "sensitive")]
        if state := _state(str(kind.model_fields["kind"].default) if "kind" in kind.model_fields else kind.kind):
            parts += [f"Keys of its state: {text(state)}"]
    return "\n\n".join(parts) + "\n"


def _state(kind: str) -> str:
    if kind not in MODULES:
        return ""
    module, name = MODULES[kind]
    found: str | None = getattr(import_module(f"provision.agent.{module}"), name).desired.__doc__
    return inspect.cleandoc(found or "")


def _fields(rows: Iterable[dict[str, Any]]) -> str:
    lines = [f"- `{row['name']}`: {text(_kind(row))}{_told(row)}" for row in rows]
    return "\n".join(lines) or "It has no fields."


def _told(row: dict[str, Any]) -> str:
    return f". {text(' '.join(row['doc'].split()))}" if row["doc"] else ""


def _field(row: dict[str, Any], level: int) -> str:
    heading = f"{'#' * min(level, 4)} `{row['name']}` {{ #{_anchor(row['name'])} }}"
    return f"{heading}\n\n*{text(_kind(row))}*{_told(row)}"


def _kind(row: dict[str, Any]) -> str:
    if row["required"]:
        return f"{row['type']}, required"
    default = row["default"]
    return row["type"] if default is None else f"{row['type']}, by default {json.dumps(default, ensure_ascii=False)}"


def commands_page() -> str:
    """Every verb with its options, and the exit statuses."""
    parts = [
        "# Commands",
        "Made from the program itself, as `provision VERB --help` and `provision man` are. Ansible's letters mean what "
        "they mean there.",
        "| exit status | |\n|---|---|\n" + "\n".join(f"| {number} | {text(meaning)} |" for number, meaning in STATUS),
    ]
    for name, verb in sorted(cli.provision.commands.items()):
        parts += _verb(name, verb)
    return "\n\n".join(parts) + "\n"


def _verb(name: str, verb: click.Command, level: int = 2) -> Iterator[str]:
    context = click.Context(verb, info_name=name)
    yield f"{'#' * level} {name}"
    usage = " ".join(verb.collect_usage_pieces(context))
    yield f"```\nprovision {name} {usage}\n```"
    for paragraph in (verb.help or "").replace("\b", "").strip().split("\n\n"):
        told, _, example = paragraph.partition("Example: ")
        if told.strip():
            yield text(" ".join(told.split()))
        if example:
            yield f"```\n{' '.join(example.split())}\n```"
    records = [parameter.get_help_record(context) for parameter in verb.params if isinstance(parameter, click.Option)]
    rows = [f"| {_cell(record[0])} | {text(record[1])} |" for record in records if record is not None]
    if rows:
        yield "\n".join(["| option | |", "|---|---|", *rows])
    if isinstance(verb, click.Group):
        for below, inner in sorted(verb.commands.items()):
            yield from _verb(f"{name} {below}", inner, level + 1)


def with_known_errors(markdown: str) -> str:
    """A document with the tables of known errors where it has a place for them."""
    before, found, after = markdown.partition("<!-- known errors -->\n")
    return before + _known_errors() + after.partition("<!-- end -->")[2] if found else markdown


def _known_errors() -> str:
    """What other programs say, what it means, and what to do: one table for each of those programs."""
    parts = []
    for title, rows in known_errors.TABLES:
        lines = [f"### {title}", "", "| it says | it means | what to do |", "|---|---|---|"]
        for said, cause, fix in known_errors.rows(rows):
            words = "<br>".join(map(_cell, said))
            lines.append(f"| {words} | {text(cause)} | {text(fix)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _cell(code: str) -> str:
    """Code in a table, where a | would be the end of the cell."""
    return f"<code>{html.escape(code, quote=False).replace('|', '&#124;')}</code>"


def text(plain: str) -> str:
    """Plain text of the code as Markdown: what stands between backticks is code, and nothing else means anything."""
    parts = plain.split("`")
    for number in range(0, len(parts), 2):
        parts[number] = re.sub(r"([\\*_\[\]{}#|])", r"\\\1", html.escape(parts[number], quote=False))
    return "`".join(parts)


def path_of(asked: role.Role) -> str:
    return f"roles/{asked.name}.md"


def every_page() -> dict[str, str]:
    """Path below the site to content."""
    made = {path_of(asked): role_page(asked) for asked in roles()}
    return made | {"kinds.md": kinds_page(), "commands.md": commands_page()}


@functools.cache
def places() -> dict[str, str]:
    """Where names of roles, settings and kinds are explained."""
    found = {name: f"kinds.html#{name}" for name in settings.KINDS}
    for asked in roles():
        page = f"roles/{asked.name}.html"
        found |= {asked.name: page} | {f"{asked.name}.{name}": f"{page}#{_anchor(name)}" for name in _names(asked)}
    return found


def _names(asked: role.Role) -> Iterator[str]:
    return (row["name"] for row in _settings(asked))


def _settings(asked: role.Role) -> list[dict[str, Any]]:
    [line] = settings.as_json([asked])
    found: list[dict[str, Any]] = json.loads(line.text)["settings"]
    return found


def _anchor(name: str) -> str:
    return name.replace("<key>", "key").replace("[]", "")
