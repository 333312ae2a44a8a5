"""What is asked before the first change anywhere: what only the controller can tell, from the facts of all hosts.

The law: pure. A question has one answer a host; what it does not apply to is `n/a`, and what cannot be told is
`unknown`, which keeps a host out as a `fail` does. What a role refuses by itself is not asked again. The questions that
only the host can answer are the agent's (agent/preflight/).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from provision.agent.docker.flags import values
from provision.daemon.command_line import expand
from provision.daemon.options import FILE_SINCE, OPTIONS, version_of
from provision.events import Error, Outcome, Preflight, Verdict
from provision.facts import Facts
from provision.preflight import subnets
from provision.role import Settings

if TYPE_CHECKING:
    from provision.agent.types import Asks

SKEW_WARN, SKEW_FAIL = 30.0, 300.0
"""Seconds between two clocks. Beyond the second, certificates and the dates of package lists are not valid any more."""
OLDEST = {"ubuntu": (18, 4), "debian": (10,)}
FOLDED = frozenset({"default-runtime", "features", "runtimes", "proxies"})
"""Keys that other roles bring to daemon.json; the fold moves flags that are in their way."""


@dataclass(frozen=True)
class AskedSettings:
    """What the questions on a host are about and the host cannot know. Travels with the plan."""

    storage_driver: str | None = None
    containerd_store: bool | None = None
    """features.containerd-snapshotter, where it is set."""
    data_root: str | None = None

    def wired(self, deferred: list[str]) -> "Asks":
        """As it travels; `deferred`: roles that are planned when their turn comes."""
        return {
            "storage_driver": self.storage_driver,
            "containerd_store": self.containerd_store,
            "data_root": self.data_root,
            "deferred": deferred,
        }


def wanted(daemon: Settings | None) -> AskedSettings:
    """For one host, from the settings of the role that its daemon belongs to; None where that is not in the run."""
    asked = _daemon(daemon)
    features = (asked.get("extra") or {}).get("features")
    store = features.get("containerd-snapshotter") if isinstance(features, Mapping) else None
    return AskedSettings(
        storage_driver=asked.get("storage_driver"),
        containerd_store=store if isinstance(store, bool) else None,
        data_root=asked.get("data_root"),
    )


def _daemon(given: Settings | None) -> Mapping[str, Any]:
    """What the host is asked of its daemon; {} where that is not in the run."""
    return given.model_dump(mode="json", exclude_none=True) if given is not None else {}


@dataclass(frozen=True)
class Seen:
    """What a host said of itself in the first look: its facts, and by our clock when."""

    facts: Mapping[str, Any]
    at: float


@dataclass(frozen=True)
class Candidate:
    """A host that has something to change."""

    host: str
    roles: Collection[str]
    """Its roles in this run."""
    daemon: Settings | None = None
    """Of these the settings of the one that the Docker daemon belongs to."""
    installs: bool = False
    """Is one among them that installs Docker?"""


def judge(
    candidates: Sequence[Candidate], seen: Mapping[str, Seen], addresses: Mapping[str, str]
) -> Mapping[str, list[Preflight]]:
    """The answers to the controller's questions, for each candidate in order.

    `seen` are all hosts of the run that could be looked at; `addresses` is where each of all its hosts is connected to.
    """
    fleet = subnets.HostNetworks({host: item.facts for host, item in seen.items()}, addresses)
    return {item.host: _whole(item, seen.get(item.host), fleet) for item in candidates}


def _whole(candidate: Candidate, seen: Seen | None, fleet: subnets.HostNetworks) -> list[Preflight]:
    try:
        return list(_answers(candidate, seen, fleet))
    except Exception as error:  # a bug of ours, with what one host says, must not end the others' run
        text, fix = f"cannot be told: {type(error).__name__}: {error}", "this is a bug of provision: please report it"
        return [Preflight(candidate.host, "facts", Verdict.UNKNOWN, text, fix)]


def _answers(candidate: Candidate, seen: Seen | None, fleet: subnets.HostNetworks) -> Iterator[Preflight]:
    host = candidate.host
    if seen is None:
        text = "this host has no python3 yet: most questions are asked once that is there, and before anything else"
        yield Preflight(host, "python", Verdict.WARN, text, "apply to few hosts first (--waves)")
        yield _subnets(candidate, fleet, None)
        return
    try:
        facts = Facts.model_validate(seen.facts)
    except ValidationError:  # a session takes no such facts
        yield Preflight(host, "system", Verdict.NOT_APPLICABLE, "the host tells nothing of itself")
        return
    yield _system(host, facts)
    yield _clock(host, facts, seen.at)
    yield _subnets(candidate, fleet, facts)
    yield _flags(candidate, facts)


def _system(host: str, facts: Facts) -> Preflight:
    name = facts.os.name or facts.os.id or "an unknown system"
    told = f"{name}, Linux {facts.kernel}, {facts.architecture}, {facts.init}"
    oldest = OLDEST.get(facts.os.id)
    if oldest is None:
        fix = "try it on one host first: provision is made for Ubuntu, Debian and DGX OS"
        return Preflight(host, "system", Verdict.WARN, f"{name} is none of the systems that this is tested with", fix)
    version = version_of(facts.os.version_id)
    if version and version < oldest:
        least = ".".join(f"{part:02d}" for part in oldest)
        text = f"{name} is older than {least}, the first version that this is tested with"
        return Preflight(host, "system", Verdict.WARN, text, "upgrade the system, or try it on one host first")
    return Preflight(host, "system", Verdict.PASS, told)


def _clock(host: str, facts: Facts, at: float) -> Preflight:
    if facts.time is None:
        return Preflight(host, "clock", Verdict.NOT_APPLICABLE, "the host does not tell its time")
    skew = facts.time - at
    told = f"the host's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the controller's"
    fix = "set it right: timedatectl set-ntp true, or chronyc makestep"
    if abs(skew) > SKEW_FAIL:
        return Preflight(
            host, "clock", Verdict.FAIL, f"{told}, so that certificates and package lists do not hold", fix
        )
    if abs(skew) > SKEW_WARN:
        return Preflight(host, "clock", Verdict.WARN, told, fix)
    return Preflight(host, "clock", Verdict.PASS, "the host's clock is right")


def _subnets(candidate: Candidate, fleet: subnets.HostNetworks, facts: Facts | None) -> Preflight:
    host, question = candidate.host, "subnets"
    networks = subnets.asked(_daemon(candidate.daemon))
    implied = not networks and candidate.installs and facts is not None and _fresh(facts)
    if implied:
        networks = [("Docker's own choice", subnets.FIRST)]
    if not networks:
        return Preflight(host, question, Verdict.NOT_APPLICABLE, "no subnet is asked for here")
    found = sorted(fleet.findings(host, networks), key=lambda finding: not finding.fatal)
    if not found:
        named = ", ".join(str(network) for _, network in networks)
        return Preflight(host, question, Verdict.PASS, f"{named}: no host of this run needs an address in there")
    first, more = found[0], f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    fix = "choose another network (docker_daemon.bip, default_address_pools)"
    verdict = Verdict.FAIL if first.fatal and not implied else Verdict.WARN
    return Preflight(host, question, verdict, first.text + more, fix)


def _fresh(facts: Facts) -> bool:
    """Will Docker choose its first subnet by itself?"""
    return facts.docker.version is None and not {"bip", "default-address-pools"} & facts.docker.configured.keys()


def _flags(candidate: Candidate, facts: Facts) -> Preflight:
    """One option as a flag and in daemon.json keeps Docker from starting, even where it runs now."""
    host, question, docker = candidate.host, "flags", facts.docker
    unit = docker.unit if facts.init == "systemd" else None
    if candidate.daemon is None or docker.version is None:
        return Preflight(host, question, Verdict.NOT_APPLICABLE, "no daemon's options are changed here")
    given = values(expand(unit.exec_start[1:], unit.variables)) if unit else {}
    if unit.reads_default_file if unit else facts.init != "systemd":
        given = given | values(docker.default_options)
    stays = {key: value for key, value in docker.configured.items() if not _goes(docker.written.get(key), candidate)}
    twice = _twice(stays, given, _daemon(candidate.daemon), docker.version)
    if not twice:
        return Preflight(host, question, Verdict.PASS, "no option stands both as a flag and in daemon.json")
    text = f"{', '.join(twice)} in {docker.config} stands as a flag of the daemon, too: Docker would not start"
    where = f" ({unit.exec_start_from})" if unit and unit.exec_start_from else ""
    return Preflight(host, question, Verdict.FAIL, text, f"remove it from the file, or the flag{where}")


def _goes(writers: Sequence[str] | None, candidate: Candidate) -> bool:
    """Is a key of daemon.json ours, and of roles of this run alone? Then it is moved, or taken out where none asks."""
    return bool(writers) and set(writers or ()) <= set(candidate.roles)


def _twice(
    configured: Mapping[str, Any], given: Mapping[str, Any], asked: Mapping[str, Any], version: str
) -> list[str]:
    """daemon.json's keys that are flags as well, and that the fold does not move out of each other's way."""
    if version_of(version) < FILE_SINCE:
        return []
    moved = {name.replace("_", "-") for name in asked} | set(asked.get("extra") or ()) | FOLDED
    keys = [key for key in configured if key in OPTIONS and OPTIONS[key].flag in given]
    return sorted(key for key in keys if key not in moved)


def verdict(answers: Sequence[Preflight], changed: str = "nothing") -> tuple[Outcome, Error] | None:
    """How a host ends that must not be touched, and why; None where it may be. `changed`: what was done until here."""
    bad = [item for item in answers if item.verdict is Verdict.FAIL]
    bad += [item for item in answers if item.verdict is Verdict.UNKNOWN]
    if not bad:
        return None
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    outcome = Outcome.FAILED if bad[0].verdict is Verdict.FAIL else Outcome.UNKNOWN
    return outcome, Error(f"preflight: {bad[0].question}: {bad[0].text}{more}; {changed} was changed", bad[0].fix)


__all__ = ["AskedSettings", "Candidate", "Seen", "judge", "verdict", "wanted"]
