"""The lock of a host, under the two threads of an agent."""

import os
import random
import threading
import time

import pytest

from provision.agent.host import lock
from provision.agent.host.errors import Failed
from provision.agent.host.lock import NAME, Lock
from provision.agent.host.system import System
from provision.agent.main import _locked
from provision.agent.run.link import ControllerLink

RELEASES = int(os.environ.get("PROVISION_RELEASES", "5000"))
"""20,000 on the four Pythons together."""


class Ended:
    """A line whose controller has gone already."""

    ended = True
    on_end = None


def _released_while_the_controller_goes(system, number):
    taken = Lock(system, {"id": "r{}".format(number), "by": "me"})
    taken.take(None)
    release = threading.Event()

    def goes():
        release.wait()
        time.sleep(random.random() * 0.0003)
        taken.orphan()

    thread = threading.Thread(target=goes)
    thread.start()
    release.set()
    time.sleep(random.random() * 0.0003)
    taken.release()
    thread.join()


def test_a_release_leaves_no_name_whenever_the_controller_goes(tmp_path):
    system = System(str(tmp_path))
    left = []
    for number in range(RELEASES):
        _released_while_the_controller_goes(system, number)
        left.append((tmp_path / NAME).read_text())
    assert [name for name in left if name] == []


def test_an_orphan_after_the_release_writes_nothing_anywhere(tmp_path):
    system = System(str(tmp_path))
    taken = Lock(system, {"id": "r1", "by": "me"})
    taken.take(None)
    taken.release()
    with open(str(tmp_path / "other"), "w+") as other:  # it may have the lock's old descriptor
        taken.orphan()
        assert other.read() == (tmp_path / NAME).read_text() == ""


def test_a_controller_that_went_before_the_lock_was_taken_leaves_an_orphan(tmp_path):
    system = System(str(tmp_path))
    taken = _locked(Ended(), system, {"run": {"id": "r1", "by": "me"}})
    assert '"orphan": true' in (tmp_path / NAME).read_text()
    taken.release()


def test_an_orphan_is_not_waited_for_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "WAIT_FOR_ORPHAN", 0)
    system = System(str(tmp_path))
    first = Lock(system, {"id": "r1", "by": "me"})
    first.take(None)
    first.orphan()
    with pytest.raises(Failed, match="another run holds this host: run r1 of me"):
        Lock(system, {"id": "r2", "by": "me"}).take(None)
    first.release()


def test_a_line_says_that_it_has_ended_before_it_calls_anybody(tmp_path):
    line = ControllerLink(-1, -1)
    seen = []
    line.on_end = lambda: seen.append(line.ended)
    with pytest.raises(ValueError):  # there is nothing to read from
        line._pump()
    assert seen == [True]


class Sly:
    """A message that comes while the main thread finds out that nobody listens."""

    def __init__(self, line):
        self.line = line
        self.asked = 0

    def __getitem__(self, key):
        self.asked += 1
        self.line.cancelled = self.line.cancelled or self.asked == 2
        return "heard"


def test_what_the_main_thread_has_found_out_is_not_undone_by_the_reading_thread(tmp_path):
    reader, writer = os.pipe()
    os.write(writer, b"x")
    os.close(writer)
    line = ControllerLink(reader, -1)

    class Decoder:
        def feed(self, data):
            return [Sly(line)]

    line._read_and_beat(Decoder())
    os.close(reader)
    assert line.cancelled


def test_a_wire_that_nobody_reads_holds_neither_thread_for_longer_than_the_silence_allowed():
    reader, writer = os.pipe()
    try:
        line = ControllerLink(-1, writer, silence=0.3)
        line.send({"type": "hello", "text": "x" * 1000000})
        assert line.cancelled
        line.send({"type": "beat"})  # at once
    finally:
        os.close(reader)
        os.close(writer)


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    system, taken = System(str(tmp_path / "state")), []

    def try_(fd):
        taken.append(fd)
        if len(taken) == 1:  # a run that removed the last role had it until now
            (tmp_path / "state" / NAME).unlink()
            (tmp_path / "state").rmdir()
        return True

    monkeypatch.setattr(lock, "_try", try_)
    held = Lock(system, {"id": "r1", "by": "me"})
    held.take(None)
    assert (len(taken), "r1" in (tmp_path / "state" / NAME).read_text()) == (2, True)
    held.release()
