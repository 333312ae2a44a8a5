"""File systems: mounted, and in fstab."""

import os

import pytest

from provision.agent.engine.resource import converge
from provision.agent.kernel.mount import Mount, fields_of, flags

from .rooted import Rooted, answer

MOUNTS = "/proc/self/mounts"
OTHER = "# a comment\nUUID=1 / ext4 errors=remount-ro 0 1"


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    host.put("/etc/fstab", OTHER)
    host.put(MOUNTS, "/dev/sda1 / ext4 rw 0 0\n")
    os.makedirs(host.root + "/srv")
    return host


def mount(options="defaults", source="UUID=aa", **changes):
    fields = {"path": "/srv/data", "source": source, "fstype": "ext4", "options": options, "absent": False}
    return Mount(**dict(fields, **changes))


def mounts(options="rw,relatime", source="/dev/sdb1"):
    def run(system, argv):
        with open(system.root + MOUNTS, "a") as file:
            file.write("{} /srv/data ext4 {} 0 0\n".format(source, options))
        return answer()

    return run


def is_mounted(host, *args):
    host.link_to("/dev/disk/by-uuid/aa", "../../sdb1")
    mounts(*args)(host, [])


def test_mounted_now_and_at_boot(host):
    host.link_to("/dev/disk/by-uuid/aa", "../../sdb1")
    host.commands = [(["mount", "-t", "ext4", "-o", "defaults", "UUID=aa", "/srv/data"], mounts())]
    assert converge(mount(), host, True)["outcome"] == "would-change"
    assert converge(mount(), host, False)["outcome"] == "changed"
    assert host.text("/etc/fstab") == OTHER + "\nUUID=aa /srv/data ext4 defaults 0 0\n"
    assert converge(mount(), host, False)["outcome"] == "ok"
    host.done()


def test_what_cannot_be_mounted_is_not_in_fstab(host):
    host.commands = [(["mount"], answer(status=32))]
    assert converge(mount(), host, False)["outcome"] == "failed"
    assert host.text("/etc/fstab") == OTHER


def test_files_are_not_hidden_and_no_other_file_system(host):
    host.put("/srv/data/x", "")
    assert "not empty" in converge(mount(), host, False)["error"]["cause"]
    os.remove(host.root + "/srv/data/x")
    is_mounted(host, "rw", "/dev/sdc1")
    assert "another file system" in converge(mount(), host, False)["error"]["cause"]
    assert host.text("/etc/fstab") == OTHER


def test_a_flag_that_is_not_live_is_remounted(host):
    is_mounted(host)
    host.put("/etc/fstab", "UUID=aa /srv/data ext4 noexec 0 2\n")
    argv = ["mount", "-t", "ext4", "-o", "remount,noexec,dev,suid,rw", "UUID=aa", "/srv/data"]

    def run(system, argv):
        system.put(MOUNTS, "/dev/sdb1 /srv/data ext4 rw,noexec 0 0\n")
        return answer()

    host.commands = [(["mount", "-t", "ext4", "-o"], run)]
    assert converge(mount("noexec"), host, False)["outcome"] == "changed"
    assert sorted(host.ran[0][0][4].split(",")) == sorted(argv[4].split(","))


def test_a_line_with_other_options_is_replaced_in_its_place(host):
    is_mounted(host)
    host.put("/run/systemd/system/x", "")
    host.put("/etc/fstab", "/dev/sdb1 /srv/data ext4 nofail 0 2\n" + OTHER + "\n")
    host.commands = [(["systemctl", "daemon-reload"], answer())]
    result = converge(mount(), host, False)
    assert result["outcome"] == "changed"
    assert result["impact"]["systemd"]
    assert host.text("/etc/fstab") == "UUID=aa /srv/data ext4 defaults 0 2\n" + OTHER + "\n"
    host.done()


def test_noauto_is_in_fstab_only(host):
    assert converge(mount("noauto"), host, False)["outcome"] == "changed"
    assert converge(mount("noauto"), host, False)["outcome"] == "ok"


def test_a_dropped_mount_stays_mounted(host):
    is_mounted(host)
    converge(mount(), host, False)
    undo = Mount(**mount().when_dropped()[1])
    assert converge(undo, host, False)["outcome"] == "changed"
    assert host.text("/etc/fstab") == OTHER + "\n"
    assert converge(undo, host, False)["outcome"] == "ok"
    assert undo.when_dropped() is None


def test_a_mount_that_mount_only_pretends_is_a_failure(host):
    host.commands = [(["mount"], answer())]
    assert converge(mount(), host, False)["outcome"] == "failed"


def test_words_of_fstab():
    assert fields_of("/dev/a /srv/a\\040b ext4") == ["/dev/a", "/srv/a b", "ext4", "defaults"]
    assert fields_of("# x y z") is None
    assert flags("users,exec,ro") == "nodev,nosuid,ro"
    assert flags("rw,relatime") == flags("defaults") == ""


@pytest.mark.parametrize("source, outcome", [("/srv/./data", "ok"), ("/srv/other", "failed")])
def test_a_bind_mount_is_the_same_directory(host, source, outcome):
    """The kernel shows the file system that the directory is part of."""
    host.put("/srv/other/x", "")
    os.makedirs(host.root + "/srv/data")
    host.put("/etc/fstab", source + " /srv/data none bind 0 0\n")
    mounts("rw", "/dev/sda1")(host, [])
    assert converge(mount("bind", source, fstype="none"), host, False)["outcome"] == outcome
