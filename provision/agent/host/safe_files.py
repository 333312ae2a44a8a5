"""Writing under a path that somebody else may be playing with.

The law: a directory that is not root's own, or that others may write to, is entered and used through its descriptor,
and no symbolic link is followed from there on. So ~alice/.docker/config.json, made a link to /etc/shadow, is replaced
and not followed. Every write is a new file beside the old one, synced, then renamed over it.
"""

import contextlib
import fcntl
import os
import stat
import sys

from .errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Callable, Iterator, Mapping

LINKS = 40
"""As many as the kernel follows."""
TAKEN = ("system.posix_acl_access", "security.selinux")
GET_FLAGS = 0x80086601
"""FS_IOC_GETFLAGS, where a long has 64 bits."""
LOCKED = 0x30
"""FS_IMMUTABLE_FL and FS_APPEND_FL."""
ROOTS = tuple(
    "/etc/{}/".format(name)
    for name in "apt cdi default docker modprobe.d modules-load.d nvidia-container-runtime sysctl.d systemd".split()
)
"""Where only root's programs read, as root: nobody else may write there, and a stricter mode harms nobody."""
KEPT = "kept"
"""Ends the second name of a file that a change may have to put back."""
UNLINKED = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def _trusted(fd: int) -> bool:
    status = os.fstat(fd)
    return status.st_uid == 0 and not status.st_mode & 0o022


@contextlib.contextmanager
def parent(path: str) -> "Iterator[tuple[int, str]]":
    """Yield (descriptor of the directory that holds `path`, last name). Links are followed only in trusted places."""
    directory, name = os.path.split(os.path.abspath(path))
    fd = os.open("/", DIRECTORY)
    try:
        for part in [part for part in directory.split("/") if part]:
            fd = _enter(fd, part, path)
        yield fd, name
    finally:
        os.close(fd)


@contextlib.contextmanager
def _place(path: str) -> "Iterator[tuple[int, str]]":
    """`parent`, for what is to be put there: Failed where that directory does not exist."""
    with contextlib.ExitStack() as stack:
        try:
            place = stack.enter_context(parent(path))
        except FileNotFoundError:
            cause = "{} has no place: the directory {} does not exist".format(path, os.path.dirname(path))
            raise Failed(cause, "ask for that directory, or for the package that brings it, before this") from None
        yield place


def _enter(fd: int, part: str, path: str) -> int:
    follow = 0 if _trusted(fd) or os.geteuid() != 0 else os.O_NOFOLLOW
    try:
        inner = os.open(part, DIRECTORY | follow, dir_fd=fd)
    except OSError as error:
        if follow and _is_link(fd, part):
            fix = "look at who put it there; we follow no links in directories of other users"
            raise Failed("{}: {} is a symbolic link".format(path, part), fix) from None
        error.filename = path
        raise
    os.close(fd)
    return inner


def behind(path: str) -> str:
    """The file that a symbolic link leads to. Failed where there is none, or where others could turn the way to it."""
    steps, place = _way(path)
    for directory, inner, status in steps:
        if status is None:
            raise _dangling(path, inner)
        if _others_may_change(directory, status):
            cause = "{} is a symbolic link that leads through {}, which others than root may change"
            fix = "put a file in its place, or give that directory to root alone"
            raise Failed(cause.format(path, directory), fix)
    return place


def refuse_place(path: str) -> None:
    """Failed where others than root could put another file at `path`, by a directory or a link on the way to it."""
    steps, place = _way(os.path.dirname(path))
    for directory, inner, status in steps:
        if status is None:
            return _refuse_dangling(os.path.dirname(path), inner)
        if _others_may_change(directory, status):
            raise _not_roots_alone(path, directory)
    status = os.lstat(place)
    if not stat.S_ISDIR(status.st_mode):
        raise Failed("{} is to lie in {}, which is no directory".format(path, place), "move that away")
    if os.geteuid() == 0:
        if status.st_uid != 0 or (status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX):
            raise _not_roots_alone(path, place)
    return None


def _refuse_dangling(folder: str, missing: str) -> None:
    """Nothing is at `missing`, on the way to `folder`: because a link leads there, or because nobody made it yet?"""
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.exists(folder):
        raise _dangling(folder, missing)


def _not_roots_alone(path: str, directory: str) -> Failed:
    cause = "{} lies in {}, which others than root may change".format(path, directory)
    return Failed(cause, "give that directory to root alone (chown root, chmod go-w), then run again")


def _dangling(path: str, inner: str) -> Failed:
    cause = "{} is a symbolic link, and {}, to which it leads, does not exist".format(path, inner)
    return Failed(cause, "remove the link, or put the file where it leads")


