"""Docker's long calls over its socket: pull and push, which answer with a stream of messages.

The law: the whole call has a time limit; what is going on is told as progress; an error in the stream is a failure in
Docker's own words. A login travels in a header to the daemon's own socket, and nowhere else.
"""

import base64
import http.client
import json
import socket
import time
from urllib.parse import urlencode

from ..host.errors import Failed
from . import daemon_socket
from .engine_api import Engine

PROGRESS_EVERY = 2.0
"""Seconds."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        http.client.HTTPConnection.__init__(self, "docker")
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


def post(system, path, query, login, what, timeout):
    """POST and follow the stream to its end. `login`: (registry, user, password) or None. Raises Failed."""
    _post(system, path + "?" + urlencode(query), None, {"X-Registry-Auth": header(login)}, what, timeout)


def load(system, archive, length, what, timeout):
    """Give Docker an archive of images, in pieces, of so many bytes in all. Raises Failed."""
    headers = {"Content-Type": "application/x-tar", "Content-Length": str(length)}
    _post(system, "/images/load?quiet=1", archive, headers, what, timeout)


def _post(system, target, body, headers, what, timeout):
    system.about_to_write()
    connection = _Connection(daemon_socket.address(system, Engine(system).pid()))
    deadline = time.monotonic() + timeout
    try:
        connection.request("POST", target, body, headers)
        connection.sock.settimeout(timeout)
        response = connection.getresponse()
        if response.status >= 400:
            message = _message(response.read(65536))
            raise Failed("{}: Docker says: {}".format(what, message), fix_for(message))
        _follow(system, response, connection, what, deadline)
    except socket.timeout:
        raise Failed(
            "{} took longer than {} s".format(what, timeout), "raise timeout, or look at the network to the registry"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise Failed(
            "{}: the connection to Docker ended: {}".format(what, error),
            "look at {}".format(daemon_socket.log(system)),
        ) from None
    finally:
        connection.close()


def header(login):
    """X-Registry-Auth; an empty login is sent as such."""
    given = {"serveraddress": login[0], "username": login[1], "password": login[2]} if login else {}
    return base64.urlsafe_b64encode(json.dumps(given).encode("utf-8")).decode("ascii")


def _follow(system, response, connection, what, deadline):
    layers, told = {}, 0.0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout()
        if connection.sock is not None:
            connection.sock.settimeout(left)
        line = response.readline(1024 * 1024)
        if not line:
            return
        message = _document(line)
        if "error" in message:
            raise Failed("{}: Docker says: {}".format(what, message["error"]), fix_for(str(message["error"])))
        detail = message.get("progressDetail") or {}
        if message.get("id") and detail.get("total"):
            layers[message["id"]] = (detail.get("current") or 0, detail["total"])
        if time.monotonic() - told > PROGRESS_EVERY:
            told = time.monotonic()
            system.progress(progress(message, layers))


def progress(message, layers):
    """One line for a person: what is being done, and how much of it is done."""
    status = str(message.get("status") or "").strip()
    done, total = (sum(pair[side] for pair in layers.values()) for side in (0, 1))
    return "{}: {} of {} MB, {} layers".format(status, done >> 20, total >> 20, len(layers)) if total else status


FIXES = (
    ("unauthorized", "log in first (role registry_login), with an account that may do this"),
    ("denied", "log in first (role registry_login), with an account that may do this"),
    ("toomanyrequests", "the registry limits pulls: log in, wait, or use a mirror"),
    ("manifest unknown", "correct the name or tag of the image"),
    ("not found", "correct the name or tag of the image"),
    ("no space left", "free space where Docker keeps its images"),
    (
        "certificate signed by unknown authority",
        "give the registry's CA (registry_login.registries.HOST.ca_certificate)",
    ),
    ("proxyconnect", "look at the proxy (role apt_proxy)"),
)


def fix_for(message):
    """What to do about Docker's words, or ""."""
    return next((fix for words, fix in FIXES if words in message.lower()), "")


def _message(data):
    return str(_document(data).get("message") or data.decode("utf-8", "replace").strip())


def _document(line):
    try:
        found = json.loads(line.decode("utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
