"""What templates see of an inventory: a host's variables, and structures that are evaluated where they are touched.

The law: nothing is evaluated before it is read, and each value once.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from provision.inventory.document import Map, Mark, Seq
from provision.inventory.tree import HostEntry

MAGIC = ("inventory_hostname", "inventory_hostname_short", "group_names", "groups", "hostvars")
"""What a host's own variables cannot say otherwise. inventory_dir and inventory_file, they can."""
PLACES = ("inventory_dir", "inventory_file")


@dataclass
class Taint:
    """What a value was made from: a secret, one that is not known yet, a vaulted file (the place there)."""

    secret: bool = False
    unsettled: bool = False
    vaulted: Mark | None = None

    def add(self, other: "Taint") -> None:
        self.secret |= other.secret
        self.unsettled |= other.unsettled
        self.vaulted = self.vaulted or other.vaulted


@dataclass
class ReadValues:
    """What was read so far of one mapping, list or host, by key, with what it was made from."""

    read: dict[Any, tuple[Any, Taint]] = field(default_factory=dict)


class Evaluator(Protocol):
    """Who evaluates."""

    def read(self, memory: ReadValues, key: Any, compute: Callable[[], Any], label: str) -> Any: ...
    def entered(self, host: str, value: Any, at: Mark, label: str) -> Any: ...
    def own(self, entry: HostEntry) -> Map: ...
    def magic(self, entry: HostEntry, name: str) -> Any: ...


class Lazy(Mapping[Any, Any]):
    """A mapping of the inventory; each value is evaluated when it is read."""

    __slots__ = ("host_", "label_", "memory_", "raw_", "source_")

    def __init__(self, source: Evaluator, host: str, raw: Map, label: str) -> None:
        self.source_, self.host_, self.raw_, self.label_ = source, host, raw, label
        self.memory_ = ReadValues()

    def __getitem__(self, key: Any) -> Any:
        value, at, label = self.raw_[key], self.raw_.values_at[key], f"{self.label_}.{key}"
        return self.source_.read(
            self.memory_, key, lambda: self.source_.entered(self.host_, value, at, label), f"{label}, {at}"
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(self.raw_)

    def __len__(self) -> int:
        return len(self.raw_)

    def __contains__(self, key: object) -> bool:
        return key in self.raw_

    def __repr__(self) -> str:
        return repr(dict(self))


class Items(list[Any]):
    """A list of the inventory, as it was read."""

    def __init__(self, source: Evaluator, host: str, raw: Seq, label: str) -> None:
        self.host_, self.raw_ = host, raw
        super().__init__()
        for index, (item, at) in enumerate(zip(raw, raw.items_at, strict=True)):
            enter = partial(source.entered, host, item, at, f"{label}.{index}")
            self.append(source.read(ReadValues(), index, enter, f"{label}.{index}, {at}"))


class Variables(Mapping[str, Any]):
    """The variables of a host, with what Ansible adds to them."""

    def __init__(self, source: Evaluator, entry: HostEntry) -> None:
        self._source, self._entry, self._own = source, entry, source.own(entry)
        self._memory = ReadValues()

    @property
    def host(self) -> str:
        """Its name."""
        return self._entry.name

    def __contains__(self, name: object) -> bool:
        return name in MAGIC or name in self._own or (name in PLACES and self._place(str(name)) is not None)

    def __getitem__(self, name: str) -> Any:
        if name in MAGIC:
            return self._source.magic(self._entry, name)
        if name in self._own:
            value, at = self._own[name], self._own.values_at[name]
            return self._source.read(
                self._memory, name, lambda: self._source.entered(self.host, value, at, name), f"{name}, {at}"
            )
        if name not in PLACES or (found := self._place(name)) is None:
            raise KeyError(name)
        return found

    def _place(self, name: str) -> str | None:
        """Where the host is first named. Hosts of `-i a,b` are nowhere, and a plugin does not say."""
        file = os.path.abspath(self._entry.at.file)
        if not os.path.isfile(file):
            return None
        return os.path.dirname(file) if name == "inventory_dir" else file

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._own, *MAGIC, *PLACES]))

    def __len__(self) -> int:
        return len(list(iter(self)))


class Hostvars(Mapping[str, Any]):
    """The variables of each host, by name."""

    label_ = "hostvars"

    def __init__(self, hosts: Mapping[str, HostEntry], of: Callable[[str], Variables]) -> None:
        self._hosts, self._of = hosts, of

    def __getitem__(self, host: str) -> Variables:
        if host not in self._hosts:
            raise KeyError(host)
        return self._of(host)

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)
