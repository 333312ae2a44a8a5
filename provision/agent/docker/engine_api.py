"""Docker's HTTP API over the daemon's own socket: what the smoke test needs of it.

The law: every call has a time limit; a call that changes anything needs a writable system; nothing is asked of a
daemon that does not run, because connecting to docker.socket would start it. Paths carry no version: each daemon
answers in its own, and what is used here has been the same since 1.12.
"""

import http.client
import json
import socket
from urllib.parse import urlencode

from ..host.errors import Failed
from . import daemon_socket

READING = ("GET", "HEAD")


class NotRunning(Failed):
    """There is no daemon to ask."""


class ApiError(Failed):
    """Docker's own words for why not, with the HTTP status."""

    def __init__(self, status, message):
        Failed.__init__(self, "Docker says: {}".format(message))
        self.status = status
        self.message = message


class TimedOut(Exception):
    """Docker did not answer within the time limit."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        http.client.HTTPConnection.__init__(self, "docker", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """One Docker daemon. Raises NotRunning, ApiError, TimedOut."""

    def __init__(self, system):
        self._system = system

    def pid(self):
        """The daemon's process; NotRunning when there is none."""
        pid = daemon_socket.process(self._system)
        if pid is None:
            start, log = daemon_socket.start(self._system), daemon_socket.log(self._system)
            raise NotRunning("the Docker daemon does not run", "start it: {} ({} says why not)".format(start, log))
        return pid

    def get(self, path, timeout=30, **query):
        """A GET, its answer decoded."""
        return json.loads(self._call("GET", path, query, None, None, timeout).decode("utf-8"))

    def post(self, path, body=None, timeout=60, **query):
        """A POST of JSON; the answer decoded, or None where there is none."""
        data = json.dumps(body or {}).encode("ascii")
        answer = self._call("POST", path, query, data, "application/json", timeout)
        return json.loads(answer.decode("utf-8")) if answer.strip() else None

    def send(self, path, data, timeout=120, **query):
        """A POST of a tar; the stream of messages that Docker answers with, as text."""
        return self._call("POST", path, query, data, "application/x-tar", timeout).decode("utf-8", "replace")

    def delete(self, path, timeout=30, **query):
        self._call("DELETE", path, query, None, None, timeout)

    def raw(self, path, timeout=30, **query):
        """A GET, its answer as bytes."""
        return self._call("GET", path, query, None, None, timeout)

    def _call(self, method, path, query, body, kind, timeout):
        if method not in READING:
            self._system.about_to_write()
        socket_path = daemon_socket.address(self._system, self.pid())
        target = path + ("?" + urlencode(query, doseq=True) if query else "")
        connection = _Connection(socket_path, timeout)
        try:
            connection.request(method, target, body, {"Content-Type": kind} if kind else {})
            response = connection.getresponse()
            data = response.read()
        except socket.timeout:
            raise TimedOut() from None
        except (OSError, http.client.HTTPException) as error:
            raise NotRunning(
                "Docker does not answer on {}: {}".format(socket_path, error),
                "look at {}".format(daemon_socket.log(self._system)),
            ) from None
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(response.status, _message(data))
        return data


def _message(data):
    text = data.decode("utf-8", "replace").strip()
    try:
        return json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        return text
