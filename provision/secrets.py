"""Secrets: a string that does not show itself, and a mask for what slips through.

The law: a secret leaves `Secret` only through `reveal()`, and only into the wire to the agent, an authentication
or a digest. The first net is taint (a resource made from a secret says so, and the agent shows no diff of it); the
second net is `Mask`, which hides every known value, in the encodings it travels in, from all output.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

HIDDEN = "********"
SHORTEST_MASKED = 4
"""Characters. A shorter value is not masked in text: hiding every "a" would hide the message itself."""


class Secret:
    """A string that shows itself only through `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: for the wire, an authentication or a digest, and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __getstate__(self) -> str:
        return self._value

    def __setstate__(self, state: str) -> None:
        self._value = state

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema  # noqa: PLC0415 - it is there when this is called

        def take(value: object) -> "Secret":
            if isinstance(value, Secret):
                return value
            if isinstance(value, str):
                return cls(value)
            raise ValueError("should be a secret: !secret env:NAME, file:PATH, cmd:COMMAND or prompt")

        return core_schema.no_info_plain_validator_function(
            take, serialization=core_schema.plain_serializer_function_ser_schema(lambda _: HIDDEN)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        return {"type": "string", "writeOnly": True, "description": "A secret: use the tag !secret."}


def text_of(value: "str | Secret") -> str:
    """The characters of a value that may or may not be secret. The caller keeps the taint."""
    return value.reveal() if isinstance(value, Secret) else value


def _encodings(value: str) -> Iterable[str]:
    yield value
    yield quote(value)
    yield quote(value, safe="")
    yield quote_plus(value)
    yield quote(value, safe="").replace("%", "%%")
    yield value.replace("%", "%%")
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    for line in value.splitlines():
        yield line.strip()
    raw = value.encode()
    for lead in range(3):  # base64 of "user:password" shifts with the length of what comes before
        encoded = base64.b64encode(b"\0" * lead + raw).decode().rstrip("=")
        # The first and last characters share bits with the neighbours, so they differ with the context.
        middle = encoded[(0, 2, 3)[lead] : -1]
        if len(middle) >= 2 * SHORTEST_MASKED:
            yield middle


class Mask:
    """Hides known secret values, in the encodings they travel in, from text."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        words = {word for secret in secrets for word in _encodings(secret.reveal()) if len(word) >= SHORTEST_MASKED}
        ordered = sorted(words, key=lambda word: (-len(word), word))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        dumped = [json.dumps(word)[1:-1] for word in ordered]
        self._in_json = re.compile("|".join(map(re.escape, dumped))) if ordered else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def text(self, text: str) -> str:
        """`text` with every known secret hidden; the words around it stay."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def is_in(self, dumped: str) -> bool:
        """May there be a secret in some text of this JSON, as `json.dumps` writes it?"""
        return self._in_json is not None and self._in_json.search(dumped) is not None

    def value(self, value: Any) -> Any:
        """`value` (plain JSON types) with every string in it masked."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


def secrets_in(value: Any) -> Iterator[Secret]:
    """Every secret in targets and settings: what the mask has to know."""
    if isinstance(value, Secret):
        yield value
    elif model_fields := getattr(type(value), "model_fields", None):  # pydantic's, which need not be imported
        for name in model_fields:
            yield from secrets_in(getattr(value, name))
    elif is_dataclass(value):
        for item in fields(value):
            yield from secrets_in(getattr(value, item.name))
    elif isinstance(value, Mapping):
        yield from secrets_in([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from secrets_in(item)
