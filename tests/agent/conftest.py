"""What the agent's tests share."""

import pytest

from provision.agent.docker import daemon_socket
from provision.agent.engine import kinds

from .conversation import Agent
from .one_service import FakeService, Lab


@pytest.fixture
def start(tmp_path):
    """Starts real agents, and leaves none behind."""
    agents = []

    def make(**options):
        agents.append(Agent(tmp_path, **options))
        return agents[-1]

    yield make
    for agent in agents:
        agent.process.kill()
        agent.end()


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A host with one service, whose file and start are ours to watch; this machine's own Docker is not asked."""
    lab = Lab(tmp_path)
    monkeypatch.setattr(daemon_socket, "process", lambda system: None)
    make = kinds.make

    def made(kind, fields):
        if kind != "service":
            return make(kind, fields)
        service = FakeService(**fields)
        service.world = lab.world
        return service

    monkeypatch.setattr(kinds, "make", made)
    return lab
