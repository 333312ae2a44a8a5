"""A host in a folder: the real door, with files under a root of its own and commands that are scripted.

The law: strict. A command that was not expected fails the test, and so does one that was expected and never came.
"""

import os

from provision.agent.host import safe_files
from provision.agent.host.errors import Failed
from provision.agent.host.results import CommandResult
from provision.agent.host.system import System


def answer(out="", err="", status=0):
    """What a scripted command leaves."""
    return CommandResult([], status, out, err)


class Rooted(System):
    """`commands`: [(how the argv begins, Result or a function of (system, argv) that makes one)], in order."""

    def __init__(self, root, commands=()):
        self.root = str(root)
        System.__init__(self, state="/var/lib/provision")
        self.commands = list(commands)
        self.ran = []
        self.limits = []
        self.told = []
        self.progress = self.told.append

    def put(self, path, content, mode=0o644):
        """Make a file of the host, with its directories."""
        place = self._at(path)
        if not os.path.isdir(os.path.dirname(place)):
            os.makedirs(os.path.dirname(place))
        with open(place, "w", encoding="utf-8", newline="") as file:
            file.write(content)
        os.chmod(place, mode)

    def link_to(self, path, target):
        place = self._at(path)
        if not os.path.isdir(os.path.dirname(place)):
            os.makedirs(os.path.dirname(place))
        os.symlink(target, place)

    def done(self):
        assert not self.commands, "never came: {}".format(self.commands)

    def _at(self, path):
        return path if path.startswith(self.root + "/") else self.root + path

    def _scripted(self, argv, env):
        self.ran.append((list(argv), dict(env or {})))
        assert self.commands, "an unexpected command: {}".format(argv)
        words, result = self.commands.pop(0)
        assert list(argv[: len(words)]) == list(words), argv
        return result(self, argv) if callable(result) else result

    def query(self, argv, timeout=30, stdin=b"", env=None):
        return self._scripted(argv, env)

    def run(self, argv, timeout=120, stdin=b"", env=None, log=None, fix=""):
        self.limits.append(timeout)
        result = self._scripted(argv, env)
        if log:
            self.put(log, result.out + result.err)
        if not result.ok:
            raise Failed("{} failed with status {}".format(" ".join(argv), result.status))
        return result

    def scratch(self, files, copies, mode=0o644):
        return safe_files.scratch(files, {name: self._at(path) for name, path in copies.items()}, mode, self.root)

    def which(self, program):
        for folder in ("/usr/sbin", "/usr/bin"):
            if os.path.exists(self._at("{}/{}".format(folder, program))):
                return "{}/{}".format(folder, program)
        return None


def _mapped(name):
    inner = getattr(System, name)

    def method(self, path, *args, **kwargs):
        return inner(self, self._at(path), *args, **kwargs)

    return method


for _name in (
    *("read", "sha256", "read_unlinked", "stat", "names", "free", "link", "place", "keep", "append", "set_mode"),
    "remove",
):
    setattr(Rooted, _name, _mapped(_name))


def _check_place(self, path):
    if path.startswith(safe_files.ROOTS):
        safe_files.refuse_place(self._at(path))


def _write(self, path, data, mode=0o644, uid=0, gid=0, validate=None):
    System.write(self, self._at(path), data, mode, os.geteuid(), os.getegid(), validate)


def _make_directory(self, path, mode=0o755, uid=0, gid=0):
    place = self._at(path)
    if not os.path.isdir(os.path.dirname(place)):
        os.makedirs(os.path.dirname(place))
    System.make_directory(self, place, mode, os.geteuid(), os.getegid())


def _make_link(self, target, path):
    System.make_link(self, target, self._at(path))


def _rename(self, source, destination):
    System.rename(self, self._at(source), self._at(destination))


def _receive(self, path, fill, mode, uid, gid):
    System.receive(self, self._at(path), fill, mode, os.geteuid(), os.getegid())


Rooted.check_place = _check_place
Rooted.write = _write
Rooted.receive = _receive
Rooted.make_directory = _make_directory
Rooted.make_link = _make_link
Rooted.rename = _rename
