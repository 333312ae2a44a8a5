"""A set of packages: installed in one apt transaction, at the asked versions, and held.

The law: dpkg's state decides, and where it is as asked apt is not even started. Nothing is removed, downgraded or taken
from under a hold that was not asked for: apt is told to refuse all that, and where some of it was asked for a
simulation comes first, so that what is too much is a failure before anything is touched. Scripts of packages neither
start nor stop the services of `no_start`, even if we die.
"""

import re

from ..engine import impact
from ..engine.resource import Resource, compare
from ..host.errors import Failed, TimedOut
from . import apt, apt_locks, dpkg, given, policy_rc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from ..host.system import System
    from ..types import Diff, Impact, State, Undo
    from .apt import AptChange
    from .dpkg import DpkgPackage

    Targets = List[Tuple[str, Optional[str]]]
    Env = Dict[str, str]

ABSENT = "absent"
HELD = ", held"
OPTIONS = [
    "-y",
    "-q=1",
    "--no-install-recommends",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "Dpkg::Use-Pty=0",
]
POLICY = "policy-rc.d"
HOLDS = "holds"
"""Section of state.json: packages that are held because we were asked to hold them. Any other hold is somebody's."""


class Packages(Resource):
    packages: "list[dict[str, Any]]"
    latest: bool
    hold: bool
    update: bool
    replace: "list[str]"
    conflicts: "list[str]"
    no_start: "list[str]"
    allow_downgrade: bool
    lock_timeout: int
    timeout: int

    def identity(self) -> str:
        return " ".join(item["name"] for item in self.packages)

    def _asked(self) -> "dict[str, str | None]":
        return {item["name"]: item["version"] for item in self.packages}

    def _unwanted(self) -> "list[str]":
        return [name for name in self.conflicts if name in self.replace]

    def desired(self) -> "State":
        """Each package: its version, installed or latest, with ", held"; absent for what it replaces; policy."""
        state: "State" = dict.fromkeys(self._unwanted(), ABSENT)
        for name, version in self._asked().items():
            state[name] = (version or ("latest" if self.latest else "installed")) + (HELD if self.hold else "")
        state[POLICY] = None
        return state

    def actual(self, system: "System") -> "State | None":
        """As `desired`, with what dpkg says of it. Failed for conflicts and downgrades nobody allowed."""
        found = dpkg.packages(system, list(self._asked()) + list(self.conflicts))
        self._refuse_conflicts(found)
        self._refuse_downgrades(found)
        newest = self._newest(system, found)
        state = {name: found[name].version if _there(found, name) else ABSENT for name in self._unwanted()}
        for name, version in self._asked().items():
            state[name] = self._state(found.get(name), version, newest.get(name))
        state[POLICY] = "left by an interrupted run" if policy_rc.left_behind(system) else None
        return state

    def _state(self, package: "DpkgPackage | None", asked: "str | None", newest: "str | None") -> str:
        """One package in the words of `desired` where it is as asked, else in its own."""
        if package is None or not package.present:
            return ABSENT
        held = HELD if self.hold and package.held else ""
        if not package.installed:
            return "{} ({}{})".format(
                package.version, package.status, "" if package.flag == "ok" else ", " + package.flag
            )
        if asked is not None:
            return (asked if dpkg.compare(package.version, asked) == 0 else package.version) + held
        if not self.latest:
            return "installed" + held
        if newest is None:
            return "{} (whether that is the newest is known after apt-get update){}".format(package.version, held)
        return ("latest" if dpkg.compare(package.version, newest) >= 0 else package.version) + held

    def _newest(self, system: "System", found: "dict[str, DpkgPackage]") -> "dict[str, str | None]":
        names = [name for name, version in self._asked().items() if version is None and _there(found, name)]
        if system.bundle is not None and self.latest and names:
            from . import bundled

            return bundled.newest(system, names)
        if not (self.latest and names) or self.update and not apt.updated(system):
            return {}
        return apt.candidates(system, names)

    def _refuse_conflicts(self, found: "dict[str, DpkgPackage]") -> None:
        there = [name for name in self.conflicts if name not in self.replace and _there(found, name)]
        if there:
            cause = "{} conflicts with {}, which is installed".format(self.packages[0]["name"], _listed(there, found))
            raise Failed(cause, "remove it, or allow its replacement (replace: true), then run again")

    def _refuse_downgrades(self, found: "dict[str, DpkgPackage]") -> None:
        for name, version in self._asked().items():
            if version is None or self.allow_downgrade or not _there(found, name):
                continue
            if dpkg.compare(version, found[name].version) < 0:
                cause = "{} {} is installed, and {} is older".format(name, found[name].version, version)
                raise Failed(cause, "ask for a version that is not older, or set allow_downgrade: true")

    def impact(self, system: "System", diff: "Diff") -> "Impact | None":
        """Packages bring units, so systemd reads its configuration anew; an engine's upgrade means its restart."""
        changing = [name for name in diff if name != POLICY and not _only_hold(*diff[name])]
        if not changing:
            return None
        replaced = [name for name in changing if diff[name][0] not in (None, ABSENT)]
        level = impact.RESTART if self.no_start and replaced else impact.NONE
        return impact.impact(level, changing, systemd=True)

    def apply(self, system: "System", diff: "Diff") -> None:
        """Install, hold and remove in one transaction of apt; policy-rc.d keeps services as they are."""
        apt_locks.wait(system, self.lock_timeout)  # an orphan of a run that died may still need its policy-rc.d
        policy_rc.restore(system)
        wrong = [name for name in self._asked() if name in diff and not _only_hold(*diff[name])]
        unwanted = [name for name in self._unwanted() if name in diff]
        if wrong or unwanted:
            self._install(system, wrong, unwanted)
        if self.hold:
            self._mark(system, "hold")

    def settled(self, system: "System") -> None:
        for name in self._asked() if self.hold else ():
            system.state_file.put(HOLDS, name, True)

    def foresee(self, system: "System") -> None:
        """The programs of packages that go, or become other ones: what runs them is not on disk any more."""
        for name, (before, after) in compare(self.found, self.desired()).items():
            if name != POLICY and before not in (None, ABSENT) and not _only_hold(before, after):
                system.foreseen.update(dict.fromkeys(dpkg.programs(system, name)))

    def _install(self, system: "System", wrong: "list[str]", unwanted: "list[str]") -> None:
        with policy_rc.forbidden(system, self.no_start, unwanted) as env:
            apt.repair(system, self.lock_timeout, env)
            if system.bundle is not None:
                from . import bundled

                with bundled.source(system) as where:
                    self._change(system, wrong, unwanted, None, env, where)
                return
            problem = None
            if self.update and not apt.updated(system, None):
                problem = apt.update(system, self.lock_timeout)
            if problem is not None and self.latest:
                raise problem  # old lists cannot tell what is the newest
            self._change(system, wrong, unwanted, problem, env, [])

    def _change(
        self,
        system: "System",
        wrong: "list[str]",
        unwanted: "list[str]",
        problem: "Failed | None",
        env: "Env",
        where: "list[str]",
    ) -> None:
        """`where`: options that say where apt looks, in place of the host's own sources."""
        targets = self._targets(system, wrong, where)
        removals = [name for name in unwanted if _there(dpkg.packages(system, [name]), name)]
        if targets or removals:
            with given.Noted(system, self.identity(), dict(targets)):
                self._released(system, targets, removals, problem, env, where)

    def when_removed(self, role: str) -> "Undo":
        return given.undo(role, self.identity(), self._asked(), self.timeout, self.lock_timeout)

    def _targets(self, system: "System", wrong: "list[str]", where: "list[str]") -> "Targets":
        """[(name, version or None)] of what is still to be installed, now that dpkg is whole and the lists are new."""
        found = dpkg.packages(system, self._asked())
        newest = apt.candidates(system, wrong, where or apt.NO_CACHE) if self.latest else {}
        targets = []
        for name in wrong:
            asked, package, latest = self._asked()[name], found.get(name), newest.get(name)
            if package is None or not package.installed:
                targets.append((name, asked or self._version_of_a_peer(system, name, found, where)))
            elif asked is not None and dpkg.compare(package.version, asked) != 0:
                targets.append((name, asked))
            elif asked is None and latest and dpkg.compare(package.version, latest) < 0:
                targets.append((name, None))
        return targets

    def _version_of_a_peer(
        self, system: "System", name: str, found: "dict[str, DpkgPackage]", where: "list[str]"
    ) -> "str | None":
        """A lost docker-ce-cli comes back at the version of the docker-ce that is there, where it can still be had."""
        peers = [package.version for package in found.values() if package.installed]
        if self.latest or not peers:
            return None
        versions = apt.available(system, name, where or apt.NO_CACHE)
        return next((version for version in versions if version in peers), None)

    def _released(
        self,
        system: "System",
        targets: "Targets",
        removals: "list[str]",
        problem: "Failed | None",
        env: "Env",
        where: "list[str]",
    ) -> None:
        """Simulate and install without the holds of what is to change; a failure puts them back."""
        changing = list(dict(targets)) + removals
        held = [name for name, package in dpkg.packages(system, changing).items() if package.held]
        if held:
            self._mark(system, "unhold", held)
        try:
            self._transaction(system, targets, removals, problem, env, where)
        except Failed:
            if held:
                self._mark(system, "hold", held)
            raise

    def rehearse(self, system: "System", diff: "Diff", options: "list[str]", timeout: float) -> None:
        """Raise Failed where apt would not do what `apply` is to ask of it; `options`: where it looks.

        Raises TimedOut where it does not say so within `timeout` seconds.
        """
        wrong = [name for name in self._asked() if name in diff and not _only_hold(*diff[name])]
        removals = [name for name in self._unwanted() if name in diff]
        targets = [] if dpkg.broken(system) else self._targets(system, wrong, options)
        if not targets:
            return
        words = options + self._words(targets, removals)
        held = [package for package in dpkg.packages(system, list(dict(targets)) + removals).values() if package.held]
        if held:
            words.insert(0, "--allow-change-held-packages")  # `apply` takes their holds away before
        try:
            if self._asks_for_more(removals):
                self._refuse_surprises(system, apt.simulate(system, words, timeout))
            else:
                apt.rehearse(system, words, timeout)
        except TimedOut:
            raise
        except Failed as error:
            raise _with_versions(system, error, options) from None

    def _words(self, targets: "Targets", removals: "list[str]") -> "list[str]":
        """apt-get's options and names; it refuses removals and downgrades, unless some are asked for."""
        names = [name if version is None else "{}={}".format(name, version) for name, version in targets]
        names += [name + "-" for name in removals]
        options = OPTIONS + (["--allow-downgrades"] if self.allow_downgrade else [])
        return options + ([] if self._asks_for_more(removals) else ["--no-remove"]) + ["install"] + names

    def _asks_for_more(self, removals: "list[str]") -> bool:
        """Does something go, or may it become older? apt's own refusals know no exceptions: then we look ourselves."""
        return bool(removals or self.allow_downgrade)

    def _transaction(
        self,
        system: "System",
        targets: "Targets",
        removals: "list[str]",
        problem: "Failed | None",
        env: "Env",
        where: "list[str]",
    ) -> None:
        words = where + self._words(targets, removals)
        system.progress("installing {}".format(" ".join(words[words.index("install") + 1 :])))
        try:
            if self._asks_for_more(removals):
                self._refuse_surprises(system, apt.simulate(system, words))
            if system.bundle is not None:
                from . import bundled

                bundled.bring(system, words)
            argv = ["apt-get"] + apt.NETWORK + ["-o", "DPkg::Lock::Timeout=60"] + words
            apt.change(system, argv, self.timeout, self.lock_timeout, env)
        except Failed as error:
            error = _with_versions(system, error, where)
            if problem is None or problem.cause == error.cause:
                raise error from None
            cause = "{}, and {}".format(problem.cause, error.cause)
            raise Failed(cause, problem.fix, problem.output + "\n" + error.output) from None

    def _refuse_surprises(self, system: "System", change: "AptChange") -> None:
        removed = [name for name in change.removed if name not in self.replace]
        if removed:
            cause = "apt would have to remove {}".format(", ".join(removed))
            raise Failed(cause, "remove what is in the way yourself, or ask for versions that fit it, then run again")
        older = [name for name, (now, then) in change.installed.items() if now and dpkg.compare(then, now) < 0]
        if older and not self.allow_downgrade:
            cause = "apt would have to downgrade {}".format(", ".join(older))
            raise Failed(cause, "ask for versions that fit what is installed, or set allow_downgrade: true")
        others = [name for name in change.installed if name not in self._asked()]
        held = [name for name, package in dpkg.packages(system, others).items() if package.held] if others else []
        if held:
            from . import apt_pins  # only where apt refuses

            raise apt_pins.held(held)

    def _mark(self, system: "System", verb: str, names: "list[str] | None" = None) -> None:
        """Hold or release; those that are so already are left alone."""
        found = dpkg.packages(system, names or self._asked())
        marked = sorted(name for name in found if found[name].present and found[name].held != (verb == "hold"))
        if marked:
            apt.change(system, ["apt-mark", verb] + marked, 60, self.lock_timeout, {})


