"""Each kind that writes a file, on each way in which such a file may lie there: kept as it is, or refused in the plan.

A link stays a link, and what it leads to keeps what it had beside its contents; a stricter mode stays; what cannot be
done is one sentence in check and in apply, and nothing is touched.
"""

import hashlib
import os
import shutil
import stat
import subprocess

import pytest

from provision.agent.engine import kinds
from provision.agent.engine.resource import converge
from provision.agent.host.system import System

from .keys import GOOD, GOOD_FINGERPRINT
from .rooted import Rooted, answer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED, needs root: owners, mounts, chattr")

ROOTS = {"owner": "root", "group": "root"}
KEYS = {"keys": [{"path": ["mtu"], "value": 1400, "role": "r", "secret": False}], "absent": [], "roles": ["r"]}
FLAGS = {"flags": [{"name": "mtu", "value": "1400", "role": "r"}], "absent": [], "variables": {}, "export": False}
WRITERS = {
    "json_keys": (
        "/etc/docker/daemon.json", '{"debug": false}',
        dict(KEYS, path="/etc/docker/daemon.json", mode="0644", sensitive=False, validate_with=None, **ROOTS),
    ),
    "daemon_flags": (
        "/etc/default/docker", "# here\n", dict(FLAGS, path="/etc/default/docker", roles=["r"], sensitive=False)
    ),
    "file": (
        "/etc/systemd/system/docker.service.d/zz-provision.conf", "[Service]\n",
        dict(ROOTS, path="/etc/systemd/system/docker.service.d/zz-provision.conf", content="[Service]\nUMask=077\n",
             mode="0644", sensitive=False, validate_with=None),
    ),
    "apt_conf": (
        "/etc/apt/apt.conf.d/95x", "// x\n",
        {"path": "/etc/apt/apt.conf.d/95x", "content": 'A "b";\n', "mode": "0644", "sensitive": False},
    ),
    "toml_values": (
        "/etc/nvidia-container-runtime/config.toml", "a = 1\n",
        {"path": "/etc/nvidia-container-runtime/config.toml", "values": {"a": 2}},
    ),
    "sysctl": ("/etc/sysctl.d/60-provision-kernel.pid_max.conf", "# x\n", {"name": "kernel.pid_max", "value": "7"}),
    "kernel_module": (
        "/etc/modules-load.d/provision-loop.conf", "# x\n", {"name": "loop", "options": {}, "absent": False}
    ),
    "mount": (
        "/etc/fstab", "# x\n",
        {"path": "/data", "source": "tmpfs", "fstype": "tmpfs", "options": "defaults", "absent": False},
    ),
    "line_in_file": (
        "/etc/default/lines", "one\n", {"path": "/etc/default/lines", "line": "two", "match": None, "absent": False}
    ),
    "systemd_unit": ("/etc/systemd/system/x.service", "[Unit]\n", {"name": "x.service", "content": "[Service]\n"}),
    "systemd_drop_in": (
        "/etc/systemd/system/x.service.d/y.conf", "[Unit]\n",
        {"unit": "x.service", "name": "y.conf", "content": "[Service]\n"},
    ),
    "download": (
        "/etc/x/tool", "old", dict(ROOTS, path="/etc/x/tool", url="", sha256="", mode="0644", timeout=9, absent=False)
    ),
    "apt_source": (
        "/etc/apt/sources.list.d/docker.sources", "Types: deb\nURIs: http://old.invalid/\nSuites: a\nComponents: b\n",
        {"name": "docker", "uri": "https://example.invalid/linux", "suite": "noble", "components": ["stable"],
         "architecture": None, "key": GOOD, "fingerprint": GOOD_FINGERPRINT, "replaces": [], "present": True},
    ),
}  # fmt: skip
KEEP_THEIR_MODE = ("mount", "line_in_file")
"""Kinds that never change a mode."""
AS_ASKED = ("download",)
"""Kinds for which the inventory says the mode."""
FOLLOW_NO_LINK = ("line_in_file",)


@pytest.fixture
def host(tmp_path, monkeypatch):
    made = Permissive(tmp_path / "root")
    made.put("/var/lib/dpkg/status", "Package: apt\nStatus: install ok installed\nVersion: 2.6.1\n")
    made.put("/proc/sys/kernel/pid_max", "7\n")
    made.put("/proc/self/mounts", "tmpfs /data tmpfs rw 0 0\n")
    made.put("/sys/module/loop/refcnt", "0")
    made.put("/srv/tool", "new")
    os.mkdir(made._at("/run"))
    return made


