"""Public keys in a user's authorized_keys, on a real file system."""

import os
import stat

import pytest

from provision.agent.accounts import authorized_key
from provision.agent.accounts.authorized_key import AuthorizedKey
from provision.agent.engine.resource import converge
from provision.agent.host.system import ReadOnly, System

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAI" + "x" * 43
KEY = "ssh-ed25519 {} alice@laptop".format(BLOB)
OTHER = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB bob"


class Account:
    pw_uid, pw_gid = os.geteuid(), os.getegid()

    def __init__(self, home):
        self.pw_dir = str(home)


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(authorized_key, "account", lambda name: Account(home) if name == "alice" else None)
    return home


@pytest.fixture
def system(tmp_path):
    return System(state=str(tmp_path / "state"))


@pytest.fixture
def file(home):
    (home / ".ssh").mkdir(mode=0o700)
    return home / ".ssh" / "authorized_keys"


def key(text=KEY, user="alice", absent=False):
    return AuthorizedKey(user=user, key=text, absent=absent)


def outcome(resource, system):
    return converge(resource, system, False)["outcome"]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_first_key_makes_a_private_file(system, home, tmp_path):
    assert converge(key(), ReadOnly(state=str(tmp_path / "s")), True)["outcome"] == "would-change"
    assert os.listdir(str(home)) == []
    assert outcome(key(), system) == "changed"
    file = home / ".ssh" / "authorized_keys"
    assert file.read_text() == KEY + "\n"
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    assert outcome(key(), system) == "ok"


def test_other_lines_and_the_comment_stay(system, file):
    file.write_bytes(b"# mine \xff\n\n" + OTHER.encode() + b"\n" + KEY.replace("laptop", "home").encode())
    before = file.read_bytes()
    assert outcome(key(), system) == "ok"
    assert file.read_bytes() == before
    assert outcome(key(OTHER, absent=True), system) == "changed"
    assert file.read_bytes() == b"# mine \xff\n\n" + KEY.replace("laptop", "home").encode() + b"\n"


@pytest.mark.parametrize("line", ['from="10.0.0.0/8" ' + KEY, 'command="echo a # b",no-pty ' + KEY, KEY + "\n" + KEY])
def test_other_options_or_a_second_line_are_not_as_asked(system, file, line):
    file.write_text(OTHER + "\n" + line + "\n")
    assert outcome(key(), system) == "changed"
    assert file.read_text() == OTHER + "\n" + KEY + "\n"


def test_options_are_kept_as_asked(system, file):
    asked = 'restrict,command="/usr/bin/rsync --server" ' + KEY
    file.write_text(KEY + "\n")
    assert outcome(key(asked), system) == "changed"
    assert file.read_text() == asked + "\n"
    assert outcome(key(asked), system) == "ok"


def test_what_others_may_write_to_is_put_right(system, file):
    """sshd would take no key from there."""
    file.write_text(KEY + "\n")
    file.chmod(0o664)
    file.parent.chmod(0o775)
    assert outcome(key(), system) == "changed"
    assert (mode(file), mode(file.parent)) == (0o644, 0o755)
    assert file.read_text() == KEY + "\n"


def test_a_dropped_key_goes_with_whatever_options(system, file):
    file.write_text('from="x y" ' + KEY + "\n" + OTHER + "\n")
    undo = AuthorizedKey(**key().when_dropped()[1])
    assert outcome(undo, system) == "changed"
    assert file.read_text() == OTHER + "\n"
    assert outcome(undo, system) == "ok"
    assert undo.when_dropped() is None


def test_no_account(system, home):
    result = converge(key(user="eve"), system, False)
    assert "no account eve" in result["error"]["cause"]
    assert outcome(key(user="eve", absent=True), system) == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's directory")
@pytest.mark.parametrize("turned", ["file", "directory"])
def test_a_link_that_the_user_can_turn_is_not_followed(system, home, tmp_path, monkeypatch, turned):
    target = tmp_path / "target"
    target.mkdir()
    (target / "authorized_keys").write_text("root's\n")
    if turned == "file":
        (home / ".ssh").mkdir()
        (home / ".ssh" / "authorized_keys").symlink_to(target / "authorized_keys")
        os.chown(str(home / ".ssh"), 1234, 1234)
    else:
        (home / ".ssh").symlink_to(target)
    os.chown(str(home), 1234, 1234)
    assert outcome(key(), system) == "failed"
    assert (target / "authorized_keys").read_text() == "root's\n"