def _way(path: str) -> "tuple[list[tuple[str, str, os.stat_result | None]], str]":
    """([(directory, entry in it, its status)] on the way to `path`, links followed; where that ends).

    A status of None: it is not there, and there the way ends.
    """
    place, left, links = "/", os.path.abspath(path).split("/"), 0
    steps: "list[tuple[str, str, os.stat_result | None]]" = []
    while left:
        part = left.pop(0)
        if part == "..":
            place = os.path.dirname(place)
        if part in ("", ".", ".."):
            continue
        inner = os.path.join(place, part)
        status = _lstat(inner)
        steps.append((place, inner, status))
        if status is None:
            break
        if not stat.S_ISLNK(status.st_mode):
            place = inner
            continue
        links += 1
        if links > LINKS:
            raise Failed("{} is a symbolic link that leads to itself".format(path), "put a file in its place")
        target = os.readlink(inner)
        place = "/" if target.startswith("/") else place
        left = target.split("/") + left
    return steps, place


def _lstat(path: str) -> "os.stat_result | None":
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _others_may_change(directory: str, entry: os.stat_result) -> bool:
    """Could others than root put something else in the place of this entry?"""
    status = os.lstat(directory)
    sticky = status.st_mode & stat.S_ISVTX and entry.st_uid == 0
    return os.geteuid() == 0 and (status.st_uid != 0 or bool(status.st_mode & 0o022 and not sticky))


def refuse_locked(path: str) -> None:
    """Failed where not even root may replace what is at `path`, or put anything there: chattr +i, +a."""
    for locked in (path, os.path.dirname(path)):
        try:
            fd = os.open(locked, UNLINKED)
        except OSError:  # it is not there, or no file
            continue
        try:
            flags = int.from_bytes(fcntl.ioctl(fd, GET_FLAGS, bytes(8)), sys.byteorder)
        except OSError:  # this file system has none
            flags = 0
        finally:
            os.close(fd)
        if flags & LOCKED:
            cause = "{} is locked against changes (chattr +i or +a)".format(locked)
            raise Failed(cause, "chattr -ia {}, or leave it to whoever locked it".format(locked))


