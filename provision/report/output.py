"""Standard output, with its two surprises taken out: it may be closed early, and it may not take every character.

The law: `write` never raises. A reader that went away (`| head`) ends the run quietly, as Ctrl-C would; any other
error is kept for the end. Looks like a text file, so that rich can write to it.
"""

import contextlib
import errno
import os
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from provision.report.text import clean


class Output:
    """A text stream that tells once, through `on_closed`, that nobody can read it any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._error: OSError | None = None
        self.on_closed: Callable[[], None] = lambda: None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    @property
    def closed(self) -> bool:
        """Has a write failed? Everything after it is dropped."""
        return self._error is not None

    @property
    def problem(self) -> str | None:
        """Why the output is incomplete, where that is worth telling: not for a reader that had enough."""
        if self._error is None or self._error.errno == errno.EPIPE:
            return None
        return f"the output is incomplete: {self._error.strerror or self._error}"

    @property
    def animated(self) -> bool:
        """Is it a terminal on which lines can be drawn again?"""
        return self.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")

    @property
    def encoding(self) -> str:
        return self._stream.encoding

    def isatty(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return self._stream.isatty()
        return False

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        self._guarded(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._guarded(self._stream.flush)

    def line(self, text: str) -> None:
        """One whole line, at once."""
        self._guarded(self._line, text)

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def _guarded(self, call: Callable[..., object], *arguments: str) -> None:
        if self._error is not None:
            return
        try:
            with self._lock:
                call(*arguments)
        except OSError as error:
            self._close(error)

    def _close(self, error: OSError) -> None:
        self._error = error
        # The interpreter flushes the stream once more when it ends, and would complain there.
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())
        self.on_closed()


def warn(*lines: str) -> None:
    """Lines to standard error: errors of the input, warnings, questions' answers."""
    with contextlib.suppress(OSError):
        for line in lines:
            sys.stderr.write(clean(line) + "\n")
        sys.stderr.flush()
