"""Ctrl-C: the first ends the steps in hand, the second ends the program.

The law: a signal handler does nothing that could wait for a lock: it hands over to a thread, or leaves at once.
"""

import os
import queue
import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
SAID = "ending the steps in hand; press Ctrl-C again to stop at once"


class Interrupts:
    """While entered, the first signal calls `cancel`; a second one calls `abandon` and exits with 130."""

    def __init__(self, cancel: Callable[[], None], abandon: Callable[[], None]) -> None:
        self._cancel = cancel
        self._abandon = abandon
        self._wishes: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._before: dict[signal.Signals, Any] = {}
        self._thread = threading.Thread(target=self._wait, name="interrupts", daemon=True)
        self.happened = False

    def __enter__(self) -> Self:
        self._thread.start()
        for number in SIGNALS:
            # What nohup or a shell's `&` had ignored stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._wishes.put(False)
        self._thread.join()

    def _handle(self, number: int, frame: object) -> None:
        if self.happened:
            try:
                self._abandon()
            finally:
                os._exit(INTERRUPTED)
        self.happened = True
        self._wishes.put(True)

    def _wait(self) -> None:
        if self._wishes.get():
            self._cancel()
