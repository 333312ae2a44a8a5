"""A daemon that only a site's role knows: read back, impact, disruption guard, the way back, the dead man's switch."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.runner import HostSpec, Lab, Provision, settle

pytestmark = pytest.mark.lab

ROLE = '''"""mini: a daemon with a configuration file, a unit and a health probe."""
from typing import Literal
from provision import role
from provision.resources import File, Probe, Service, SystemdUnit
TRANSACTION = True
DISRUPTS = "mini"
UNIT = "[Service]\\\\nExecStart=/bin/sh /usr/local/sbin/minid\\\\n[Install]\\\\nWantedBy=multi-user.target\\\\n"
PROGRAM = """rm -f /run/mini.up; iptables -F INPUT
read -r said < /etc/mini.conf
case "$said" in
bad) echo "mini: bad is no word" >&2; exit 1;;
cut) iptables -A INPUT -p tcp --dport 22 --syn -j DROP;;
deaf) said=hello;;
esac
echo "$said" > /run/mini.up
exec sleep 1000000
"""
class Settings(role.Settings):
    word: str
    disrupt: Literal["never", "idle", "always"] = "idle"
def resources(facts, settings):
    yield File(path="/usr/local/sbin/minid", content=PROGRAM)
    yield SystemdUnit(name="mini.service", content=UNIT)
    yield File(path="/etc/mini.conf", content=settings.word + "\\\\n")
    yield Service(
        name="mini", files=("/etc/mini.conf",), may_cut=settings.word == "cut",
        in_use=("sh", "-c", "cat /run/mini.users 2>/dev/null || :"), timeout=10,
    )
    yield Probe(
        name="mini says its word", argv=("cmp", "/etc/mini.conf", "/run/mini.up"), fix="look at mini's log", timeout=3,
    )
'''.replace("\\\\", "\\")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab.up("site-daemon", [HostSpec("one", "bookworm")], tmp_path_factory.mktemp("site-daemon")) as up:
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    (lab.directory / "roles").mkdir()
    (lab.directory / "roles" / "mini.py").write_text(ROLE)
    found = settle(lab, {"roles": ["mini"], "mini": {"word": "hello"}})
    ended = found.apply()
    assert ended.status == 0, ended.explain()
    assert "service mini" in ended.resources("changed")
    assert found.apply().resources("changed") == []
    return found


def word(text: str) -> tuple[str, str]:
    return "--set", f"mini.word={json.dumps(text)}"


def service(ended: Any) -> Any:
    [event] = ended.of("resource", kind="service")
    return event


def test_its_users_are_named_and_waited_for(lab: Lab, provision: Provision) -> None:
    lab.host("one").write("/run/mini.users", "alice\n")
    ended = provision.apply(*word("again"))
    assert ended.status == 3
    assert "waits for the end of 1 user: alice (mini.disrupt is idle)" in service(ended)["note"]
    assert service(ended)["impact"]["level"] == "restart"
    assert lab.host("one").read("/etc/mini.conf") == "hello\n"
    lab.host("one").run("rm /run/mini.users")
    ended = provision.apply(*word("again"))
    assert (ended.status, lab.host("one").read("/run/mini.up")) == (0, "again\n"), ended.explain()


@pytest.mark.parametrize(
    ("text", "cause"),
    [("bad", "mini does not start"), ("deaf", "mini says its word"), ("cut", "nobody reached this host")],
)
def test_what_does_not_come_up_or_cuts_the_host_off_goes_back(
    lab: Lab, provision: Provision, text: str, cause: str
) -> None:
    before = provision.apply()
    assert before.status == 0, before.explain()
    ended = provision.apply(*word(text))
    assert ended.status == 1
    assert re.search(f"{cause}|cut this host off", ended.host("one")["error"]), ended.explain()
    host = lab.host("one")
    assert (host.read("/etc/mini.conf"), host.read("/run/mini.up")) == ("hello\n", "hello\n")
    assert provision.check().status == 0
