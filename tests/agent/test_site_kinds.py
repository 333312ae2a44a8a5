"""A site's own kind on a host: the example of docs/roles.md, made true, dropped, and with a fault in it."""

import base64
import os
import re
import zlib

import pytest

from tests.agent.conversation import stage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the agent works as root only")

DOCS = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "roles.md")
with open(DOCS, encoding="utf-8") as docs:
    KIND = re.search(r"```python\n(# kinds/hosts_entry\.py\n.*?)```", docs.read(), re.S).group(1)


def run(start, name, text, *resources, **more):
    agent = start(run=name, **more)
    agent.hear()
    packed = base64.b64encode(zlib.compress(text.encode("utf-8"))).decode("ascii")
    agent.plan(stage("names", *resources), modules={"agent.site.hosts_entry": packed})
    heard = agent.hear_all()
    agent.end()
    return heard


def entry(address):
    return {"kind": "site.hosts_entry", "fields": {"name": "registry.corp", "address": address}}


@pytest.fixture
def hosts(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    return path


def of(hosts):
    return KIND.replace('"/etc/hosts"', repr(str(hosts)))


def results(heard):
    return [(item["kind"], item["name"], item["outcome"]) for item in heard if item["type"] == "result"]


def test_the_example_is_made_true_once_and_goes_when_nobody_asks_for_it(start, hosts):
    asked = ("site.hosts_entry", "registry.corp")
    assert results(run(start, "1", of(hosts), entry("10.0.0.5"), check=True)) == [asked + ("would-change",)]
    assert hosts.read_text() == "127.0.0.1 localhost\n"
    assert results(run(start, "2", of(hosts), entry("10.0.0.5"))) == [asked + ("changed",)]
    assert hosts.read_text() == "127.0.0.1 localhost\n10.0.0.5 registry.corp\n"
    assert results(run(start, "3", of(hosts), entry("10.0.0.5"))) == [asked + ("ok",)]
    assert results(run(start, "4", of(hosts))) == [asked + ("changed",)]
    assert hosts.read_text() == "127.0.0.1 localhost\n"


def test_a_fault_in_it_is_told_with_its_file_and_line(start, hosts):
    broken = of(hosts).replace("if len(found) > 1:", "if found[7]:")
    (error,) = [item["error"] for item in run(start, "1", broken, entry("10.0.0.5")) if item["type"] == "result"]
    line = broken.splitlines().index("        if found[7]:") + 1
    assert error["cause"] == "kinds/hosts_entry.py:{}: IndexError: list index out of range".format(line)
    assert error["fix"] == "mend the kind"


def test_one_that_this_hosts_python_cannot_read_is_told_with_its_file_and_line(start, hosts):
    heard = run(start, "1", of(hosts) + "\nx = = 1\n", entry("10.0.0.5"))
    assert heard[-1]["type"] == "refused"
    assert heard[-1]["cause"].startswith("kinds/hosts_entry.py:{}: SyntaxError".format(len(KIND.splitlines()) + 2))
