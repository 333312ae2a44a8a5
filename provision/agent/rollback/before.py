"""One file of a change: what was there, what the change has written, and how it comes back.

The law: an entry is plain JSON in the journal and enough by itself. It has a salted digest of what stood at each name
before, and of all that we have put there since: so it is known who has changed it. The old inode keeps a second name
beside the first (safe_files.keep), and comes back by a rename, which needs no room; its contents are in the journal as
well, for a file system without hard links. Each step may be done twice.
"""

import base64
import contextlib
import errno
import os
import stat

from ..host import state
from ..host.errors import Failed
from ..host.safe_files import second_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Record

ODD = "odd"
"""A directory, a fifo: no kind of ours replaces one, so nothing is put back."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""With these no change is begun. Any other error of a link: there are no hard links here, or not for this file."""


def entry_of(system: "System", path: str, salt: str) -> "Record":
    """What is at `path` now, and behind it where it is a link to a file."""
    link = system.link(path)
    entry: "Record" = {"path": path, "data": None, "mode": None, "uid": None, "gid": None, "link": link}
    place = path
    with contextlib.suppress(Failed):  # nobody writes where such a link leads: it is only replaced, or removed
        place = system.place(path)
    status = system.stat(place)
    if status is not None and stat.S_ISREG(status.st_mode):
        entry["data"] = base64.b64encode(system.read(place) or b"").decode("ascii")
        entry.update(mode=status.st_mode & 0o7777, uid=status.st_uid, gid=status.st_gid)
    names = {path, place} if entry["data"] is not None else {path}  # behind a link only a file is ever ours
    return dict(entry, was={name: found(system, name, salt) for name in names}, wrote={name: [] for name in names})


def found(system: "System", path: str, salt: str) -> "str | None":
    """What is at `path`, in a word: None for nothing, else a digest, or ODD."""
    status = system.stat(path)
    if status is None:
        return None
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
        return ODD
    what = system.link(path) if stat.S_ISLNK(status.st_mode) else system.read(path)
    return None if what is None else digest(what, salt)


def digest(what: "bytes | str", salt: str) -> str:
    """Of contents (bytes) or of a link's target (str)."""
    data = b"file " + what if isinstance(what, bytes) else b"link " + os.fsencode(what)
    return state.digest(data, salt)


def complete(system: "System", entry: "Record", salt: str) -> "Record":
    """One that an earlier version wrote has no digests and no second name; what it wrote is remembered elsewhere."""
    if "was" in entry:
        return entry
    path, link = entry["path"], entry.get("link")
    was = None if entry["data"] is None else digest(base64.b64decode(entry["data"]), salt)
    place = path if link is None or was is None else os.path.normpath(os.path.join(os.path.dirname(path), link))
    entry = dict(entry, was={place: was}, wrote={place: []})
    if "link" not in entry and entry["mode"] == 0o777:  # that of a link, which it had followed
        entry["mode"] = 0o644
    entry.setdefault("link", None)
    if link is not None:
        entry["was"][path] = digest(link, salt)
        entry["wrote"].setdefault(path, [])
    with contextlib.suppress(Failed):  # what we remember is damaged: then we cannot tell
        record, data = system.state_file.get("written", path), system.read(place)
        if record and system.state_file.digest(data) == record["digest"] and data is not None:
            entry["wrote"][place].append(digest(data, salt))
    return entry


def foreign(system: "System", entry: "Record", salt: str) -> bool:
    """Is it neither what it was nor what we made of it? One that is gone is nobody's work."""
    return any(
        found(system, name, salt) not in [None, was] + entry["wrote"][name] for name, was in entry["was"].items()
    )


def is_back(system: "System", entry: "Record", salt: str) -> bool:
    return all(found(system, name, salt) == was for name, was in entry["was"].items())


def keep(system: "System", entry: "Record", salt: str) -> None:
    """Give what is as it was its second name, where it has none (an undo that was cut short has used it)."""
    for name, was in entry["was"].items():
        if was in (None, ODD) or found(system, second_name(name), salt) == was or found(system, name, salt) != was:
            continue
        try:
            system.keep_old(name)
        except OSError as error:
            if error.errno in FULL:
                raise


def forget(system: "System", entry: "Record") -> None:
    for name in entry.get("was", ()):  # one of an earlier version has none
        system.forget_old(name)


def put_back(system: "System", entry: "Record", salt: str) -> None:
    """The file, and the link to it, are what they were. Failed where that cannot be done."""
    path = entry["path"]
    try:
        for name in sorted(entry["was"], key=lambda name: name == path):  # the link comes after its file
            _put_back(system, entry, name, salt)
    except OSError as error:
        fix = "see to it that it can be written; the next run, or boot, puts it back"
        raise Failed("{} could not be put back: {}".format(path, os.strerror(error.errno or 0)), fix) from None


def _put_back(system: "System", entry: "Record", name: str, salt: str) -> None:
    was, second = entry["was"][name], second_name(name)
    rights = (entry["mode"], entry["uid"], entry["gid"])
    is_link = name == entry["path"] and entry["link"] is not None
    if was == ODD:
        return
    if was is None:
        if found(system, name, salt) not in (None, ODD):
            system.remove(name)
    elif found(system, second, salt) == was:
        system.put_back(name, None if is_link else rights)
    elif is_link:
        if system.link(name) != entry["link"]:
            system.make_link(entry["link"], name)
    elif found(system, name, salt) != was:
        system.write(name, base64.b64decode(entry["data"]), *rights)
    else:
        system.set_owner(name, *rights[1:])
        system.set_mode(name, rights[0])
