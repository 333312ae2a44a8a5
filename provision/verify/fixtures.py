"""The fixtures: `host` (testinfra), `settings` (what the inventory asks, by role), `dockerd` and `gpu`.

The law: one connection a host and process, made when its first test wants it, closed after its last.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from testinfra.host import Host

from provision.verify.dockerd import Dockerd
from provision.verify.gpu import Gpu


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """testinfra's host, as root; see testinfra's own documentation for its modules."""
    hosts: Any = request.config.pluginmanager.getplugin("provision-hosts")
    found, shell = hosts.connect(request.param)
    yield found
    shell.close()


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest, host: Host) -> Mapping[str, Any]:
    """What the inventory asks of this host, by role: `settings["docker_daemon"]["bip"]`. Secrets are hidden."""
    hosts: Any = request.config.pluginmanager.getplugin("provision-hosts")
    found: Mapping[str, Any] = hosts.subjects[host.backend.get_hostname()].settings
    return found


@pytest.fixture(scope="session")
def dockerd(host: Host) -> Iterator[Dockerd]:
    """The Docker daemon as it runs, and what its containers get."""
    found = Dockerd(host)
    yield found
    found.close()


@pytest.fixture(scope="session")
def gpu(host: Host, dockerd: Dockerd) -> Gpu:
    """The host's NVIDIA GPUs, and those that a container sees."""
    return Gpu(host, dockerd)
