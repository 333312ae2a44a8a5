"""Every login shell and every sudo, on real hosts."""

from collections.abc import Iterator

import pytest

from tests.e2e import logins
from tests.e2e.runner import HostSpec, Lab

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [HostSpec(name, "trixie", packages=logins.PACKAGES) for name in ("sudo", "sudo-rs")]
    with Lab.up("logins", specs, tmp_path_factory.mktemp("logins")) as up:
        yield up


@pytest.mark.parametrize("name", ["sudo", "sudo-rs"])
def test_each_login_gets_in_or_is_told_why_not(lab: Lab, name: str) -> None:
    host = lab.host(name)
    logins.prepare(host, rust=name == "sudo-rs")
    assert list(logins.wrong(lab, host)) == []
