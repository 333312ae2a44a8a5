"""What fetches for a bundle on a host: the same files as here, nothing left there, and a cut costs one file at most."""

import glob
from collections.abc import Callable
from pathlib import Path

import pytest

from provision.bundle import manifest
from provision.bundle.making import Made, Maker
from provision.bundle.needs import Member
from provision.bundle.programs import MISSING, OnHost
from provision.errors import Refused
from provision.secrets import Secret
from provision.target import Target
from provision.transport import Channel
from provision.transport.local import LocalConnection
from tests.lab.repository import AptRepository

HOST = Target("web1", "localhost", connection="local")


class Cut:
    """A connection that ends where something comes for the second time."""

    def __init__(self, what: bytes) -> None:
        self._what = what
        self._channel: Channel | None = None
        self._came = b""

    def open(self, command: str) -> "Cut":
        self._channel = LocalConnection().open(command)
        return self

    def receive(self, timeout: float) -> bytes:
        assert self._channel is not None
        before = len(self._came)
        self._came += b"" if self._came.count(self._what) > 1 else self._channel.receive(timeout)
        first, found, _ = self._came.partition(self._what)
        second = first + found + self._came[len(first + found) :].partition(self._what)[0]
        self._came = second + self._what if self._came.count(self._what) > 1 else self._came
        return self._came[before:]

    def __getattr__(self, name: str) -> object:
        return getattr(self._channel, name)


@pytest.fixture
def on_host() -> OnHost:
    return OnHost(LocalConnection(), HOST)


def left() -> list[str]:
    return glob.glob("/var/tmp/provision.*")


def test_a_bundle_fetched_on_a_host_is_the_same(
    make: Callable[..., Made], member: Callable[..., Member], bundle: Path, tmp_path: Path, on_host: OnHost
) -> None:
    make(member("app"))
    before = left()
    Maker(tmp_path / "via", lambda text: None, lambda members: on_host).make([member("app")])
    assert (tmp_path / "via" / manifest.NAME).read_bytes() == (bundle / manifest.NAME).read_bytes()
    assert left() == before


def test_a_file_that_came_whole_before_a_cut_is_not_fetched_again(
    member: Callable[..., Member], bundle: Path, repository: AptRepository
) -> None:
    def make(connection: object) -> None:
        hands = OnHost(connection, HOST)  # type: ignore[arg-type]
        Maker(bundle, lambda text: None, lambda members: hands).make([member("app")])

    make(LocalConnection())
    for path in bundle.glob("mirror/*/pool/**/*.deb"):
        path.unlink()
    with pytest.raises(Refused, match="web1: what it fetched did not come"):
        make(Cut(b"!<arch>\n"))
    assert len(list((bundle / ".parts").glob("[0-9a-f]*"))) == 1
    repository.requests.clear()
    make(LocalConnection())
    assert len([path for path in repository.requests if path.endswith(".deb")]) == 2


def test_what_a_cut_has_left_out_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="web1: what it fetched did not come"):
        OnHost(Cut(b"0000"), HOST).run(["true"], tmp_path)  # type: ignore[arg-type]


def test_a_program_that_is_missing_there_says_so(on_host: OnHost, tmp_path: Path) -> None:
    assert on_host.run(["/nowhere/program"], tmp_path).status == MISSING


def test_names_are_words_and_no_script(on_host: OnHost, tmp_path: Path) -> None:
    ran = on_host.run(["printf", "%s", "$(id) ' \" `x`"], tmp_path, ["a b/c'd"])
    assert ran.out == b"$(id) ' \" `x`"


def test_a_sudo_password_is_in_no_argv() -> None:
    asked = list[str]()

    class Listening(LocalConnection):
        def open(self, command: str) -> Channel:
            asked.append(command)
            return super().open("true")

    target = Target("web1", "localhost", connection="local", become=True, become_password=Secret("s3cret"))
    with pytest.raises(Refused, match="a script did not run there: no output"):
        OnHost(Listening(), target).run(["true"], Path("/nonexistent"))
    assert "s3cret" not in asked[0]
