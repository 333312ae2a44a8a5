"""Runs the tests of all hosts with pytest and xdist, and tells what they came to as events, as every other run does.

The law: a test that did not run is not ok; a host is ok only if each of its tests was. pytest is run as it comes: no
configuration file, no environment variable and no other plugin of where it is started has a say in what is verified.
"""

import contextlib
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from provision import shipped
from provision.errors import InputError, Problem
from provision.events import (
    Error,
    HostFinished,
    HostStarted,
    Outcome,
    ResourceDone,
    RoleSkipped,
    RunStarted,
    Sink,
    Summary,
    worst,
)
from provision.secrets import Mask
from provision.verify import plugin
from provision.verify.hosts import LOST, Hosts, host_in
from provision.verify.subject import Subject

TESTS = shipped.TESTS
OURS = "provision.verify.plugin"
IN_WORKERS = 2
"""Hosts from which on workers are worth their start (about a second of CPU each)."""
ENVIRONMENT = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "EXECNET_DEBUG")
"""What would change the run; execnet's would write what goes through the pipes, secrets included, to a file."""


def workers(hosts: int, forks: int) -> int:
    """Processes to run in: a host stays on one, and more than a few a core only wait for one another."""
    return 0 if hosts < IN_WORKERS else min(hosts, forks)


def verify(
    run: str, subjects: Sequence[Subject], sink: Sink, mask: Mask, *, forks: int, junit: Path | None = None
) -> Summary:
    """Run every test of these hosts; return the summary, which was sent as the last event too. Raises InputError for
    files of tests that do not load, KeyboardInterrupt. Nothing is printed; `junit` is written by pytest."""
    names = tuple(subject.name for subject in subjects)
    sink(RunStarted(run, "verify", names, check=True))
    tally = _Counts(subjects, sink, mask)
    files = list(_files(subjects))
    for subject, role in _untested(subjects):
        tally.skip(subject, role)
    if files:
        count = workers(len(subjects), forks)
        status = _pytest(files, subjects, tally, count, junit)
        if status is pytest.ExitCode.INTERRUPTED and not tally.problems:
            raise KeyboardInterrupt
        if tally.problems:
            raise InputError(tally.problems)
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise RuntimeError(f"pytest ended with {status!r}: {tally.trouble}")
    summary = tally.summary(run)
    sink(summary)
    return summary


def _files(subjects: Sequence[Subject]) -> Iterator[Path]:
    """Our own file of each role that a host has, and each file of the folders that the inventory names."""
    roles = dict.fromkeys(role for subject in subjects for role in subject.roles)
    yield from (path for role in roles if (path := TESTS / f"{role}.py").is_file())
    for folder in dict.fromkeys(folder for subject in subjects for folder in subject.folders):
        found = sorted(Path(folder).rglob("*.py"))
        yield from (path for path in found if path.name.startswith("test_") or path.stem in roles)


def _untested(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, str]]:
    for subject in subjects:
        folders = [TESTS, *map(Path, subject.folders)]
        known = {path.stem.removeprefix("test_") for folder in folders for path in folder.rglob("*.py")}
        yield from ((subject, role) for role in subject.roles if role not in known)


def _pytest(files: list[Path], subjects: Sequence[Subject], tally: "_Counts", count: int, junit: Path | None) -> Any:
    words = ["-c", os.devnull, "--rootdir", str(shipped.TOP), "--import-mode=importlib", "--strict-markers", "-p", OURS]
    words += ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:testinfra", "-p", "xdist"]
    words += ["-n", str(count), "--maxprocesses", str(count)] if count else []
    words += [f"--junitxml={junit}", "-o", "junit_suite_name=provision verify"] if junit else []
    with _untouched():
        return pytest.main([*words, "--", *map(str, files)], plugins=[_Given(subjects), tally])


