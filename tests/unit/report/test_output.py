"""Standard output that ends early, or cannot show every character."""

import errno
import io
import os

import pytest

from provision.report import Output


def broken_pipe() -> io.TextIOWrapper:
    read, write = os.pipe()
    os.close(read)
    return open(write, "w")


def test_a_reader_that_went_away_is_told_once_and_is_no_problem() -> None:
    with broken_pipe() as stream:
        output, told = Output(stream), list[str]()
        output.on_closed = lambda: told.append("closed")
        output.line("one")
        output.line("two")
        output.write("three")
        output.flush()
        assert told == ["closed"]
        assert output.closed
        assert output.problem is None


def test_a_full_disk_is_a_problem() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def fileno(self) -> int:
            raise OSError("no file")

    output = Output(Full())
    output.line("one")
    assert output.problem == "the output is incomplete: No space left on device"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_character_is_too_much(encoding: str) -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding) as stream:
        Output(stream).line("ok … \udc80")
        assert raw.getvalue().startswith(b"ok ")
