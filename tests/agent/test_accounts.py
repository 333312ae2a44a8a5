"""Accounts and memberships, with the host's databases and programs in memory; real ones are met in tests/e2e."""

import collections

import pytest

from provision.agent.accounts import membership, users
from provision.agent.accounts.membership import GroupExclusive, GroupMembership
from provision.agent.accounts.users import Group, UserAccount
from provision.agent.engine.resource import converge
from provision.agent.host.results import CommandResult
from provision.agent.host.system import System

Entry = collections.namedtuple("Entry", "pw_name pw_uid pw_gid pw_dir pw_shell")
HASH = "$6$salt$" + "x" * 86


class Host(System):
    """A host whose /etc is a dictionary. An unexpected command fails the test."""

    def __init__(self, tmp_path):
        System.__init__(self, state=str(tmp_path / "state"))
        self.users = {}  # name: Entry, wherever it comes from
        self.groups = {"docker": (998, [])}
        self.remote = set()
        self.remote_groups = set()
        self.shadow = {}
        self.commands = []

    def add(self, name, uid, gid=None, remote=False):
        self.users[name] = Entry(name, uid, uid if gid is None else gid, "/home/" + name, "/bin/bash")
        if remote:
            self.remote.add(name)

    def gid(self, group):
        return self.groups.get(group, (None,))[0]

    def text(self, path):
        if path == "/etc/passwd":
            return "".join(
                "{}:x:{}:{}::/:/bin/sh\n".format(u.pw_name, u.pw_uid, u.pw_gid)
                for u in self.users.values()
                if u.pw_name not in self.remote
            )
        if path == "/etc/group":
            local = [item for item in self.groups.items() if item[0] not in self.remote_groups]
            return "".join("{}:x:{}:{}\n".format(name, gid, ",".join(who)) for name, (gid, who) in local)
        if path == "/etc/shadow":
            return "".join("{}:{}:19000::::::\n".format(*item) for item in self.shadow.items())
        if path == "/etc/login.defs":
            return "UID_MIN\t\t 1000\n"
        return System.text(self, path)

    def run(self, argv, stdin=b"", **more):
        self.commands.append(argv)
        assert HASH not in " ".join(argv)
        program, name = argv[0], argv[-1]
        if program == "groupadd":
            self.groups[name] = (998, [])
        elif program == "useradd":
            self.add(name, 1500)
            self.shadow[name] = "!"
        elif program == "usermod":
            self.users[name] = self.users[name]._replace(pw_shell=argv[2])
        elif program == "chpasswd":
            user, _, text = stdin.decode("ascii").strip().partition(":")
            self.shadow[user] = text
        elif argv[:2] == ["gpasswd", "--add"]:
            self.groups[argv[3]][1].append(argv[2])
        elif argv[:2] == ["gpasswd", "--delete"]:
            self.groups[argv[3]][1].remove(argv[2])
        else:
            raise AssertionError(argv)
        return CommandResult(argv, 0, "", "")


@pytest.fixture
def host(tmp_path, monkeypatch):
    host = Host(tmp_path)
    look = host.users.get
    monkeypatch.setattr(users, "account", look)
    monkeypatch.setattr(membership, "account", look)
    monkeypatch.setattr(membership.grp, "getgrgid", lambda gid: _group(host, gid))
    monkeypatch.setattr(
        membership.os, "getgrouplist", lambda user, gid: [gid] + [g for g, who in host.groups.values() if user in who]
    )
    return host


def _group(host, gid):
    return collections.namedtuple("G", "gr_mem")([name for g, who in host.groups.values() if g == gid for name in who])


def account(**changes):
    fields = {"name": "alice", "uid": None, "home": None, "shell": None, "password_hash": None, "password": "on_create"}
    return UserAccount(**dict(fields, **changes))


def member(user="alice", wanted=True, created=False):
    return GroupMembership(group="docker", user=user, member=wanted, created=created)


def outcome(resource, host, check=False):
    result = converge(resource, host, check)
    assert HASH not in str(result)
    return result["outcome"]


def test_the_group_is_made_once(host):
    del host.groups["docker"]
    assert outcome(Group(name="docker"), host, check=True) == "would-change"
    assert outcome(Group(name="docker"), host) == "changed"
    assert outcome(Group(name="docker"), host) == "ok"


