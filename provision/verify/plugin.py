"""The pytest plugin: `--provision-inventory NAME|PATH` gives tests the fixtures host, settings, dockerd and gpu.

The law: without an inventory it does nothing at all, since it is loaded into every pytest run beside which provision is
installed. Secrets are resolved once, in the process that was started; workers of xdist get theirs through their pipe.
"""

from typing import Any

import pytest

HANDED = "provision_subjects"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("provision", "hosts of an inventory")
    group.addoption("--provision-inventory", metavar="NAME|PATH", help="run tests on the hosts of this inventory")
    group.addoption("--provision-limit", metavar="PATTERN", help="only on these, as in dgx:&rack1:!dgx07")


def pytest_configure(config: pytest.Config) -> None:
    # Known without an inventory too, so that --strict-markers takes files that are only collected.
    config.addinivalue_line("markers", "group(name, ...): only on hosts of one of these groups of the inventory")
    config.addinivalue_line("markers", "role(name, ...): only on hosts that have one of these roles")
    handed = getattr(config, "workerinput", {}).get(HANDED)
    name = config.getoption("provision_inventory", None)
    if handed is None and name is None:
        return
    from provision.verify.hosts import Hosts  # noqa: PLC0415 - pydantic, for nobody who did not ask
    from provision.verify.subject import unwired  # noqa: PLC0415

    found = [unwired(data) for data in handed] if handed is not None else _read(config, name)
    register(config, Hosts(found))


def register(config: pytest.Config, hosts: Any) -> None:
    """Give the tests of this process these hosts."""
    from provision.verify import fixtures  # noqa: PLC0415

    config.pluginmanager.register(hosts, "provision-hosts")
    config.pluginmanager.register(fixtures, "provision-fixtures")
    config.pluginmanager.register(_Workers(hosts.subjects), "provision-workers")


class _Workers:
    """Gives xdist's workers the hosts (`workerinput` goes to their stdin, and to no argv, environment or file), and
    keeps all tests of a host on one worker."""

    def __init__(self, subjects: Any) -> None:
        self._names = list(subjects)
        self._wired = [subject.wired() for subject in subjects.values()]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        from provision.verify.scheduling import HostScheduling  # noqa: PLC0415

        return HostScheduling(config, log, self._names)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[HANDED] = self._wired


def _read(config: pytest.Config, name: str) -> Any:
    from provision import inventory, shipped  # noqa: PLC0415
    from provision.errors import InputError  # noqa: PLC0415
    from provision.verify.subject import subjects  # noqa: PLC0415

    try:
        source = inventory.load(name, config=inventory.ansible_config.read())
        names = source.select(config.getoption("provision_limit"))
        return subjects(source, names, shipped.role_path(source.directories))
    except InputError as error:
        raise pytest.UsageError(*map(str, error.problems)) from None
