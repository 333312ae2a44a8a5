"""One question over HTTP on a Unix socket: Docker's.

The law: only system.py calls this. The answer has an end: in time, and in size.
"""

import _socket as socket
import contextlib
import time

LIMIT = 16 * 1024 * 1024
"""Bytes of an answer."""


def get(path, target, timeout):
    """(status, body) of GET `target`; OSError where nobody answers within `timeout` seconds.

    HTTP/1.0, so that the answer is neither chunked nor kept open; http.client would cost 20 ms to import.
    """
    end = time.monotonic() + timeout
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall("GET {} HTTP/1.0\r\nHost: localhost\r\n\r\n".format(target).encode("ascii"))
        answer = bytearray()
        while True:
            connection.settimeout(max(0.01, end - time.monotonic()))
            data = connection.recv(65536)
            if not data:
                break
            answer += data
            if len(answer) > LIMIT or time.monotonic() > end:
                raise socket.timeout("no end of the answer to {}".format(target))
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():
        raise OSError("{} does not speak HTTP".format(path))
    return int(words[1]), body
