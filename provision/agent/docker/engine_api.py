"""Docker's HTTP API over the daemon's own socket: what the smoke test needs of it.

The law: every call has a time limit; a call that changes anything needs a writable system; nothing is asked of a
daemon that does not run, because connecting to docker.socket would start it. Paths carry no version: each daemon
answers in its own, and what is used here has been the same since 1.12.
"""

import _socket as socket
import contextlib
import json
from urllib.parse import urlencode

from ..host.errors import Failed, TimedOut
from . import daemon_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator, Mapping

    from ..host.system import System
    from ..host.unix_http import Response


class NotRunning(Failed):
    """There is no daemon to ask."""


class ApiError(Failed):
    """Docker's own words for why not, with the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        Failed.__init__(self, "Docker says: {}".format(message))
        self.status = status
        self.message = message


class Engine:
    """One Docker daemon. Raises NotRunning, ApiError, TimedOut."""

    def __init__(self, system: "System") -> None:
        self._system = system

    def pid(self) -> int:
        """The daemon's process; NotRunning when there is none."""
        pid = daemon_socket.process(self._system)
        if pid is None:
            start, log = daemon_socket.start(self._system), daemon_socket.log(self._system)
            raise NotRunning("the Docker daemon does not run", "start it: {} ({} says why not)".format(start, log))
        return pid

    def get(self, path: str, timeout: float = 30, **query: "Any") -> "Any":
        """A GET, its answer decoded."""
        return json.loads(self.raw(path, timeout, **query).decode("utf-8"))

    def raw(self, path: str, timeout: float = 30, **query: "Any") -> bytes:
        """A GET, its answer as bytes."""
        return self._call("GET", path, query, timeout=timeout)

    def post(self, path: str, body: "Any" = None, timeout: float = 60, **query: "Any") -> "Any":
        """A POST of JSON; the answer decoded, or None where there is none."""
        data = json.dumps(body or {}).encode("ascii")
        answer = self._call("POST", path, query, data, {"Content-Type": "application/json"}, timeout)
        return json.loads(answer.decode("utf-8")) if answer.strip() else None

    def stream(self, path: str, body: "Any", timeout: float = 60) -> bytes:
        """A POST of JSON whose answer is what a process writes, until it ends."""
        data = json.dumps(body).encode("ascii")
        return self._call("POST", path, {}, data, {"Content-Type": "application/json"}, timeout)

    def send(self, path: str, data: bytes, timeout: float = 120, **query: "Any") -> str:
        """A POST of a tar; the stream of messages that Docker answers with, as text."""
        answer = self._call("POST", path, query, data, {"Content-Type": "application/x-tar"}, timeout)
        return answer.decode("utf-8", "replace")

    def delete(self, path: str, timeout: float = 30, **query: "Any") -> None:
        self._call("DELETE", path, query, timeout=timeout)

    def _call(self, method: str, *words: "Any", **more: "Any") -> bytes:
        with self.asked(method, *words, **more) as answer:
            return answer.read()

    @contextlib.contextmanager
    def asked(
        self,
        method: str,
        path: str,
        query: "Mapping[str, Any]",
        body: "bytes | Iterable[bytes]" = b"",
        headers: "Mapping[str, str] | None" = None,
        timeout: float = 30,
    ) -> "Iterator[Response]":
        """The answer to one request, to be read whole or line by line within `timeout` seconds."""
        socket_path = daemon_socket.address(self._system, self.pid())
        target = path + ("?" + urlencode(query, doseq=True) if query else "")
        try:
            with self._system.ask_unix(method, socket_path, target, body, headers, timeout) as answer:
                if answer.status >= 400:
                    raise ApiError(answer.status, _message(answer.read()))
                yield answer
        except socket.timeout:
            raise TimedOut("Docker does not answer in time") from None
        except FileNotFoundError:
            cause = "the Docker daemon runs, and its socket {} is gone".format(socket_path)
            raise NotRunning(cause, "restart Docker, which makes it anew") from None
        except OSError as error:
            raise NotRunning(
                "Docker does not answer on {}: {}".format(socket_path, error),
                "look at {}".format(daemon_socket.log(self._system)),
            ) from None


def _message(data: bytes) -> str:
    text = data.decode("utf-8", "replace").strip()
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text