@contextlib.contextmanager
def _untouched() -> Iterator[None]:
    """The environment without what would change the run; other plugins of this Python are not loaded."""
    before = {name: os.environ.pop(name) for name in ENVIRONMENT if name in os.environ}
    autoload = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        os.environ.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
        os.environ |= before | ({} if autoload is None else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": autoload})


class _Given:
    """Brings the hosts, which are known already, into the process that pytest starts in."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._subjects = subjects

    def pytest_configure(self, config: pytest.Config) -> None:
        plugin.register(config, Hosts(self._subjects))


@dataclass(eq=False)
class _Counts:
    """Turns pytest's reports into events, and counts. A plugin of the process that was started."""

    subjects: Sequence[Subject]
    sink: Sink
    mask: Mask
    problems: list[Problem] = field(default_factory=list)
    trouble: str = ""

    def __post_init__(self) -> None:
        self._outcomes: dict[str, list[Outcome]] = {subject.name: [] for subject in self.subjects}
        self._lost: dict[str, tuple[Outcome, Error]] = {}
        self._times: dict[str, tuple[float, float]] = {}
        self._first: dict[str, Error] = {}

    def skip(self, subject: Subject, role: str) -> None:
        """A role that nothing is known to test."""
        reason = f"there are no tests of it: write {role}.py in a folder named by verify_tests"
        self._outcomes[subject.name].append(Outcome.SKIPPED)
        self.sink(RoleSkipped(subject.name, role, Outcome.SKIPPED, reason))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            text = self.mask.text(str(report.longrepr)).strip()
            problem = Problem(f"the tests in {report.nodeid} do not load: {_last(text)}")
            if problem not in self.problems:
                self.problems.append(problem)

    def pytest_internalerror(self, excrepr: object) -> None:
        self.trouble = self.mask.text(str(excrepr))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Each phase of each test. First of all hooks, so that JUnit's file gets the masked text."""
        if report.longrepr is not None and self.mask:
            report.longrepr = self._masked(report.longrepr)
            report.sections = [(name, self.mask.text(text)) for name, text in report.sections]
        told = dict(report.user_properties)
        host = str(told.get("host") or host_in(report.nodeid, self._outcomes))
        self._note_time(host)
        outcome = _outcome(report)
        if outcome is None:
            return
        if host not in self._outcomes:  # a test that asks for no host says something of each
            for name in self._outcomes:
                self._tell(name, str(told.get("role", "")), report, outcome)
        elif LOST in told:
            self._lose(host, str(told[LOST]), str(report.longrepr))
        elif not (host in self._lost and outcome is Outcome.SKIPPED):
            self._tell(host, str(told.get("role", "")), report, outcome)

    def _masked(self, text: Any) -> Any:
        if isinstance(text, tuple):  # of a skipped test: (file, line, reason)
            return (text[0], text[1], self.mask.text(text[2]))
        hidden = self.mask.text(str(text))
        return text if hidden == str(text) else hidden

    def _note_time(self, host: str) -> None:
        now = time.monotonic()
        if host in self._outcomes and host not in self._times:
            self.sink(HostStarted(host))
        self._times[host] = (self._times.get(host, (now, now))[0], now)

    def _lose(self, host: str, kind: str, text: str) -> None:
        cause, _, fix = text.partition("; ")
        outcome = Outcome.UNREACHABLE if kind == "Unreachable" else Outcome.FAILED
        self._lost[host] = outcome, Error(cause, fix)

    def _tell(self, host: str, role: str, report: pytest.TestReport, outcome: Outcome) -> None:
        error = Error(_sentence(report), output=str(report.longrepr)) if outcome is Outcome.FAILED else None
        name = report.nodeid.rpartition("::")[2].replace(f"[{host}]", "").replace(f"[{host}-", "[")
        if error is not None:
            self._first.setdefault(host, Error(f"{role}: {name}: {error.cause}"))
        note = report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
        self._outcomes[host].append(outcome)
        seconds = round(report.duration, 3)
        self.sink(ResourceDone(host, role, "test", name, outcome, note=note, seconds=seconds, error=error))

    def summary(self, run: str) -> Summary:
        """Each host's end, and the run's."""
        results = {}
        for host, outcomes in self._outcomes.items():
            outcome, error = self._lost.get(host) or (worst(outcomes), self._first.get(host))
            if not outcomes and host not in self._lost:
                outcome, error = Outcome.UNKNOWN, Error("no test was run on it", "give it roles, or tests of your own")
            begin, end = self._times.get(host, (0.0, 0.0))
            counts = Counter(map(str, outcomes))
            results[host] = HostFinished(host, outcome, dict(counts), round(end - begin, 3), error)
            self.sink(results[host])
        return Summary(run, worst([result.outcome for result in results.values()]), results)


def _outcome(report: pytest.TestReport) -> Outcome | None:
    """Of the phase that decides; None for one that only goes along."""
    if report.failed:
        return Outcome.FAILED
    if report.skipped:
        return Outcome.SKIPPED
    return Outcome.OK if report.when == "call" else None


def _sentence(report: pytest.TestReport) -> str:
    """What a failed test says of itself: the assertion's message, or the last line there is."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    lines = [line for line in text.splitlines() if line.strip()]
    first = lines[0] if crash is not None and lines else _last(text)
    return re.sub(r"^(AssertionError: |Failed: )", "", first)


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("E   ").strip() if lines else "no reason given"
