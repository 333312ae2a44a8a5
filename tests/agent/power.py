"""A host that dies at its N-th write, on file systems that lose what was not synced.

`dies_at` runs something in a child that is killed right before its N-th call that changes a file system. `Disk` is an
ext4 on a loop mount, whose power is cut at that moment: ext4's own shutdown, without a flush of its log.
"""

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import traceback

CALLS = ("rename", "unlink", "rmdir", "link", "symlink", "mkdir", "fsync", "fchmod", "fchown", "ftruncate", "setxattr")
SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN; its argument 2: no flush of the log."""


def missing():
    """Why there can be no such disk here, or None."""
    if os.geteuid() != 0:
        return "needs root: mounts"
    for program in ("mkfs.ext4", "mount", "umount", "losetup"):
        if shutil.which(program) is None:
            return "needs {}".format(program)
    done = subprocess.run(["losetup", "-f"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return None if done.returncode == 0 else "needs loop devices: {}".format(done.stdout.decode().strip())


class Disk:
    """`path` is where it is mounted. It begins as it was when `keep` was called.

    Each mount has an image of its own: mount takes a loop device again that another one has just left, with its cache.
    """

    def __init__(self, folder, size="16M"):
        self.path = folder / "disk"
        self._folder, self._number = folder, 0
        self._kept = self._image = str(folder / "empty")
        self.path.mkdir()
        run("truncate", "-s", size, self._image)
        run("mkfs.ext4", "-q", "-b", "1024", "-J", "size=1", self._image)
        self._mount()

    def _mount(self):
        self._number += 1
        image = str(self._folder / "image{}".format(self._number))
        run("cp", "--sparse=always", self._image, image)
        if self._image not in (self._kept, str(self._folder / "empty")):
            os.unlink(self._image)
        self._image = image
        run("mount", "-o", "loop", self._image, str(self.path))

    def comes_up(self):
        """With what is on it."""
        run("umount", str(self.path))
        self._mount()

    def keep(self):
        """This is what each `anew` begins with."""
        self._kept = str(self._folder / "kept")
        run("umount", str(self.path))
        run("cp", "--sparse=always", self._image, self._kept)
        self._mount()

    def anew(self):
        run("umount", str(self.path))
        os.unlink(self._image)
        self._image = self._kept
        self._mount()

    def cut(self):
        fd = os.open(str(self.path), os.O_RDONLY)
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", 2))
        os.close(fd)

    def end(self):
        """Leave no mount behind, whatever has become of it."""
        subprocess.call(["umount", "--lazy", str(self.path)], stderr=subprocess.DEVNULL)


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, (argv, done.stdout)


def dies_at(step, act, cut=lambda: None):
    """Run `act` in a child that dies right before its `step`-th write; False where it came to its end before that."""
    pid = os.fork()
    if pid == 0:
        try:
            _count(step, cut)
            act()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "it failed, see its standard error"
    return False


def _count(step, cut):
    left = [step]

    def counted(real, counts=lambda *args: True):
        def call(*args, **more):
            if counts(*args):
                left[0] -= 1
                if left[0] == 0:
                    cut()
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **more)

        return call

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    os.open = counted(os.open, lambda path, flags, *args: flags & os.O_CREAT)
