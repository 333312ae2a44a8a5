"""What the agent's tests share."""

import pytest

from .conversation import Agent


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