class Permissive(Rooted):
    """All commands succeed; apt takes what it is given."""

    def _scripted(self, argv, env):
        return answer()

    def write(self, path, data, mode=0o644, uid=0, gid=0, validate=None):
        System.write(self, self._at(path), data, mode, uid, gid, validate)


class Case:
    """One kind with its file."""

    def __init__(self, host, kind):
        self.host, self.kind = host, kind
        self.path, self.text, self.fields = WRITERS[kind]
        if kind == "download":
            digest = hashlib.sha256(b"new").hexdigest()
            self.fields = dict(self.fields, url="file://" + host.root + "/srv/tool", sha256=digest)
        self.at = host._at(self.path)
        host.put(self.path, self.text, 0o644)

    def move_to(self, target, link=None):
        """The file is behind a link now."""
        place = self.host._at(target)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.move(self.at, place)
        os.symlink(link or place, self.at)
        return place

    def converge(self, check=False):
        return converge(kinds.make(self.kind, self.fields), self.host, check)

    def changes(self):
        """It is changed and then ok; what it has written is new."""
        result = self.converge()
        assert result["outcome"] == "changed", result["error"]
        again = self.converge()
        assert again["outcome"] == "ok", again

    def refused(self, words):
        """One sentence in check and in apply alike; nothing is touched."""
        for check in (True, False):
            result = self.converge(check)
            assert result["outcome"] == "failed", (check, result)
            assert words in result["error"]["cause"] and result["error"]["fix"], result["error"]
            assert "Errno" not in result["error"]["cause"] and result["error"]["trace"] == ""


@pytest.fixture(params=sorted(WRITERS))
def case(request, host):
    return Case(host, request.param)


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def read(path):
    with open(path) as file:
        return file.read()


@pytest.mark.parametrize("way", ["absolute", "relative", "chain"])
def test_a_link_stays_and_its_file_keeps_what_it_had(case, way):
    place = case.move_to("/opt/conf/it", os.path.relpath(case.host._at("/opt/conf/it"), os.path.dirname(case.at))
                         if way == "relative" else None)  # fmt: skip
    if way == "chain":
        os.rename(case.at, case.host._at("/opt/second"))
        os.symlink(case.host._at("/opt/second"), case.at)
    os.setxattr(place, "user.site", b"theirs")
    link = os.readlink(case.at)
    if case.kind in FOLLOW_NO_LINK:
        case.refused("is a symbolic link")
        assert read(place) == case.text
        return
    case.changes()
    assert os.readlink(case.at) == link
    assert read(place) != case.text and mode_of(place) == 0o644
    assert os.getxattr(place, "user.site") == b"theirs"


def test_a_link_to_another_file_system_stays(case):
    disk = case.host._at("/disk")
    os.mkdir(disk)
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", "mode=755", "none", disk])
    try:
        place = disk + "/it"
        shutil.move(case.at, place)
        os.symlink(place, case.at)
        if case.kind in FOLLOW_NO_LINK:
            return case.refused("is a symbolic link")
        case.changes()
        assert os.readlink(case.at) == place and read(place) != case.text
        return None
    finally:
        subprocess.check_call(["umount", "--lazy", disk])


@pytest.mark.parametrize("target", ["nowhere", "it", "open/it", "alice/it", "device", "fifo", "folder"])
def test_a_link_that_cannot_be_followed_is_refused_in_the_plan(case, target):
    folder = os.path.dirname(case.at)
    for name, change in (("open", lambda path: os.chmod(path, 0o777)), ("alice", lambda path: os.chown(path, 9, 9))):
        os.mkdir(os.path.join(folder, name))
        shutil.copy(case.at, os.path.join(folder, name, "it"))
        change(os.path.join(folder, name))
    os.mknod(os.path.join(folder, "device"), stat.S_IFCHR | 0o666, os.makedev(1, 3))  # what masks a drop-in of systemd
    os.mkfifo(os.path.join(folder, "fifo"))
    os.mkdir(os.path.join(folder, "folder"))
    os.unlink(case.at)
    os.symlink(os.path.basename(case.at) if target == "it" else target, case.at)
    case.refused("")
    assert os.path.islink(case.at)
    assert stat.S_ISCHR(os.stat(os.path.join(folder, "device")).st_mode), "it is /dev/null that would be gone"
    assert read(os.path.join(folder, "alice", "it")) == read(os.path.join(folder, "open", "it")) == case.text


