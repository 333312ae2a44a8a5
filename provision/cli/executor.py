"""`--executor`: where hosts are worked on, if not in threads of this process.

The law: Dask is imported only when it is asked for. Whoever reaches a scheduler runs code on its workers, beside the
fleet's keys: off loopback only TLS with certificates will do. No secret leaves the controller with a task.
"""

import ipaddress
import os
import re
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from importlib.util import find_spec
from typing import NamedTuple

from provision.cli import hosts
from provision.cli.options import Asked
from provision.errors import InputError, Problem
from provision.rollout.order import Order, said
from provision.secrets import Secret, secrets_in

FORMS = "dask+tls://HOST:PORT, dask://127.0.0.1:PORT, dask+local or dask+local:PROCESSES"
_REMOTE = re.compile(r"dask(?P<tls>\+tls)?://(?P<host>\[[0-9a-fA-F:]+\]|[^\[\]:/@]+):(?P<port>[0-9]{1,5})")
_LOCAL = re.compile(r"dask\+local(:(?P<processes>[1-9][0-9]{0,2}))?")


class Workers(NamedTuple):
    """What `--executor` names: a scheduler as Dask writes it, or so many processes of this machine."""

    address: str | None = None
    processes: int = 0


def wanted(asked: Asked) -> Workers | None:
    """What was asked for; None: threads. Raises InputError."""
    text = asked.executor
    if text is None:
        return None
    if hosts.login(asked):
        hint = "write ansible_user, ansible_become and the passwords into the inventory: each worker reads its own"
        raise InputError([Problem("--executor does not go with -u, -b, -k and -K", hint=hint)])
    local, remote = _LOCAL.fullmatch(text), _REMOTE.fullmatch(text)
    if local is None and remote is None:
        raise InputError([Problem(f"--executor {text}: is no executor", hint=f"give {FORMS}")])
    if find_spec("distributed") is None:
        hint = "run: pip install 'provision[dask]'"
        raise InputError([Problem("--executor needs distributed, which this Python does not have", hint=hint)])
    if local is not None:
        return Workers(processes=int(local["processes"] or os.cpu_count() or 1))
    assert remote is not None
    if not remote["tls"] and not _loopback(remote["host"]):
        what = f"--executor {text}: whoever reaches a scheduler without TLS runs code beside your keys"
        raise InputError([Problem(what, hint=f"give dask+tls://{remote['host']}:{remote['port']}")])
    return Workers(f"{'tls' if remote['tls'] else 'tcp'}://{remote['host']}:{remote['port']}")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def opened(asked: Asked, selection: hosts.Selection, run: str) -> Callable[[int], Executor]:
    """The executor, ready to start; its workers have looked at the order. Raises InputError."""
    found = wanted(asked)
    if found is None:
        return ThreadPoolExecutor
    order = _order(asked, selection, run)
    from provision.rollout import spread

    if found.address is not None:
        ready = spread.connect(found.address, order)
    else:
        processes = min(found.processes, len(selection.hosts))
        forks = min(asked.forks, len(selection.hosts))
        ready = spread.local(processes, -(-forks // processes), order)
    return lambda forks: ready


def _order(asked: Asked, selection: hosts.Selection, run: str) -> Order:
    _no_secrets(asked.overrides, [secret for host in selection.hosts for secret in secrets_in(dict(host.settings))])
    return Order(
        run,
        selection.source.sources,
        tuple(host.name for host in selection.hosts),
        said(selection.hosts, selection.role_path),
        asked.roles,
        asked.overrides,
        selection.source.vault_ids,
        selection.source.ansible_config,
        asked.no_exec,
        asked.accept_new_host_keys,
    )


def _no_secrets(overrides: tuple[str, ...], secrets: list[Secret]) -> None:
    for text in overrides:
        setting, _, value = text.partition("=")
        if any(secret and secret.reveal() in value for secret in secrets):
            hint = "put it into the inventory: !secret env:NAME or file:PATH, which each worker looks up"
            raise InputError([Problem(f"--set {setting}: is a secret, and tasks carry none", hint=hint)])
