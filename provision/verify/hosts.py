"""Which test runs on which host, and what becomes of the tests of a host that cannot be reached.

The law: a file that is named after a role (docker_users.py) runs on the hosts that have it; another file of a site's
folder (test_disks.py) on the hosts that name that folder. A host that cannot be reached, or is lost, or hangs, is one
failure; its other tests are skipped.
"""

from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from provision.errors import HostError
from provision.transport import Pool
from provision.verify.backend import testinfra_host
from provision.verify.shell import Shell
from provision.verify.subject import Subject

LOST = "lost"
"""The property of a report that says: this is about the host, not about what the test asked."""


class Hosts:
    """The hosts of this run, as a plugin of pytest: it chooses tests, connects, and keeps one connection a host."""

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self.subjects: Mapping[str, Subject] = {subject.name: subject for subject in subjects}
        self._lost: dict[str, HostError] = {}
        self._pool = Pool()
        self._roles = {role for subject in self.subjects.values() for role in subject.roles}

    def connect(self, name: str) -> tuple[Host, Shell]:
        """testinfra's host, and the shell to close when it is done with. Raises HostError."""
        shell = Shell(self.subjects[name].target, self._pool)
        return testinfra_host(name, shell), shell

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Before all others, so that an id begins with its host: `test_x[dgx01-rest]`."""
        if "host" in metafunc.fixturenames:
            metafunc.parametrize("host", self._chosen(metafunc), indirect=True, scope="session", ids=str)

    def _chosen(self, metafunc: pytest.Metafunc) -> list[str]:
        path = metafunc.definition.path
        found = [subject for subject in self.subjects.values() if self._wanted(subject, path)]
        for mark in metafunc.definition.iter_markers("group"):
            found = [subject for subject in found if set(mark.args) & set(subject.groups)]
        for mark in metafunc.definition.iter_markers("role"):
            found = [subject for subject in found if set(mark.args) & set(subject.roles)]
        return [subject.name for subject in found]

    def _wanted(self, subject: Subject, path: Path) -> bool:
        role = role_of(path)
        if role in self._roles or not path.name.startswith("test_"):
            return role in subject.roles
        named = {folder for other in self.subjects.values() for folder in other.folders}
        inside = {folder for folder in named if path.is_relative_to(folder)}
        return not inside or bool(inside & set(subject.folders))

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Tests of no host are left out; each other one says in its report which host and role it is about."""
        left_out = [item for item in items if "host" in getattr(item, "fixturenames", ()) and not name_of(item)]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]
        for item in items:
            item.user_properties += [("host", name_of(item)), ("role", role_of(item.path))]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        name = name_of(item)
        if name in self._lost:
            pytest.skip(f"{name}: {self._lost[name].cause}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """What is wrong with the host itself is said in its own sentence, without a traceback, and once."""
        report = yield
        error = call.excinfo.value if call.excinfo is not None else None
        if isinstance(error, HostError):
            self._lost[name_of(item)] = error
            report.longrepr = str(error)
            report.user_properties.append((LOST, type(error).__name__))
        return report

    def pytest_unconfigure(self) -> None:
        self._pool.close()


def name_of(item: pytest.Item) -> str:
    """The host that a test is for; "" for one that is for none."""
    callspec: Any = getattr(item, "callspec", None)
    given = callspec.params.get("host", "") if callspec is not None else ""
    return given if isinstance(given, str) else ""


def host_in(nodeid: str, names: Iterable[str]) -> str:
    """The host in a test's id; "" for a test of none. (pytest-xdist's own groups come to nothing with pytest 9.2, whose
    ids cannot be changed.)"""
    given = nodeid.partition("[")[2].removesuffix("]")
    fitting = [name for name in names if given == name or given.startswith(f"{name}-")]
    return max(fitting, key=len, default="")


def role_of(path: Path) -> str:
    """The role that a file of tests is about, by its name: docker_users.py, or test_docker_users.py."""
    return path.stem.removeprefix("test_")
