"""Modules of the kernel: loaded, at boot, and their options."""

import pytest

from provision.agent.engine.resource import converge
from provision.agent.kernel.module import KernelModule, same

from .rooted import Rooted, answer

LOAD = "/etc/modules-load.d/provision-br_netfilter.conf"
OPTIONS = "/etc/modprobe.d/provision-br_netfilter.conf"
PARAMETER = "/sys/module/br_netfilter/parameters/x"


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    host.put("/etc/modules-load.d/modules.conf", "")
    host.put("/etc/modprobe.d/y.conf", "")
    host.put("/proc/sys/kernel/osrelease", "6.1.0\n")
    return host


def module(options=None, **changes):
    return KernelModule(**dict({"name": "br-netfilter", "options": options or {}, "absent": False}, **changes))


def loads(system, argv):
    system.put("/sys/module/br_netfilter/initstate", "live\n")
    return answer()


def test_loaded_now_and_at_boot(host):
    host.commands = [(["modprobe", "--", "br_netfilter"], loads)]
    assert converge(module(), host, True)["outcome"] == "would-change"
    assert converge(module(), host, False)["outcome"] == "changed"
    host.done()
    assert host.text(LOAD) == "br_netfilter\n"
    assert host.stat(OPTIONS) is None
    assert converge(module(name="br_netfilter"), host, False)["outcome"] == "ok"


def test_one_that_is_built_in_needs_no_modprobe(host):
    host.put("/lib/modules/6.1.0/modules.builtin", "kernel/net/bridge/br-netfilter.ko\nkernel/a/b.ko\n")
    assert converge(module(), host, False)["outcome"] == "changed"
    assert converge(module(), host, False)["outcome"] == "ok"


def test_one_that_is_still_coming_up_is_not_loaded(host):
    host.put("/sys/module/br_netfilter/initstate", "coming\n")
    host.commands = [(["modprobe"], loads)]
    assert converge(module(), host, False)["outcome"] == "changed"


def test_a_modprobe_that_loads_nothing_is_a_failure(host):
    host.commands = [(["modprobe"], answer())]
    assert converge(module(), host, False)["outcome"] == "failed"


def test_options_are_there_before_it_is_loaded(host):
    def run(system, argv):
        assert system.text(OPTIONS) == "options br_netfilter x=1\n"
        system.put(PARAMETER, "Y\n")
        return loads(system, argv)

    host.commands = [(["modprobe"], run)]
    assert converge(module({"x": "1"}), host, False)["outcome"] == "changed"
    assert converge(module({"x": "1"}), host, False)["outcome"] == "ok"


def test_one_that_is_loaded_with_other_options_is_never_reloaded(host):
    loads(host, [])
    host.put(PARAMETER, "N\n")
    result = converge(module({"x": "1"}), host, False)
    assert result["outcome"] == "failed"
    assert "another parameter x" in result["error"]["cause"]
    assert host.text(OPTIONS) == "options br_netfilter x=1\n", "for the next boot"
    assert converge(module({"x": "1"}), host, False)["outcome"] == "failed"


def test_options_that_nobody_asks_for_any_more_go(host):
    loads(host, [])
    host.put(LOAD, "br_netfilter\n")
    host.put(OPTIONS, "options br_netfilter x=1\n")
    assert converge(module(), host, False)["outcome"] == "changed"
    assert host.stat(OPTIONS) is None


def test_a_dropped_module_stays_loaded(host):
    loads(host, [])
    converge(module(), host, False)
    undo = KernelModule(**module().when_dropped()[1])
    assert converge(undo, host, False)["outcome"] == "changed"
    assert host.stat(LOAD) is None
    assert converge(undo, host, False)["outcome"] == "ok"


def test_values_that_mean_the_same():
    assert same("Y", "1") and same("N", "n") and same("16", "0x10") and same("a,b", "a,b")
    assert not same("Y", "0") and not same("a", "b") and not same("2", "Y")