def _there(found: "dict[str, DpkgPackage]", name: str) -> bool:
    return name in found and found[name].present


def _only_hold(before: str, after: str) -> bool:
    return after.endswith(HELD) and before == after[: -len(HELD)]


def _listed(names: "list[str]", found: "dict[str, DpkgPackage]") -> str:
    return ", ".join("{} {}".format(name, found[name].version) for name in names)


def _with_versions(system: "System", error: Failed, where: "list[str]") -> Failed:
    """A version that is not there: name those that are. A package that is there, and kept out: name what does that."""
    from . import apt_pins

    kept = apt_pins.unmet(system, error)
    if kept is not None:
        return kept
    kept_out = re.search(r"Package '([^']+)' has no installation candidate", error.output)
    if kept_out and apt.available(system, kept_out.group(1), where or apt.NO_CACHE):
        from . import apt_pins

        refused = apt_pins.refusal(system, kept_out.group(1))
        return apt_pins.Kept(refused.cause, refused.fix, error.output)
    match = re.search(r"Version '[^']+' for '([^']+)' was not found", error.output)
    versions = apt.available(system, match.group(1), where or apt.NO_CACHE) if match else []
    if not versions:
        return error
    fix = "ask for one that there is: {}".format(", ".join(versions[:10]))
    return Failed(error.cause, fix, error.output)
