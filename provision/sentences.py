"""pydantic's errors as plain sentences: what a value should be, and what was probably meant; and patterns with
words of their own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from provision.errors import nearest

SENTENCES: Mapping[str, str] = {
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "set_type": "should be a list",
    "frozen_set_type": "should be a list",
    "dict_type": "should be a mapping",
    "model_type": "should be a mapping",
    "model_attributes_type": "should be a mapping",
    "string_type": "should be text",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
}
"""By pydantic's name of the error; any other keeps pydantic's own words."""


def sentence(detail: ErrorDetails) -> str:
    """What the value should be, as a clause that follows its name."""
    if detail["type"] in SENTENCES:
        return SENTENCES[detail["type"]]
    message = re.sub(r"^(Value error|Assertion failed), ", "", detail["msg"]).strip()
    message = message.removeprefix("Input ") if message.startswith("Input should") else message
    return message[:1].lower() + message[1:] if not message[:2].isupper() else message


def meant(detail: ErrorDetails) -> str:
    """What to write in place of the value, or ""."""
    expected = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
    given = detail["input"]
    close = nearest(given, expected) if isinstance(given, str) else None
    if close:
        return f"did you mean {close!r}?"
    sort = SENTENCES.get(detail["type"], "")
    if sort == "should be text" and isinstance(given, int | float) and not isinstance(given, bool):
        return "quote it"
    if sort == "should be a list" and isinstance(given, str | int | float):
        return f"write a list: [{given}]"
    if sort == "should be a mapping" and isinstance(given, list | tuple | str):
        return _as_mapping(given)
    return ""


def _as_mapping(given: Any) -> str:
    """A list of names where a mapping is wanted: each name with an empty mapping of its own."""
    names = [given] if isinstance(given, str) else [name for name in given if isinstance(name, str)]
    return f"write a mapping: {names[0]}: {{}}" if names and names[0] else "write KEY: VALUE"


@dataclass(frozen=True)
class Spelled:
    """The spelling of a text, for `Annotated`: a pattern, as in JSON Schema, and the sentence for what does not fit."""

    pattern: str
    words: str
    """What follows the field's name: should be …, as in …"""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._fits, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"pattern": self.pattern}

    def _fits(self, value: str) -> str:
        found = re.search(self.pattern, value)
        if found is None or (
            self.pattern.endswith("$") and found.end() < len(value)
        ):  # $ is also before a last newline
            raise ValueError(self.words)
        return value
