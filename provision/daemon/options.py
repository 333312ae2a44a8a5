"""The Docker daemon's options: daemon.json key, flag, form of the value, and the versions that have it.

The law: a table and pure functions on it. From the json tags and flags of Docker's own releases 1.10 to 29.
An option that is not in the table is passed through to daemon.json unchecked; engines before 17.06 cannot take it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from provision.agent.docker.flags import normal

Version = tuple[int, ...]

FILE_SINCE: Version = (17, 6)
"""From here on daemon.json takes every option; before, default-ulimits in it stops the daemon (moby#32528)."""
PROXIES_SINCE: Version = (23,)
VALIDATE_SINCE: Version = (23,)
"""`dockerd --validate`."""

MAPS = frozenset({"default-ulimits", "runtimes", "log-opts", "features", "proxies"})
"""Keys whose entries belong to different owners: asked, compared and removed entry by entry."""


def version_of(text: str) -> Version:
    """`20.10.24+dfsg1` as (20, 10, 24); what is no number ends it."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, match.group().split("."))) if match else ()


def _scalar(value: Any) -> list[str]:
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)]


def _list(value: Any) -> list[str]:
    return [str(item) for item in value]


def _pairs(value: Any) -> list[str]:
    return [f"{name}={item}" for name, item in value.items()]


def _ulimits(value: Any) -> list[str]:
    return [f"{name}={item['Soft']}:{item['Hard']}" for name, item in value.items()]


def _runtimes(value: Any) -> list[str]:
    return [f"{name}={item['path']}" for name, item in value.items()]


def _pools(value: Any) -> list[str]:
    return [f"base={item['base']},size={item['size']}" for item in value]


@dataclass(frozen=True)
class Option:
    """One option: how it is written as a flag, and which engines have it."""

    flag: str
    """Without the dashes."""
    form: Callable[[Any], list[str]] = _scalar
    """daemon.json's value as the values of the flag, one for each time it is given."""
    since: Version = (1, 10)
    until: Version | None = None
    """The first version that does not have it any more."""
    both: bool = False
    """May stand as a flag and in daemon.json at once (modern engines)."""
    reload: Version | None = None
    """From which version on SIGHUP is enough where daemon.json adds or changes it; None: a restart. What SIGHUP no
    longer finds there it leaves as it was (daemon/reload.go), so taking an option away is a restart always."""
    outlived: bool = False
    """Do containers outlive a restart that changes it, with live-restore? Not where bridge or storage change."""

    @property
    def repeatable(self) -> bool:
        return self.form is not _scalar


OPTIONS: dict[str, Option] = {
    "bip": Option("bip"),
    "bridge": Option("bridge"),
    "cdi-spec-dirs": Option("cdi-spec-dir", _list, since=(25,), outlived=True),
    "data-root": Option("data-root", since=(17, 5)),
    "debug": Option("debug", reload=(1, 10), outlived=True),
    "default-address-pools": Option("default-address-pool", _pools, since=(18, 6)),
    "default-runtime": Option("default-runtime", since=(1, 12), reload=(1, 12), outlived=True),
    "default-shm-size": Option("default-shm-size", since=(17, 5), reload=(17, 5), outlived=True),
    "default-ulimits": Option("default-ulimit", _ulimits, since=(1, 6), outlived=True),
    "disable-legacy-registry": Option("disable-legacy-registry", since=(1, 8), until=(17, 12)),
    "dns": Option("dns", _list, outlived=True),
    "dns-opts": Option("dns-opt", _list, outlived=True),
    "dns-search": Option("dns-search", _list, outlived=True),
    "exec-opts": Option("exec-opt", _list),
    "experimental": Option("experimental", since=(1, 13), outlived=True),
    "features": Option("feature", _pairs, since=(18, 9), outlived=True),
    "fixed-cidr": Option("fixed-cidr"),
    "graph": Option("graph", until=(17, 6)),
    "hosts": Option("host", _list),
    "icc": Option("icc"),
    "insecure-registries": Option("insecure-registry", _list, reload=(1, 13), outlived=True),
    "ip-forward": Option("ip-forward"),
    "ip-masq": Option("ip-masq"),
    "iptables": Option("iptables"),
    "labels": Option("label", _list, reload=(1, 10), outlived=True),
    "live-restore": Option("live-restore", since=(1, 12), reload=(1, 12), outlived=True),
    "log-driver": Option("log-driver", outlived=True),
    "log-level": Option("log-level", outlived=True),
    "log-opts": Option("log-opt", _pairs, outlived=True),
    "max-concurrent-downloads": Option("max-concurrent-downloads", since=(1, 12), reload=(1, 12), outlived=True),
    "max-concurrent-uploads": Option("max-concurrent-uploads", since=(1, 12), reload=(1, 12), outlived=True),
    "mtu": Option("mtu"),
    "registry-mirrors": Option("registry-mirror", _list, reload=(17, 4), outlived=True),
    "runtimes": Option("add-runtime", _runtimes, since=(1, 12), both=True, reload=(1, 12), outlived=True),
    "shutdown-timeout": Option("shutdown-timeout", since=(1, 13), reload=(1, 13), outlived=True),
    "storage-driver": Option("storage-driver"),
    "storage-opts": Option("storage-opt", _list),
    "userland-proxy": Option("userland-proxy"),
}

BY_FLAG = {option.flag: key for key, option in OPTIONS.items()}


def same(flag: str, given: Sequence[str], asked: Sequence[str]) -> bool:
    """Do these values of a flag mean the same? The last one counts, or all of them where it is repeatable."""
    key = BY_FLAG.get(flag)
    left, right = ([normal(flag, value) for value in values] for values in (given, asked))
    if key is not None and OPTIONS[key].repeatable:
        return sorted(left) == sorted(right)
    return left[-1:] == right[-1:]
