"""The man page, made from the verbs and their options.

The law: nothing stands here that the code says already; what a verb is and takes comes from its declaration.
"""

from collections.abc import Iterator

import click

from provision import __version__

STATUS = (
    ("0", "every host is as asked"),
    ("1", "a host failed"),
    ("2", "bad input; nothing was touched"),
    ("3", "check found changes to make, or something waits"),
    ("130", "interrupted"),
)


def page(program: click.Group) -> Iterator[str]:
    """Lines in man(7)'s macros."""
    yield f'.TH PROVISION 1 "" "provision {__version__}" "User Commands"'
    yield from (".SH NAME", r"provision \- from a bare operating system to proven GPU containers, over SSH")
    yield from (".SH SYNOPSIS", ".B provision", r"\fIVERB\fR [\fIOPTIONS\fR]")
    yield from (".SH DESCRIPTION", *_paragraphs(program.help or ""))
    yield ".SH VERBS"
    for name, verb in sorted(program.commands.items()):
        yield from _verb(name, verb)
    yield ".SH EXIT STATUS"
    for number, meaning in STATUS:
        yield from (".TP", f".B {number}", _text(meaning))
    yield from (".SH ENVIRONMENT", ".TP", ".B PROVISION_INVENTORY", "The inventory, where no \\-i is given.")


def _verb(name: str, verb: click.Command) -> Iterator[str]:
    context = click.Context(verb, info_name=name)
    usage = " ".join(verb.collect_usage_pieces(context))
    yield from (f".SS {_text(name)} {_text(usage)}", *_paragraphs(verb.help or ""))
    for option in verb.params:
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]) or "\\&")
    if isinstance(verb, click.Group):
        for below, inner in sorted(verb.commands.items()):
            yield from _verb(f"{name} {below}", inner)


def _paragraphs(text: str) -> Iterator[str]:
    for part in text.replace("\b", "").strip().split("\n\n"):
        yield from (".PP", *(_text(line.strip()) for line in part.strip().splitlines()))


def _text(words: str) -> str:
    """As roff takes it: no command, and each hyphen is one that can be searched for."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
