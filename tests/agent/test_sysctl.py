"""Settings of the kernel: live and at boot."""

import pytest

from provision.agent.engine.resource import converge
from provision.agent.kernel import sysctl
from provision.agent.kernel.sysctl import Sysctl

from .rooted import Rooted, answer

NAME = "net.ipv4.ip_local_port_range"
LIVE = "/proc/sys/net/ipv4/ip_local_port_range"
FILE = "/etc/sysctl.d/60-provision-net.ipv4.ip_local_port_range.conf"


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    host.put(LIVE, "32768\t60999\n")
    host.put("/etc/sysctl.d/README", "")
    return host


def port_range(value="1024 65000"):
    return Sysctl(name=NAME, value=value)


def takes(value):
    def run(system, argv):
        system.put(LIVE, value + "\n")
        return answer()

    return run


def test_live_and_at_boot_and_tabs_are_blanks(host):
    host.commands = [(["sysctl", "-w", NAME + "=1024 65000"], takes("1024\t65000"))]
    assert converge(port_range(), host, False)["outcome"] == "changed"
    host.done()
    assert host.text(FILE) == NAME + " = 1024 65000\n"
    assert converge(port_range("1024 \t65000"), host, False)["outcome"] == "ok"


def test_a_live_value_that_was_changed_by_hand_is_set_again(host):
    host.put(FILE, NAME + " = 1024 65000\n")
    host.commands = [(["sysctl", "-w"], takes("1024\t65000"))]
    result = converge(port_range(), host, False)
    assert result["diff"] == [{"key": "live", "before": "32768 60999", "after": "1024 65000"}]
    assert result["outcome"] == "changed"


def test_a_value_that_the_kernel_refuses_is_in_no_file(host):
    host.commands = [(["sysctl", "-w"], answer(status=255))]
    assert converge(port_range("x"), host, False)["outcome"] == "failed"
    assert host.stat(FILE) is None


def test_a_value_that_the_kernel_takes_otherwise_is_a_failure(host):
    host.commands = [(["sysctl", "-w"], takes("7 8"))]
    assert converge(port_range(), host, False)["outcome"] == "failed"


def test_a_setting_that_this_kernel_lacks(host):
    resource = Sysctl(name="net.no.such", value="1")
    assert converge(resource, host, True)["outcome"] == "would-change", "a module may bring it"
    assert "no setting" in converge(resource, host, False)["error"]["cause"]


@pytest.mark.parametrize("path", ["/etc/sysctl.conf", "/usr/lib/sysctl.d/99-x.conf"])
def test_a_file_that_wins_at_boot_is_named(host, path):
    host.put(path, "# a comment\n-net/ipv4/ip_local_port_range = 5 6\n")
    assert path in converge(port_range(), host, False)["error"]["cause"]
    host.put(path, NAME + "=1024\t65000\n")
    assert converge(port_range(), host, True)["outcome"] == "would-change"


def test_a_file_that_is_read_before_ours_or_masked_wins_nothing(host):
    host.put("/usr/lib/sysctl.d/50-x.conf", NAME + "=5 6\n")
    host.put("/usr/lib/sysctl.d/99-x.conf", NAME + "=5 6\n")
    host.put("/etc/sysctl.d/99-x.conf", "")
    assert converge(port_range(), host, True)["outcome"] == "would-change"


def test_a_dropped_setting_leaves_the_live_value(host):
    host.put(FILE, NAME + " = 1024 65000\n")
    undo = Sysctl(**port_range().when_dropped()[1])
    assert converge(undo, host, False)["outcome"] == "changed"
    assert host.stat(FILE) is None
    assert host.text(LIVE) == "32768\t60999\n"
    assert converge(undo, host, False)["outcome"] == "ok"
    assert undo.when_dropped() is None


def test_a_part_with_a_dot():
    assert sysctl.key_of("net/ipv4/conf/eth0.1/forwarding") == "net/ipv4/conf/eth0.1/forwarding"
    assert sysctl.key_of("net.ipv4.conf.eth0/1.forwarding") == "net/ipv4/conf/eth0.1/forwarding"