def test_an_account_is_made_with_its_password_on_stdin(host):
    resource = account(password_hash=HASH, shell="/bin/bash")
    assert outcome(resource, host, check=True) == "would-change"
    assert host.commands == []
    assert outcome(resource, host) == "changed"
    assert host.shadow["alice"] == HASH
    assert outcome(resource, host) == "ok"


def test_a_password_of_the_users_own_stays_unless_always(host):
    host.add("alice", 1000)
    host.shadow["alice"] = "$6$own$"
    assert outcome(account(password_hash=HASH), host) == "ok"
    assert outcome(account(password_hash=HASH, password="always"), host) == "changed"
    assert host.shadow["alice"] == HASH


def test_a_run_that_died_between_account_and_password_is_made_good(host):
    resource = account(password_hash=HASH)
    normal = host.run

    def dies(argv, **more):
        if argv[0] == "chpasswd":
            raise OSError("the power failed")
        return normal(argv, **more)

    host.run = dies
    assert outcome(resource, host) == "failed"
    host.run = normal
    assert outcome(resource, host) == "changed"
    assert host.shadow["alice"] == HASH


def test_a_shell_is_changed_and_a_uid_never(host):
    host.add("alice", 1000)
    assert outcome(account(shell="/bin/zsh"), host) == "changed"
    assert outcome(account(uid=2000), host) == "failed"
    assert outcome(account(home="/elsewhere"), host, check=True) == "failed"
    assert [words[0] for words in host.commands] == ["usermod"]


def test_an_account_of_a_directory_is_left_as_it_is(host):
    host.add("alice", 70000, remote=True)
    assert outcome(account(password_hash=HASH, shell="/bin/bash"), host) == "ok"
    assert outcome(account(password_hash=HASH, password="always"), host) == "failed"
    assert outcome(account(shell="/bin/zsh"), host) == "failed"
    assert outcome(member(), host) == "changed", "and can be a member"
    assert host.groups["docker"][1] == ["alice"]


def test_membership_comes_goes_and_says_what_it_means(host):
    host.add("alice", 1000)
    result = converge(member(), host, True)
    assert result["outcome"] == "would-change"
    assert "root" in result["note"]
    assert outcome(member(), host) == "changed"
    assert outcome(member(), host) == "ok"
    kind, fields = member().when_dropped()
    assert (kind, fields["member"]) == ("group_membership", False)
    assert outcome(GroupMembership(**fields), host) == "changed"
    assert host.groups["docker"][1] == []


def test_on_a_fresh_host_check_is_right(host):
    del host.groups["docker"]
    assert outcome(member(created=True), host, check=True) == "would-change"
    assert outcome(member(created=False), host, check=True) == "failed", "nobody will make this account"
    assert outcome(member(wanted=False), host, check=True) == "ok"
    assert outcome(GroupExclusive(group="docker", keep=[]), host, check=True) == "ok"


def test_a_primary_group_counts_and_cannot_be_left(host):
    host.add("dave", 1001, gid=998)
    assert outcome(member("dave"), host) == "ok"
    result = converge(member("dave", wanted=False), host, False)
    assert result["outcome"] == "failed"
    assert "primary group" in result["error"]["cause"]
    assert host.commands == []


def test_a_group_of_a_directory_is_refused_in_the_plan(host):
    host.add("alice", 1000)
    host.remote_groups.add("docker")
    for check in (True, False):
        result = converge(member(), host, check)
        assert result["outcome"] == "failed"
        assert "docker is not in /etc/group" in result["error"]["cause"]
    assert outcome(member("bob", created=True), host, check=True) == "failed", "that this run will make"
    host.groups["docker"][1].append("alice")
    assert outcome(member(), host, check=True) == "ok"
    assert outcome(member(wanted=False), host, check=True) == "failed"
    assert outcome(GroupExclusive(group="docker", keep=[]), host, check=True) == "failed"
    assert host.commands == []


def test_exclusive_lists_who_goes_and_spares_system_accounts(host):
    for name, uid in (("alice", 1000), ("bob", 1001), ("jenkins", 110), ("nobody", 65534)):
        host.add(name, uid)
    host.groups["docker"] = (998, ["alice", "bob", "jenkins", "nobody", "ghost"])
    resource = GroupExclusive(group="docker", keep=["alice"])
    result = converge(resource, host, True)
    assert result["diff"] == [{"key": "others", "before": ["bob", "ghost"], "after": []}]
    assert outcome(resource, host) == "changed"
    assert host.groups["docker"][1] == ["alice", "jenkins", "nobody"]
    assert outcome(resource, host) == "ok"
