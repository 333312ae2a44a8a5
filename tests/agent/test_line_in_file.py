"""One line of a file that others write to as well."""

import os
import stat

import pytest

from provision.agent.engine.resource import converge
from provision.agent.files.line import LineInFile
from provision.agent.host.system import ReadOnly

from .rooted import Rooted

PATH = "/etc/conf"


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    host.put("/etc/other", "")
    return host


def line(text="Port 22", match=None, absent=False):
    return LineInFile(path=PATH, line=text, match=match, absent=absent)


def outcome(resource, host):
    return converge(resource, host, False)["outcome"]


@pytest.mark.parametrize(
    "before, match, after",
    [
        ("a\n", None, "a\nPort 22\n"),
        ("a", None, "a\nPort 22\n"),
        ("", None, "Port 22\n"),
        ("#Port 1\nb\nPort 2\n", "^#?Port ", "Port 22\nb\n"),
        ("a\r\nPort 1\r\n", "^Port ", "a\r\nPort 22\r\n"),
        ("Port 1", "^Port ", "Port 22"),
        ("Port 22\nb\nPort 22\n", None, "Port 22\nb\n"),
        ("a\x0cPort 22\n", None, "a\x0cPort 22\nPort 22\n"),
        ("\udcff\n", None, "\udcff\nPort 22\n"),
    ],
)
def test_the_line_is_there_once_and_the_rest_stays(host, before, match, after):
    host.put(PATH, "")
    host.write(PATH, before.encode("utf-8", "surrogateescape"), 0o640)
    assert outcome(line(match=match), host) == "changed"
    assert host.text(PATH) == after
    assert stat.S_IMODE(host.stat(PATH).st_mode) == 0o640
    assert outcome(line(match=match), host) == "ok"


def test_an_absent_line_goes_with_all_that_match(host):
    host.put(PATH, "Port 22\nb\nPort 3\n")
    assert outcome(line(absent=True, match="^Port"), host) == "changed"
    assert host.text(PATH) == "b\n"
    assert outcome(line(absent=True, match="^Port"), host) == "ok"


def test_a_dropped_line_takes_no_other_with_it(host):
    host.put(PATH, "Port 22\nPort 3\n")
    undo = LineInFile(**line(match="^Port").when_dropped()[1])
    assert outcome(undo, host) == "changed"
    assert host.text(PATH) == "Port 3\n"
    assert undo.when_dropped() is None


def test_a_file_that_is_missing(host):
    assert outcome(line(absent=True), host) == "ok"
    result = converge(line(), host, False)
    assert result["outcome"] == "failed"
    assert "there is no /etc/conf" in result["error"]["cause"]


def test_a_link_is_not_followed(host):
    host.put("/etc/real", "x\n")
    host.link_to(PATH, "real")
    assert outcome(line(), host) == "failed"
    assert host.text("/etc/real") == "x\n"


def test_check_writes_nothing_and_foresees_two_lines(tmp_path):
    path = tmp_path / "conf"
    path.write_text("a\n")
    system = ReadOnly(state=str(tmp_path / "state"))
    for text in ("x", "y"):
        resource = LineInFile(path=str(path), line=text, match=None, absent=False)
        assert converge(resource, system, True)["outcome"] == "would-change"
    assert system.foreseen[str(path)] == b"a\nx\ny\n"
    assert path.read_text() == "a\n"
    assert os.listdir(str(tmp_path)) == ["conf"]
