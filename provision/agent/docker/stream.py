"""Docker's long calls over its socket: pull and push, which answer with a stream of messages.

The law: the whole call has a time limit; what is going on is told as progress; an error in the stream is a failure in
Docker's own words. A login travels in a header to the daemon's own socket, and nowhere else.
"""

import base64
import json
import time

from ..host import known_errors
from ..host.errors import Failed, TimedOut
from ..host.known_errors import KnownError
from .engine_api import ApiError, Engine, NotRunning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Tuple

    from ..host.system import System
    from ..host.unix_http import Response

    Login = Tuple[str, str, str]

PROGRESS_EVERY = 2.0
"""Seconds."""


def post(
    system: "System", path: str, query: "dict[str, str]", login: "Login | None", what: str, timeout: float
) -> None:
    """POST and follow the stream to its end. Raises Failed."""
    _post(system, path, query, b"", {"X-Registry-Auth": header(login)}, what, timeout)


def load(system: "System", archive: "Iterable[bytes]", length: int, what: str, timeout: float) -> None:
    """Give Docker an archive of images, in pieces, of so many bytes in all. Raises Failed."""
    headers = {"Content-Type": "application/x-tar", "Content-Length": str(length)}
    _post(system, "/images/load", {"quiet": "1"}, archive, headers, what, timeout)


def _post(
    system: "System",
    path: str,
    query: "dict[str, str]",
    body: "bytes | Iterable[bytes]",
    headers: "dict[str, str]",
    what: str,
    timeout: float,
) -> None:
    try:
        with Engine(system).asked("POST", path, query, body, headers, timeout) as answer:
            _follow(system, answer, what)
    except ApiError as error:
        raise Failed("{}: {}".format(what, error.cause), fix_for(error.message)) from None
    except TimedOut:
        raise Failed(
            "{} took longer than {} s".format(what, timeout), "raise timeout, or look at the network to the registry"
        ) from None
    except NotRunning as error:
        raise Failed("{}: {}".format(what, error.cause), error.fix) from None


def header(login: "Login | None") -> str:
    """X-Registry-Auth of (registry, user, password); an empty login is sent as such."""
    given = {"serveraddress": login[0], "username": login[1], "password": login[2]} if login else {}
    return base64.urlsafe_b64encode(json.dumps(given).encode("utf-8")).decode("ascii")


def _follow(system: "System", answer: "Response", what: str) -> None:
    layers: "dict[str, tuple[int, int]]" = {}
    told = 0.0
    for line in answer.lines():
        message = _document(line)
        if "error" in message:
            raise Failed("{}: Docker says: {}".format(what, message["error"]), fix_for(str(message["error"])))
        detail = message.get("progressDetail") or {}
        if message.get("id") and detail.get("total"):
            layers[message["id"]] = (detail.get("current") or 0, detail["total"])
        if time.monotonic() - told > PROGRESS_EVERY:
            told = time.monotonic()
            system.progress(progress(message, layers))


def progress(message: "dict[str, Any]", layers: "dict[str, tuple[int, int]]") -> str:
    """One line for a person: what is being done, and how much of it is done."""
    status = str(message.get("status") or "").strip()
    done, total = (sum(pair[side] for pair in layers.values()) for side in (0, 1))
    return "{}: {} of {} MB, {} layers".format(status, done >> 20, total >> 20, len(layers)) if total else status


KNOWN = (
    KnownError(
        "unauthorized",
        "",
        "log in first (role registry_login), with an account that may do this",
    ),
    KnownError(
        "denied",
        "",
        "log in first (role registry_login), with an account that may do this",
    ),
    KnownError(
        "toomanyrequests",
        "",
        "the registry limits pulls: log in, wait, or use a mirror",
    ),
    KnownError(
        "manifest unknown",
        "",
        "correct the name or tag of the image",
    ),
    KnownError(
        "not found",
        "",
        "correct the name or tag of the image",
    ),
    KnownError(
        "no space left",
        "",
        "free space where Docker keeps its images",
    ),
    KnownError(
        "certificate signed by unknown authority",
        "",
        "give the registry's CA (registry_login.registries.HOST.ca_certificate)",
    ),
    KnownError(
        "proxyconnect",
        "",
        "look at the proxy (role apt_proxy)",
    ),
)


def fix_for(message: str) -> str:
    """What to do about Docker's words, or ""."""
    known = known_errors.explain(message, KNOWN, ignore_case=True)
    return known.fix if known else ""


def _document(line: bytes) -> "dict[str, Any]":
    try:
        found = json.loads(line.decode("utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
