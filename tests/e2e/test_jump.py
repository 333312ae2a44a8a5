"""Fifty real hosts behind a jump host whose MaxStartups is the default, and some behind two: no host fails.

Nobody but the jump hosts can resolve the names of the hosts, so that there is no other way to them; where a login came
from is read in each sshd's own journal.
"""

import re
import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.runner import Ended, HostSpec, Lab, Provision, settle
from tests.lab import LabHost

pytestmark = pytest.mark.lab
NAMES = [f"behind{number:02}" for number in range(1, 51)]
FEW = NAMES[:5]
ROLE = '''
"""One file, which says as which host it was asked for."""
from provision import role
from provision.resources import File


class Settings(role.Settings):
    text: str = "hello"


def resources(facts, settings):
    yield File(path="/etc/greeting", content=settings.text + "\\n")
'''


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    hosts = [HostSpec(name) for name in ("first", "second", *NAMES)]
    with Lab.up("test-jump", hosts, tmp_path_factory.mktemp("jump")) as lab:
        (lab.directory / "roles").mkdir()
        (lab.directory / "roles" / "greeting.py").write_text(ROLE)
        yield lab


@pytest.fixture(params=["ssh", "openssh"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def behind(lab: Lab, kind: str, chain: str, names: list[str]) -> Provision:
    """An inventory whose hosts are reached through `chain` by the names that they have there."""
    config = lab.directory / "jump_config"
    own = lab.ssh_config.read_text()
    config.write_text(f"Host first\n  HostName {lab.host('first').ip}\n" + own[own.index("Host *") :])
    lab.inventory.write_text("all:\n  hosts:\n" + "".join(f"    {name}:\n" for name in names))
    arguments = f"-F {config} -o ProxyJump={chain}"
    found = settle(lab, {"roles": ["greeting"], "ansible_connection": kind, "ansible_ssh_common_args": arguments})
    found.environment = {"XDG_STATE_HOME": str(lab.directory / "state")}
    return found


def logins(host: LabHost) -> Counter[str]:
    """How often sshd there has let somebody in, by the address that they came from."""
    journal = host.run(["journalctl", "--quiet", "--output=cat", "_COMM=sshd"]).stdout
    return Counter(re.findall(r"Accepted publickey for root from (\S+)", journal))


def outcomes(ended: Ended) -> Counter[str]:
    return Counter(host["outcome"] for host in ended.summary["hosts"].values())


def test_fifty_hosts_behind_one_jump_host(lab: Lab, kind: str) -> None:
    first = lab.host("first")
    assert "maxstartups 10:30:100\n" in first.run(["sshd", "-T"]).stdout
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo(NAMES[0], 22)
    provision = behind(lab, kind, "first", NAMES)
    seen, text = logins(first), f"for kind {kind}"
    before = {name: logins(lab.host(name)) for name in FEW}
    runs = [
        provision("facts", "--forks", "64"),
        provision.apply("--forks", "64", "--set", f"greeting.text={text}"),
        provision.apply("--forks", "64", "--set", f"greeting.text={text}"),
    ]
    for run, outcome in zip(runs, ("ok", "changed", "ok"), strict=True):
        assert run.status == 0, run.explain()
        assert outcomes(run) == {outcome: 50}
    assert lab.host(NAMES[-1]).read("/etc/greeting") == f"{text}\n"
    for name in FEW:
        assert logins(lab.host(name)) - before[name] == {first.ip: 4}, "a host that changes is looked at first"
    new = logins(first) - seen
    assert set(new) == {lab.network.machine}
    if kind == "ssh":
        assert new.total() == 3, "one connection a jump host and run"


def test_behind_two_jump_hosts(lab: Lab, kind: str) -> None:
    """`first,second`: the first is the one that is connected to, and only it knows the second."""
    provision = behind(lab, kind, "first,second", FEW)
    hosts = [lab.host(name) for name in ("first", "second", FEW[0])]
    before = [logins(host) for host in hosts]
    text = f"behind two, for kind {kind}"
    run = provision.apply("--set", f"greeting.text={text}")
    assert run.status == 0, run.explain()
    assert outcomes(run) == {"changed": 5}
    assert lab.host(FEW[-1]).read("/etc/greeting") == f"{text}\n"
    each = 1 if kind == "ssh" else 10  # the look and the change, five hosts each
    ways = ({lab.network.machine: each}, {hosts[0].ip: each}, {hosts[1].ip: 2})
    for host, seen, way in zip(hosts, before, ways, strict=True):
        assert logins(host) - seen == way, host.name
