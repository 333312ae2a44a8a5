"""What every resource is, and how it travels: fields as plain values, secrets revealed, taint set."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from provision.secrets import Secret
from provision.sentences import Spelled

AbsolutePath = Annotated[str, Spelled(r"^/", "should be an absolute path")]
Mode = Annotated[str, Spelled(r"^[0-7]{4}$", "should be four octal digits, as in 0644")]


class Resource(BaseModel):
    """One thing that a host is asked to have."""

    # A run uses a few kinds; building the validators of all of them would cost each start 30 ms.
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)
    kind: ClassVar[str]
    starts: ClassVar[bool] = False
    """A service: what undoes a resource that was dropped comes before it."""
    modules: ClassVar[tuple[str, ...]] = ()
    """Python modules beyond the standard library that the agent runs in a child for this kind (see loader.modules)."""

    def fields(self) -> dict[str, Any]:
        """The fields as they travel: secrets revealed, and `sensitive` set where there are any."""
        values = {name: _plain(value) for name, value in self}
        if "sensitive" in values:
            values["sensitive"] = values["sensitive"] or any(
                isinstance(leaf, Secret) for _, v in self for leaf in _leaves(v)
            )
        return values


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, BaseModel):
        for _, item in value:
            yield from _leaves(item)
    else:
        yield value


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, BaseModel):
        return {name: _plain(item) for name, item in value}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
