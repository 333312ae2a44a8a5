"""Some values of a TOML file that others write to as well (the toolkit's config.toml): ours are as asked, all else
stays.

The law: what is written is the file as it was with these lines changed, comments and order kept; it replaces the old
one in one rename. Only plain values are known: true, numbers, "text", and lists of them; a file that has a key of
ours in any other form is refused, not guessed at.
"""

import json
import re

from ..engine.resource import Resource
from ..host.errors import Failed

SECTION = re.compile(r"^\s*\[([A-Za-z0-9_.\"-]+)\]\s*(?:#.*)?$")
PAIR = re.compile(r"^\s*([A-Za-z0-9_-]+)\s*=\s*(.*?)\s*$")


class TomlValues(Resource):
    fields = ("path", "values")

    def identity(self):
        return self.path

    def desired(self):
        return dict(self.values)

    def actual(self, system):
        text = system.text(self.path)
        if text is None:
            return None
        found = values(text)
        return {key: _value(found[key], key, self.path) if key in found else None for key in self.values}

    def apply(self, system, diff):
        text = system.text(self.path) or ""
        for key in sorted(diff):
            text = changed(text, key, self.values[key])
        system.write(self.path, text.encode("utf-8", "surrogateescape"), 0o644)


def values(text):
    """{"section.key": the value as it is written}."""
    found, section = {}, ""
    for line in text.splitlines():
        header, pair = SECTION.match(line), PAIR.match(line)
        if header:
            section = header.group(1) + "."
        elif pair:
            found[section + pair.group(1)] = pair.group(2)
    return found


def _value(written, key, path):
    bare = re.sub(r"\s+#[^\"]*$", "", written)
    try:
        return json.loads(bare)
    except ValueError:
        raise Failed(
            "{}: {} is {}, which is no plain value".format(path, key, written), "write it on one line, in double quotes"
        ) from None


def changed(text, key, value):
    """The text with one value set: its line replaced, or put after its section's head, or in a new section."""
    section, _, name = key.rpartition(".")
    line = "{} = {}".format(name, json.dumps(value))
    lines, current, head = text.splitlines(), "", 0 if not section else None
    for number, existing in enumerate(lines):
        header, pair = SECTION.match(existing), PAIR.match(existing)
        if header:
            current = header.group(1)
            head = number + 1 if current == section else head
        elif pair and current == section and pair.group(1) == name:
            lines[number] = re.match(r"\s*", existing).group() + line
            return "\n".join(lines) + "\n"
    if head is None:
        lines += ([""] if lines else []) + ["[{}]".format(section), line]
    else:
        lines.insert(head, line)
    return "\n".join(lines) + "\n"
