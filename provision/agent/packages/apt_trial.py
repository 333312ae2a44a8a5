"""What apt would say with other package sources than the host's, and of them: a folder of our own, for apt to look at.

The law: apt itself judges key, signature and address, with the host's own settings, and nothing of the host is touched:
not its lists, caches and locks, nor the programs that apt runs after an update. The folder is gone afterwards.
"""

import contextlib
import os
import re

from ..host import lenient
from ..host.errors import Failed
from . import source_list
from .apt_errors import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Sequence

    from ..host.system import System

LISTS = "/var/lib/apt/lists"
KEYRINGS = "/etc/apt/keyrings"
LIMIT = 60
"""Seconds that the sources have to answer."""
CACHES = {name: "/var/cache/apt/" + name for name in ("pkgcache.bin", "srcpkgcache.bin")}
"""apt makes them anew where they do not fit, which takes it a second or more."""
LOOKING = """\
Dir::Cache::pkgcache "{0}/pkgcache.bin";
Dir::Cache::srcpkgcache "{0}/srcpkgcache.bin";
"""
FETCHING = """\
#clear APT::Update;
Dir::State::lists "{0}/lists";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Retries "0";
Acquire::http::Timeout "{1}";
Acquire::https::Timeout "{1}";
APT::Get::List-Cleanup "false";
"""


class Coming:
    """A source that is about to be put in place: its file's name and text, its keyring's path and content."""

    def __init__(self, name: str, text: str, keyring: str, key: bytes, replaces: "Sequence[str]") -> None:
        self.name = name
        self.text = text
        self.keyring = keyring
        self.key = key
        self.replaces = replaces


class Trial:
    """What apt said. `refused`: the Failed for sources that it does not take; `unread`: for those that did not answer.

    `options` make apt-cache and apt-get see the host as it would be with these sources, as long as the trial lasts.
    """

    def __init__(self, options: "list[str]", refused: "Failed | None", unread: "Failed | None") -> None:
        self.options = options
        self.refused = refused
        self.unread = unread


@contextlib.contextmanager
def tried(system: "System", coming: "Sequence[Coming]" = (), limit: int = LIMIT) -> "Iterator[Trial]":
    """A Trial of these sources together; of none, it is the host as it is."""
    with system.scratch(lambda folder: _files(system, folder, coming, limit), {} if coming else CACHES) as folder:
        options = ["-c", folder + "/apt.conf"]
        if not coming:
            yield Trial(options, None, None)
            return
        refused, unread = _fetched(system, folder, options, limit)
        yield Trial(options + ["-o", "Dir::Etc::sourceparts={}/parts".format(folder)], refused, unread)


def _fetched(system: "System", folder: str, options: "list[str]", limit: int) -> "tuple[Failed | None, Failed | None]":
    """(refused, unread) of apt-get update with the sources to come alone."""
    alone = ["-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Dir::Etc::sourceparts={}/new".format(folder)]
    answer = system.query(["apt-get", "-q=1"] + options + alone + ["update"], timeout=limit)
    said = answer.out + answer.err
    error = explain(said.replace(folder + "/keys", KEYRINGS), "apt does not take the package source")
    if answer.timed_out:
        return None, Failed("the package source does not answer within {} s".format(limit), error.fix, error.output)
    if not answer.ok:
        return error, None
    return None, error if re.search(r"^W: .*Failed to fetch|^Err", said, re.M) else None


def _in_the_way(coming: "Sequence[Coming]") -> "set[str]":
    return {name for source in coming for name in [source.name] + list(source.replaces)}


def _files(system: "System", folder: str, coming: "Sequence[Coming]", limit: int) -> "dict[str, bytes | str]":
    """{path: bytes, or where a link points} of the trial's folder."""
    configuration = LOOKING + (FETCHING if coming else "")
    files: "dict[str, bytes | str]" = {"apt.conf": configuration.format(folder, max(1, limit // 3)).encode("ascii")}
    if not coming:
        return files
    lists = [name for name in lenient.names(system, LISTS) if name not in ("lock", "partial", "auxfiles")]
    others = [name for name in lenient.names(system, source_list.PARTS) if name not in _in_the_way(coming)]
    files["lists/partial/.keep"] = b""
    files.update({"lists/" + name: os.path.join(LISTS, name) for name in lists})
    files.update({"parts/" + name: os.path.join(source_list.PARTS, name) for name in others})
    for source in coming:
        key = "keys/" + source.keyring.rpartition("/")[2]
        text = source.text.replace(source.keyring, "{}/{}".format(folder, key)).encode("utf-8")
        files.update({key: source.key, "new/" + source.name: text, "parts/" + source.name: text})
    return files
