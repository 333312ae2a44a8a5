"""The wire's two ends on the host: one thread reads and beats, the main thread works and answers.

The law: end of input means that nobody listens any more; the resource in hand is brought to its end, and we go. A beat
every 5 s says which step we are in, also when that step hangs. The controller answers each; a minute without an answer
is an end of input too, for a cable that was cut tells nobody.
"""

import os
import select
import threading
import time

try:
    from _queue import SimpleQueue
except ImportError:  # Python 3.6
    from queue import Queue as SimpleQueue  # type: ignore[assignment]


from .. import protocol, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

BEAT = 5.0
SILENCE = 60.0
PIECE = select.PIPE_BUF
"""Bytes; a pipe that can be written to takes them at once."""


class Cancelled(Exception):
    """The controller is gone, or told us to stop."""


class ControllerLink:
    """The wire's two ends. One thread reads and beats, the main thread works."""

    def __init__(
        self, reader: int, writer: int, beat: float = BEAT, silence: float = SILENCE, state: str = protocol.START
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._beat = beat
        self._silence = silence
        self._lock = threading.Lock()
        self._messages: "SimpleQueue[dict[str, Any] | None]" = SimpleQueue()
        self._step: "tuple[str, float] | None" = None
        self._state = state
        self.broken = ""  # which word came at the wrong time
        self._deaf = False  # nobody takes what we say
        self.cancelled = False
        self.stopped = False  # somebody on the host wants us to end
        self.ended = False  # the controller is gone, and `on_end` was called or is about to be
        self.on_end: "Callable[[], None]" = lambda: None

    def start(self) -> None:
        threading.Thread(target=self._pump, daemon=True).start()

    def send(self, message: "dict[str, Any]") -> None:
        data = wire.encode(message)
        with self._lock:
            self._state = protocol.agent_said(self._state, message["type"])
            try:
                while data and not self._deaf:
                    # A wire that takes so little at once takes it without making us wait.
                    if select.select([], [self._writer], [], self._silence)[1]:
                        data = data[os.write(self._writer, data[:PIECE]) :]
                    else:
                        self._deaf = True
            except OSError:
                self._deaf = True
            if self._deaf:
                self.cancelled = True

    def next(self) -> "Any":
        """The next message from the controller; Cancelled when there will be none."""
        message = self._messages.get()
        if message is None or message["type"] == "cancel":
            raise Cancelled()
        return message

    def stop(self) -> None:
        """End after the step in hand. Called from a signal handler, so nothing here may wait."""
        self.stopped = self.cancelled = True

    def step(self, text: str) -> None:
        """What is being done from now on, for the beat."""
        self._step = (text, time.monotonic())

    def progress(self, text: str) -> None:
        """What the present step waits for: sent at once, so that a person sees it."""
        step, since = self._step or ("", time.monotonic())
        self._step = (step, since)
        self._send_beat(text)

    def _send_beat(self, text: str = "") -> None:
        step, since = self._step or ("", time.monotonic())
        if self._state != protocol.OVER:  # what we do after the bye is nobody's concern
            self.send({"type": "beat", "step": step, "seconds": round(time.monotonic() - since, 1), "text": text})

    def _pump(self) -> None:
        try:
            self._read_and_beat(wire.Decoder())
        except (protocol.OutOfTurn, wire.FrameError) as error:
            self.broken = str(error)
        finally:
            self.cancelled = True
            self._messages.put(None)
            self.ended = True
            self.on_end()

    def _read_and_beat(self, decoder: wire.Decoder) -> None:
        heard = time.monotonic()
        while time.monotonic() - heard < self._silence and not self.stopped:
            ready, _, _ = select.select([self._reader], [], [], self._beat)
            if not ready:
                self._send_beat()
                continue
            heard = time.monotonic()
            data = os.read(self._reader, 65536)
            if not data:
                return
            for message in decoder.feed(data):
                with self._lock:
                    self._state = protocol.controller_said(self._state, message["type"])
                if message["type"] == "cancel":
                    self.cancelled = True  # and never False: the main thread finds out other things
                if message["type"] != "heard":
                    self._messages.put(message)
