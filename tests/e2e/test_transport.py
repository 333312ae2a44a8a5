"""The transports against real hosts of the lab, with the ssh_config and known_hosts that the lab writes."""

import dataclasses
from collections.abc import Iterator

import pytest

from provision.errors import ConnectionLost, Unreachable
from provision.target import Target
from provision.transport import Channel, Pool
from tests.lab import HostSpec, Lab

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    hosts = [HostSpec("one"), HostSpec("two", "trixie")]
    with Lab.up("test-transport", hosts, tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(params=["ssh", "openssh"])
def one(request: pytest.FixtureRequest, lab: Lab) -> Target:
    return Target("one", "one", connection=request.param, common_args=("-F", str(lab.ssh_config)))


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    pool.close()


def read_all(channel: Channel) -> bytes:
    read = b""
    while data := channel.receive(20):
        read += data
    return read


def output(pool: Pool, target: Target, command: str) -> bytes:
    connection = pool.connect(target)
    try:
        return read_all(connection.open(command))
    finally:
        connection.close()


def test_a_command(pool: Pool, one: Target) -> None:
    assert output(pool, one, "hostname") == b"one\n"


def test_another_release_behind_the_first(pool: Pool, one: Target) -> None:
    """bookworm's sshd in front of trixie's."""
    target = dataclasses.replace(one, name="two", address="two", common_args=(*one.common_args, "-J", "one"))
    assert output(pool, target, "hostname; echo $SSH_CONNECTION").split()[0] == b"two"


def test_a_user_that_is_not_there(pool: Pool, one: Target) -> None:
    with pytest.raises(Unreachable, match="does not let stranger in"):
        output(pool, dataclasses.replace(one, user="stranger"), "true")


def test_a_port_that_is_closed(pool: Pool, one: Target) -> None:
    with pytest.raises(Unreachable, match="refused"):
        output(pool, dataclasses.replace(one, port=2), "true")


def test_the_host_ends_the_connection(pool: Pool, one: Target) -> None:
    connection = pool.connect(one)
    channel = connection.open("kill -9 $PPID; sleep 60")
    with pytest.raises(ConnectionLost):
        read_all(channel)
    connection.close()