def test_the_other_names_of_a_file_keep_what_they_had(case, tmp_path):
    os.link(case.at, str(tmp_path / "backup"))
    case.changes()
    assert read(str(tmp_path / "backup")) == case.text != read(case.at)


@pytest.mark.parametrize("locked", ["file", "directory"])
def test_what_is_locked_is_refused_in_the_plan(case, locked):
    path = case.at if locked == "file" else os.path.dirname(case.at)
    if subprocess.call(["chattr", "+i", path], stderr=subprocess.DEVNULL) != 0:
        pytest.skip("NOT TESTED, this file system locks no files")
    try:
        if case.kind == "download":
            assert case.converge()["outcome"] == "failed"
        else:
            case.refused("is locked against changes")
        assert read(case.at) == case.text
    finally:
        subprocess.check_call(["chattr", "-i", path])


def test_a_stricter_mode_stays(case):
    os.chmod(case.at, 0o600)
    case.changes()
    assert mode_of(case.at) == (0o644 if case.kind in AS_ASKED else 0o600)
    assert read(case.at) != case.text


def test_a_stricter_mode_alone_is_no_difference(case):
    case.changes()
    os.chmod(case.at, 0o600)
    assert case.converge()["outcome"] == ("changed" if case.kind in AS_ASKED else "ok")


def test_a_file_of_somebody_else_is_roots_afterwards_and_what_others_share_stays(case):
    os.chown(case.at, 9, 9)
    case.changes()
    if case.kind in KEEP_THEIR_MODE:
        assert os.stat(case.at).st_uid == 9
    elif case.kind not in ("sysctl", "kernel_module"):  # Rooted gives all to who runs the tests
        assert os.stat(case.at).st_uid == 0


def test_an_acl_stays_within_the_mode(case):
    """user:9:rw-, mask rw-: what setfacl -m u:9:rw makes of 0644."""
    acl = b"\x02\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + perm.to_bytes(2, "little") + who.to_bytes(4, "little")
        for tag, perm, who in ((1, 6, 2**32 - 1), (2, 6, 9), (4, 4, 2**32 - 1), (16, 6, 2**32 - 1), (32, 4, 2**32 - 1))
    )
    try:
        os.setxattr(case.at, "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("NOT TESTED, this file system has no ACLs")
    case.changes()
    kept = os.getxattr(case.at, "system.posix_acl_access")
    assert (2).to_bytes(2, "little") + (6).to_bytes(2, "little") + (9).to_bytes(4, "little") in kept, "the entry stays"
    assert mode_of(case.at) == (0o664 if case.kind in KEEP_THEIR_MODE else 0o644), "and the mask is the mode's"


def test_a_directory_below_etc_that_others_may_change_is_refused_in_the_plan(case):
    folder = os.path.dirname(case.path)
    if folder == "/etc" or case.kind == "download":
        return
    for change in (lambda path: os.chown(path, 9, 9), lambda path: os.chmod(path, 0o775)):
        change(case.host._at(folder))
        case.refused("which others than root may change")
        os.chown(case.host._at(folder), 0, 0)
        os.chmod(case.host._at(folder), 0o755)
    assert read(case.at) == case.text


def test_etc_docker_behind_a_link_into_a_home_is_refused_even_where_all_is_as_asked(host):
    case = Case(host, "json_keys")
    case.changes()
    home = host._at("/home/alice")
    os.makedirs(home)
    os.chown(home, 9, 9)
    os.rename(host._at("/etc/docker"), home + "/docker")
    os.symlink(home + "/docker", host._at("/etc/docker"))
    case.refused("which others than root may change")
    os.chown(home, 0, 0)
    assert case.converge()["outcome"] == "ok", "behind a link that is root's all along it may lie"
    os.rename(home + "/docker", home + "/away")
    case.refused("is a symbolic link, and {}/docker, to which it leads, does not exist".format(home))
