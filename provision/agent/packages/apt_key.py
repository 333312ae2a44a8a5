"""The public key of an apt source: read from text, from the host's disk or from the network, and checked.

The law: only the key with the asked fingerprint is ever kept, whatever else the file or the server holds. The network
is asked the way apt itself would be (its proxy settings), within a time limit, and certificates are verified.
"""

import re
import time

from ..host import lenient
from ..host.errors import Failed
from . import openpgp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from .openpgp import PublicKey

TIMEOUT = 20
"""Seconds for each answer of a server; the whole key may take twice that."""
LIMIT = 1024 * 1024
TEXT = "-----BEGIN PGP"


def obtain(system: "System", key: str, fingerprint: str, timeout: float = TIMEOUT) -> "PublicKey":
    """The openpgp.Key with that fingerprint from `key` (armored text, path, file: or http(s) URL). Raises Failed."""
    found = select(_bytes(system, key, timeout), fingerprint, _shown(key))
    if expired(found):
        when = day(found.expires or 0)
        cause = "the key {} from {} has expired on {}".format(fingerprint, _shown(key), when)
        raise Failed(cause, "give the vendor's renewed key, then run again")
    return found


def local(system: "System", key: str) -> "bytes | None":
    """The bytes of a key that needs no network, or None."""
    if key.startswith(TEXT):
        return key.encode("ascii", "replace")
    path = _path(key)
    try:
        return system.read(path, LIMIT) if path else None
    except OSError:
        return None


def select(data: bytes, fingerprint: str, origin: str) -> "PublicKey":
    """Of all keys in `data` the one that is asked for."""
    try:
        found = openpgp.keys(data)
    except ValueError as error:
        raise Failed("the key from {} is unusable: {}".format(origin, error), "correct `key`, then run again") from None
    for key in found:
        if key.fingerprint == fingerprint:
            return key
    others = ", ".join(key.fingerprint for key in found)
    raise Failed(
        "the key from {} has the fingerprint {}, and {} is asked".format(origin, others, fingerprint),
        "find out which one the vendor publishes before you correct `fingerprint`",
    )


def expired(key: "PublicKey") -> bool:
    return key.expires is not None and key.expires < time.time()


def day(seconds: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def _shown(key: str) -> str:
    if key.startswith(TEXT):
        return "the inventory"
    return lenient.without_secrets(key)


def _path(key: str) -> "str | None":
    if key.startswith("/"):
        return key
    match = re.match(r"file:(?://(?:localhost)?)?(/.*)", key)
    return match.group(1) if match else None


def _bytes(system: "System", key: str, timeout: float) -> bytes:
    data = local(system, key)
    if data is not None:
        return data
    if _path(key):
        raise Failed("there is no key at {} on this host".format(_path(key)), "put it there, or give the key as text")
    return _download(system, key, timeout)


def _download(system: "System", url: str, timeout: float) -> bytes:
    # Only here: a run that downloads nothing does not pay for these.
    import http.client  # noqa: PLC0415
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    system.progress("fetching the key {}".format(_shown(url)))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies(system, url)))
    deadline = time.monotonic() + 2 * timeout
    data = b""
    try:
        with opener.open(url, timeout=timeout) as answer:
            while len(data) <= LIMIT and time.monotonic() < deadline:
                block = answer.read(16384)
                if not block:
                    return data
                data += block
    except urllib.error.HTTPError as error:
        raise Failed("{} answers {} {}".format(_shown(url), error.code, error.reason), "correct `key`") from None
    except (OSError, http.client.HTTPException, ValueError) as error:  # URLError is an OSError
        reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        raise Failed("the key cannot be fetched from {}: {}".format(_shown(url), reason), _fix(reason)) from None
    raise Failed("the key at {} is too large or too slow".format(_shown(url)), "give the key as text in the inventory")


def _fix(reason: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return "install ca-certificates or the site's own authority on the host, or give the key as text"
    return "open the way to it, set an apt proxy (role apt_proxy), or give the key as text in the inventory"


def proxies(system: "System", url: str) -> "dict[str, str]":
    """{scheme: proxy} as apt would go to `url`; https falls back to http, and both to the environment."""
    from urllib.request import getproxies  # noqa: PLC0415

    scheme, _, rest = url.partition("://")
    host = re.split("[/:]", rest.rpartition("@")[2])[0]
    answer = system.query(["apt-config", "dump"])
    settings = {name.lower(): value for name, value in re.findall(r'^(\S+) "(.*)";$', answer.out, re.M)}
    for transport in (scheme, "http"):
        for name in ("acquire::{}::proxy::{}".format(transport, host), "acquire::{}::proxy".format(transport)):
            if settings.get(name):
                return {} if settings[name].upper() == "DIRECT" else {scheme: settings[name]}
    return getproxies()
