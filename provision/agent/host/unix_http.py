"""HTTP over a Unix socket: one request, and its answer, whole or line by line.

HTTP/1.0, so that an answer is neither chunked nor kept open, and ends with the connection. http.client would cost a
host 20 ms to import. All errors are OSErrors, a time limit's among them (socket.timeout).
"""

import _socket as socket
import contextlib
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Iterator, Mapping

LIMIT = 16 * 1024 * 1024
"""Bytes of an answer that is read whole, and of one line of another."""
READING = ("GET", "HEAD")


class Response:
    """`status`, and what follows: `read` it all, or take its `lines` as they come. `end`: by the monotonic clock."""

    def __init__(self, connection: socket.socket, path: str, end: float) -> None:
        self._connection = connection
        self._end = end
        self._buffer = b""
        while b"\r\n\r\n" not in self._buffer and self._more():
            pass
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        words = head.split(None, 2)
        if len(words) < 2 or not words[1].isdigit():
            raise OSError("{} does not speak HTTP".format(path))
        self.status = int(words[1])

    def read(self) -> bytes:
        while self._more():
            pass
        return self._buffer

    def lines(self) -> "Iterator[bytes]":
        """Each line with its end."""
        while True:
            line, found, rest = self._buffer.partition(b"\n")
            if found:
                self._buffer = rest
                yield line + found
            elif not self._more():
                if line:
                    yield line
                return

    def _more(self) -> bool:
        """Wait for more; False at the end."""
        left = self._end - time.monotonic()
        if left <= 0 or len(self._buffer) > LIMIT:
            raise socket.timeout("no end of the answer")
        self._connection.settimeout(left)
        data = self._connection.recv(65536)
        self._buffer += data
        return bool(data)


@contextlib.contextmanager
def asked(
    method: str,
    path: str,
    target: str,
    body: "bytes | Iterable[bytes]",
    headers: "Mapping[str, str]",
    timeout: float,
) -> "Iterator[Response]":
    """The answer of who listens on the socket `path`; `timeout`: seconds for all of it. A body in pieces has its length
    among the headers."""
    end = time.monotonic() + timeout
    head = ["{} {} HTTP/1.0".format(method, target), "Host: localhost"]
    head += ["{}: {}".format(name, value) for name, value in headers.items()]
    if method not in READING and isinstance(body, bytes):
        head.append("Content-Length: {}".format(len(body)))
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        start = "\r\n".join([*head, "", ""]).encode("ascii")
        connection.sendall(start + body if isinstance(body, bytes) else start)
        for piece in body if not isinstance(body, bytes) else ():
            connection.sendall(piece)
        yield Response(connection, path, end)
