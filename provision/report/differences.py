"""One difference between what was found and what is asked, as lines."""

from collections.abc import Iterator, Mapping
from typing import Any

from provision.report.text import Line, indented, line, value


def difference(item: Mapping[str, Any]) -> Iterator[Line]:
    """One difference: a unified diff as it is, a single value as `key: before -> after`."""
    if item.get("text"):
        for part in indented(str(item["text"])):
            yield Line(part.text, _diff_style(part.text[4:]))
    elif item["before"] == item["after"]:  # a secret: both sides say that it differs, and nothing else
        yield line(f"    {item['key']}: {value(item['after'])}", "change")
    else:
        yield line(f"    {item['key']}: {value(item['before'])} -> {value(item['after'])}", "change")


def _diff_style(text: str) -> str:
    if text.startswith(("+++", "---")):
        return "strong"
    return {"+": "added", "-": "removed", "@": "place"}.get(text[:1], "")