def _is_link(fd: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def opened(path: str) -> "Iterator[int]":
    """A descriptor of an existing file or directory, itself no link."""
    with parent(path) as (directory, name):
        fd = os.open(name or ".", UNLINKED, dir_fd=directory)
        try:
            yield fd
        finally:
            os.close(fd)


def replace(
    path: str,
    data: "bytes | Callable[[IO[bytes]], object]",
    mode: int,
    uid: int,
    gid: int,
    validate: "Callable[[str], object] | None" = None,
) -> None:
    """Put `data` at `path` as a new file with its owner and mode; the old one stays whole until the rename.

    `data`: bytes, or a function that writes them to the open file; what it raises leaves the old one.
    """
    with _place(path) as (directory, name):
        with _sibling(directory, path, name, data, mode, (uid, gid)) as sibling:
            if validate is not None:
                validate(os.path.join(os.path.dirname(os.path.abspath(path)), sibling))
            os.rename(sibling, name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)


def try_out(path: str, data: bytes, mode: int, validate: "Callable[[str], object]") -> None:
    """Let `validate` look at a file as `replace` would put it there; nothing of it stays."""
    with _place(path) as (directory, name):
        with _sibling(directory, path, name, data, mode, (os.geteuid(), os.getegid())) as sibling:
            validate(os.path.join(os.path.dirname(os.path.abspath(path)), sibling))


@contextlib.contextmanager
def scratch(
    files: "Callable[[str], Mapping[str, bytes | str]]",
    copies: "Mapping[str, str]",
    mode: int = 0o644,
    place: str = "/run",
) -> "Iterator[str]":
    """A new folder for programs that only look, and gone afterwards; all may read it, since apt reads as another user.

    `files` is a function of the folder's path: {path in it: bytes, or where a link points}, with that `mode`; `copies`
    are made where there is something to copy: {path in it: file}.
    """
    import shutil  # rarely needed, and slow to load
    import tempfile

    folder = tempfile.mkdtemp(prefix="provision.", dir=place)
    try:
        os.chmod(folder, 0o755)
        for name, content in files(folder).items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if isinstance(content, bytes):
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    os.fchmod(file.fileno(), mode)
                    file.write(content)
            else:
                os.symlink(content, path)
        for name, original in copies.items():
            with contextlib.suppress(OSError):  # it is not there, or there is no room for it
                shutil.copyfile(original, os.path.join(folder, name))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _sibling(
    directory: int,
    path: str,
    name: str,
    data: "bytes | Callable[[IO[bytes]], object]",
    mode: int,
    owner: "tuple[int, int]",
) -> "Iterator[str]":
    """The name of a new file beside `path`, synced, with its owner and mode; gone at the end unless it was renamed."""
    sibling = _free_name(directory, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(sibling, flags, 0o600, dir_fd=directory)
    except OSError as error:
        error.filename = path
        raise
    try:
        with os.fdopen(fd, "wb") as file:
            data(file) if callable(data) else file.write(data)
            file.flush()
            _take_attributes(directory, name, fd)
            if owner != (os.geteuid(), os.getegid()):
                os.fchown(fd, *owner)
            os.fchmod(fd, mode)
            os.fsync(fd)
        yield sibling
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(sibling, dir_fd=directory)


def _take_attributes(directory: int, name: str, fd: int) -> None:
    """Give the new file the ACL of the old one, which its mode, set later, bounds, its label, and what users noted.

    Not a digest of its contents (security.ima). What a file system does not let us set stays behind.
    """
    with contextlib.suppress(OSError):
        old = os.open(name, UNLINKED, dir_fd=directory)
        try:
            for attribute in os.listxattr(old) if stat.S_ISREG(os.fstat(old).st_mode) else ():
                if attribute in TAKEN or attribute.startswith("user."):
                    with contextlib.suppress(OSError):
                        os.setxattr(fd, attribute, os.getxattr(old, attribute))
        finally:
            os.close(old)


def _mark(name: str) -> str:
    return ".{}.provision-".format(name)


def _free_name(directory: int, name: str) -> str:
    """A name for a sibling. What was left by a run that died here goes: one run a host, so nobody is at it now."""
    _sweep(directory, name, but=_mark(name) + KEPT)
    return _mark(name) + os.urandom(6).hex()


def _sweep(directory: int, name: str, but: "str | None" = None) -> None:
    for left in os.listdir(directory):
        if left.startswith(_mark(name)) and left != but:
            with contextlib.suppress(IsADirectoryError, PermissionError):  # none of ours: a user may call one so
                os.unlink(left, dir_fd=directory)


def second_name(path: str) -> str:
    """Where `keep` keeps what was at `path`."""
    folder, name = os.path.split(path)
    return os.path.join(folder, _mark(name) + KEPT)


def keep(path: str) -> None:
    """Give the file, or the link itself, that is at `path` a second name beside it, for `put_back`; on disk at once.

    It is the same inode: no room is needed, neither now nor for the way back. OSError where the file system has no
    hard links, or the directory takes no more names.
    """
    with parent(path) as (directory, name):
        second = _mark(name) + KEPT
        with contextlib.suppress(FileNotFoundError):  # of an earlier change, whose end was cut short
            os.unlink(second, dir_fd=directory)
        os.link(name, second, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        if not _is_link(directory, second):
            with opened(second_name(path)) as fd:
                os.fsync(fd)
        os.fsync(directory)


def put_back(path: str, rights: "tuple[int, int, int] | None") -> None:
    """What `keep` has kept stands at `path` again, in one step.

    `rights`: (mode, uid, gid) that it had; None for a link. FileNotFoundError where nothing is kept.
    """
    with parent(path) as (directory, name):
        if rights is not None:
            with opened(second_name(path)) as fd:
                os.fchown(fd, *rights[1:])
                os.fchmod(fd, rights[0])  # last: a new owner clears the set-uid bits
        os.rename(_mark(name) + KEPT, name, src_dir_fd=directory, dst_dir_fd=directory)
        _sweep(directory, name)  # a rename does nothing where both are names of one file
        os.fsync(directory)


def forget(path: str) -> None:
    """Nothing of ours stays beside `path`."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), parent(path) as (directory, name):
        _sweep(directory, name)
        os.fsync(directory)  # before the journal that names them is gone


def rename(source: str, destination: str) -> None:
    """Within one file system, and on disk at once."""
    with parent(destination) as (directory, name):
        os.rename(source, name, dst_dir_fd=directory)
        os.fsync(directory)


def make_directory(path: str, mode: int, uid: int, gid: int) -> None:
    """Make one directory, with its owner and mode from the start."""
    with _place(path) as (directory, name):
        os.mkdir(name, 0o700, dir_fd=directory)
        fd = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        try:
            if (uid, gid) != (os.geteuid(), os.getegid()):
                os.fchown(fd, uid, gid)
            os.fchmod(fd, mode)
        finally:
            os.close(fd)
        os.fsync(directory)


def make_link(target: str, path: str) -> None:
    """Put a symbolic link at `path`, in place of what was there."""
    with _place(path) as (directory, name):
        sibling = _free_name(directory, name)
        os.symlink(target, sibling, dir_fd=directory)
        os.rename(sibling, name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)


def remove(path: str) -> None:
    """Remove a file, a link or an empty directory; nothing there is fine."""
    try:
        with parent(path) as (directory, name):
            _sweep(directory, name, but=_mark(name) + KEPT)
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                os.rmdir(name, dir_fd=directory)
            else:
                os.unlink(name, dir_fd=directory)
            os.fsync(directory)
    except (FileNotFoundError, NotADirectoryError):
        return
