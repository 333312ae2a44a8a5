"""The machine itself as a host: `sh -c COMMAND`, without SSH.

The law: the same channel as over SSH, so that the session code cannot tell the difference.
"""

import contextlib

from provision.errors import ConnectionLost
from provision.transport.channel import Channel
from provision.transport.process import ProcessChannel


class LocalConnection:
    """The machine that the program runs on."""

    def __init__(self) -> None:
        self._channels: list[ProcessChannel] = []
        self._closed = False

    def open(self, command: str) -> Channel:
        if self._closed:
            raise ConnectionLost("the connection was closed", "connect again")
        channel = ProcessChannel(["/bin/sh", "-c", command])
        self._channels.append(channel)
        return channel

    def close(self) -> None:
        self._closed = True
        for channel in self._channels:
            with contextlib.suppress(OSError):
                channel.close()
