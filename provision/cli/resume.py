"""Going on with a run: what it was asked, and which of its hosts are left.

The law: what the command line does not say is as the run was asked; a host that the run finished is not touched again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from provision import journal, report
from provision.cli.options import Asked
from provision.errors import InputError, Problem
from provision.inventory import Host, Inventory
from provision.inventory.digest import digest
from provision.journal import Past
from provision.secrets import HIDDEN, Mask

KEPT = ("limit", "waves", "max_failures", "user", "become")
"""Options that a journal keeps as they are."""


def told(asked: Asked, hosts: Iterable[Host], mask: Mask, source: Inventory) -> dict[str, Any]:
    """What a resume has to know of a run, as JSON types; no secret is in it."""
    found: dict[str, Any] = {name: getattr(asked, name) for name in KEPT}
    found["inventory"] = list(source.sources)
    found["roles"] = list(asked.roles) if asked.roles is not None else None
    found["overrides"] = [mask.text(text) for text in asked.overrides]
    found["vault_ids"] = list(source.vault_ids)
    found["ansible_config"] = source.ansible_config
    return mask.value(found) | {"digest": digest(hosts)}  # type: ignore[no-any-return]


def complete(asked: Asked) -> tuple[Asked, Past | None]:
    """What was asked, with the rest as the run to resume was asked; and that run. Raises InputError."""
    if asked.resume is None:
        return asked, None
    past = journal.find(journal.folder(), asked.resume)
    if problem := _unfit(past, asked):
        raise InputError([problem])
    kept: dict[str, Any] = {name: past.told.get(name) for name in KEPT if getattr(asked, name) is None}
    kept.pop("limit", None)  # its hosts are known by name: `@failed:last` would mean others by now
    if asked.roles is None and past.told.get("roles") is not None:
        kept["roles"] = tuple(past.told["roles"])
    if not asked.overrides:
        kept["overrides"] = tuple(past.told.get("overrides") or ())
    return replace(asked, **kept, **origins(asked, past.told)), past


def origins(asked: Asked, told: Mapping[str, Any]) -> dict[str, Any]:
    """What the command line does not say of where the input is from, as a run or a plan has it."""
    found: dict[str, Any] = {"ansible_config": told.get("ansible_config")}
    if not asked.inventory:
        found["inventory"] = tuple(told.get("inventory") or ())
    if not asked.vault_ids and not asked.vault_password_files:
        found["vault_ids"] = tuple(told.get("vault_ids") or ())
    return found


def _unfit(past: Past, asked: Asked) -> Problem | None:
    """Why the run cannot be resumed."""
    if past.told.get("verb") != "apply":
        return Problem(f"--resume {past.run}: that was no apply", hint="run it anew")
    if past.lasts():
        return Problem(f"--resume {past.run}: that run is still going on", hint="wait for its end, or end it")
    hidden = [text.partition("=")[0] for text in past.told.get("overrides") or () if HIDDEN in text]
    if hidden and not asked.overrides:
        hint = "give every --set of that run again"
        return Problem(f"--resume {past.run}: the secret of --set {hidden[0]} is not recorded", hint=hint)
    return None


def names(past: Past, chosen: Iterable[str]) -> list[str]:
    """Those of these hosts that were in the run."""
    known = set(past.hosts)
    return [name for name in chosen if name in known]


def missing(past: Past, chosen: Iterable[str]) -> list[Problem]:
    """Hosts of the run that the inventory does not have any more."""
    gone = [name for name in past.unfinished() if name not in set(chosen)]
    hint = "give --limit for those that are left"
    return [Problem(f"--resume {past.run}: the inventory has no host {name!r} any more", hint=hint) for name in gone]


def left(past: Past, hosts: list[Host], limited: bool) -> list[Host]:
    """The hosts that the run did not finish. A warning where the inventory has changed since."""
    if not limited and past.told.get("digest") != digest(hosts):
        report.warn(
            f"warning: the inventory says something else than in run {past.run}; the hosts which that run finished are "
            "not touched: run apply without --resume for those"
        )
    unfinished = set(past.unfinished())
    return [host for host in hosts if host.name in unfinished]
