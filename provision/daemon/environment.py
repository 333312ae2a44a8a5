"""The Docker daemon's own proxies: `proxies` in daemon.json, a drop-in, or exported lines, whichever the engine reads.

The law: pure; a value with a password stands only in a file that root alone reads, and never in a unit's
`Environment=`, which `systemctl show` tells to everybody.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import dirname

from provision.daemon.options import PROXIES_SINCE, Version
from provision.errors import InputError, Problem
from provision.facts import Facts
from provision.resources import DaemonEnvironment, Directory, File, Key, Resource
from provision.secrets import Secret, text_of
from provision.templates import Templates

DROP_IN = "/etc/systemd/system/docker.service.d/http-proxy.conf"
ENVIRONMENT_FILE = "/etc/docker/http-proxy.env"
FILE_KEYS = {"http_proxy": "http-proxy", "https_proxy": "https-proxy", "no_proxy": "no-proxy"}


@dataclass(frozen=True)
class Proxies:
    """Where each variable goes on this host."""

    keys: tuple[Key, ...] = ()
    files: tuple[Resource, ...] = ()
    variables: tuple[tuple[str, str | Secret], ...] = ()
    """For /etc/default/docker."""
    live: tuple[tuple[str, str], ...] = ()
    """What `GET /info` should show, under daemon.json's names; without what it would hide altogether."""


def merged(environment: Sequence[tuple[str, DaemonEnvironment]]) -> dict[str, tuple[str, str | Secret]]:
    """Variable to (role, value); InputError where two roles ask for different values."""
    wanted: dict[str, tuple[str, str | Secret]] = {}
    problems = []
    for role, item in environment:
        before = wanted.setdefault(item.name, (role, item.value))
        if text_of(before[1]) != text_of(item.value):
            problems.append(
                Problem(f"{before[0]} and {role} ask for different values of the Docker daemon's {item.name}")
            )
        if re.search(r"[\x00-\x1f]", text_of(item.value)):
            problems.append(Problem(f"{role}: the value of {item.name} has a control character in it"))
    if problems:
        raise InputError(problems)
    return wanted


def place(
    environment: Sequence[tuple[str, DaemonEnvironment]], facts: Facts, version: Version, templates: Templates
) -> Proxies:
    """Each variable in its one place for this engine and init."""
    wanted = merged(environment)
    live = tuple(
        (FILE_KEYS[n.lower()], shown) for n, (_, v) in wanted.items() if n.lower() in FILE_KEYS and (shown := _shown(v))
    )
    keys: tuple[Key, ...] = ()
    if version >= PROXIES_SINCE:
        keys = tuple(
            Key(path=("proxies", FILE_KEYS[name.lower()]), value=value, role=role, secret=isinstance(value, Secret))
            for name, (role, value) in wanted.items()
            if name.lower() in FILE_KEYS
        )
        wanted = {name: item for name, item in wanted.items() if name.lower() not in FILE_KEYS}
    variables = tuple((name, value) for name, (_, value) in wanted.items())
    if facts.init != "systemd":
        return Proxies(keys=keys, variables=variables, live=live)
    return Proxies(keys=keys, files=tuple(_files(variables, templates)), live=live)


def _files(variables: tuple[tuple[str, str | Secret], ...], templates: Templates) -> list[Resource]:
    if not variables:
        return []
    plain = [(name, text_of(value)) for name, value in variables]
    # What stood there before may hold a password as well, so neither side of the diff is shown.
    if not any(isinstance(value, Secret) for _, value in variables):
        text = templates.render("docker-http-proxy.conf.j2", environment=plain, environment_file=None)
        return [Directory(path=dirname(DROP_IN)), File(path=DROP_IN, content=text, sensitive=True)]
    secret = Secret(templates.render("docker-http-proxy.env.j2", environment=plain))
    text = templates.render("docker-http-proxy.conf.j2", environment=[], environment_file=ENVIRONMENT_FILE)
    return [
        Directory(path=dirname(ENVIRONMENT_FILE)),
        Directory(path=dirname(DROP_IN)),
        File(path=ENVIRONMENT_FILE, content=secret, mode="0600", sensitive=True),
        File(path=DROP_IN, content=text, sensitive=True),
    ]


def _shown(value: str | Secret) -> str | None:
    """A proxy as Docker shows it, or None where that would show a secret."""
    text = text_of(value)
    masked = re.sub(r"^([a-z0-9+.-]+://)[^/@]*@", r"\1xxxxx:xxxxx@", text, flags=re.IGNORECASE)
    return None if isinstance(value, Secret) and masked == text else masked
