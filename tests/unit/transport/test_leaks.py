"""Nothing is left behind: no descriptor, no thread, no process, no line on stderr."""

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from provision.errors import Unreachable


def descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def children():
    tasks = Path("/proc/self/task").glob("*/children")
    return sum(len(task.read_text().split()) for task in tasks)


def settle(count, limit):
    """Threads that were told to end take a moment."""
    for _ in range(500):
        if count() <= limit:
            return
        threading.Event().wait(0.02)
    assert count() <= limit


def test_fifty_connections_leave_nothing(lab, pool, run, kind):
    target = lab.target(lab.sshd(), connection=kind)
    run(pool, target)
    before = descriptors(), threading.active_count(), children()
    for _ in range(50):
        run(pool, target)
    settle(descriptors, before[0])
    settle(threading.active_count, before[1])
    settle(children, before[2])


def test_failed_connections_leave_nothing(lab, pool, run, kind):
    mute = lab.mute(greeting=b"SSH-2.0-Slow\r\n")
    closing = lab.mute(close=True)
    stranger = lab.sshd("stranger", known=False)
    targets = [
        lab.target(mute, connection=kind, connect_timeout=0.3),
        lab.target(closing, connection=kind, connect_timeout=0.3),
        lab.target(stranger, connection=kind),
        lab.target(lab.sshd("denied"), connection=kind, user="nobody-here"),
    ]

    def attempt():
        for target in targets:
            with pytest.raises(Unreachable):
                run(pool, target)

    attempt()
    mute.forget()
    before = descriptors(), threading.active_count(), children()
    for _ in range(3):
        attempt()
        mute.forget()
    settle(descriptors, before[0])
    settle(threading.active_count, before[1])
    settle(children, before[2])


@pytest.mark.parametrize("kind", ["local", "ssh", "openssh"])
def test_an_abandoned_channel_leaves_no_process(lab, pool, kind):
    before = children()
    target = lab.target(connection="local") if kind == "local" else lab.target(lab.sshd(), connection=kind)
    started = children()
    connection = pool.connect(target)
    channel = connection.open("exec sleep 600")
    with pytest.raises(TimeoutError):
        channel.receive(0.05)
    connection.close()
    settle(children, started)
    assert before <= started


def test_a_local_process_that_ignores_the_hang_up_may_finish(lab, pool, tmp_path):
    """The agent in the middle of dpkg: closing must not kill it, and it is reaped when it ends."""
    done = tmp_path / "done"
    before = children()
    connection = pool.connect(lab.target(connection="local"))
    channel = connection.open(f"trap '' HUP; echo ready; while read line; do :; done; sleep 1; touch {done}")
    assert channel.receive(20) == b"ready\n"
    connection.close()
    settle(lambda: 0 if done.exists() else 1, 0)
    settle(children, before)


def test_importing_costs_neither_paramiko_nor_fabric():
    code = "import sys, provision.transport; print(sorted({'paramiko', 'fabric', 'invoke'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_paramiko_is_loaded_with_the_line_open(closed_port):
    """So that sshd begins meanwhile; and a host that is not there costs no paramiko at all."""
    code = f"""
import sys
from provision.errors import Unreachable
from provision.target import Target
from provision.transport import Pool, connect
real = connect.tcp
def tcp(*arguments):
    print("opening", "paramiko" in sys.modules)
    return real(*arguments)
connect.tcp = tcp
target = Target("a", "127.0.0.1", port={closed_port}, common_args=("-F", "none"))
try:
    Pool().connect(target)
except Unreachable:
    print("refused", "paramiko" in sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == ["opening False", "refused False"]


def test_nothing_is_printed(lab, run, pool, capfd):
    mute = lab.mute(greeting=b"nonsense\r\n" * 200)
    with pytest.raises(Unreachable):
        run(pool, lab.target(mute, connect_timeout=0.5))
    run(pool, lab.target(lab.sshd()))
    assert capfd.readouterr() == ("", "")
