"""Package sets, on a host in a folder: dpkg's state is a file, apt and dpkg are scripted to the word."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from provision.agent.engine.resource import converge
from provision.agent.host.errors import Failed, TimedOut
from provision.agent.host.system import ReadOnly
from provision.agent.packages import apt, apt_errors, apt_locks, policy_rc
from provision.agent.packages.install import Packages
from provision.agent.services import staleness

from .rooted import Rooted, answer

STATUS = "/var/lib/dpkg/status"
POLICY = "/usr/sbin/policy-rc.d"
UPDATE = (["apt-get", "-q=1", "-o"], answer("Hit:1 http://deb.invalid x InRelease\n"))


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(apt_locks, "holder", lambda path: None)
    host = Rooted(tmp_path)
    os.makedirs(host.root + "/usr/sbin")
    host.put("/var/lib/provision/x", "")
    status(host)
    return host


def status(host, *packages):
    """Each package as (name, want, status, version)."""
    stanza = "Package: {}\nStatus: {} ok {}\nArchitecture: amd64\nVersion: {}\n"
    host.put(
        STATUS, "\n".join(stanza.format(*package) for package in packages + (("apt", "install", "installed", "2.6.1"),))
    )


def packages(*names, **changes):
    fields = {
        "packages": [{"name": name.split("=")[0], "version": (name.split("=") + [None])[1]} for name in names],
        "latest": False,
        "hold": True,
        "update": True,
        "replace": [],
        "conflicts": [],
        "no_start": ["docker", "containerd"],
        "allow_downgrade": False,
        "lock_timeout": 5,
        "timeout": 60,
    }
    return Packages(**dict(fields, **changes))


def leaves(*found, **options):
    """A command after which dpkg's state is this."""

    def run(system, argv):
        status(system, *found)
        return answer(options.get("out", ""))

    return run


def diff(result):
    return {item["key"]: (item["before"], item["after"]) for item in result["diff"]}


def test_a_fresh_host_gets_the_set_in_one_transaction_and_then_nothing(host):
    held = (("a", "hold", "installed", "1"), ("b", "hold", "installed", "2"))
    plain = tuple((name, "install", state, version) for name, _, state, version in held)
    host.commands = [
        UPDATE,
        (["apt-get"], leaves(*plain)),
        (["apt-mark", "hold", "a", "b"], leaves(*held)),
    ]
    result = converge(packages("a", "b=2"), host, False)
    assert result["outcome"] == "changed", result
    host.done()
    assert diff(result) == {"a": ("absent", "installed, held"), "b": ("absent", "2, held")}
    argv, env = host.ran[1]
    assert argv[-3:] == ["install", "a", "b=2"]
    assert {"-y", "--no-remove", "--no-install-recommends", "Dpkg::Options::=--force-confold"} <= set(argv)
    assert "--allow-downgrades" not in argv
    assert env["NEEDRESTART_SUSPEND"] == "1" and env["PROVISION_NO_START"] == "docker containerd"
    assert not os.path.exists(host.root + POLICY)
    assert converge(packages("a", "b=2"), host, False)["outcome"] == "ok"


def test_check_starts_nothing(host, tmp_path):
    result = converge(packages("a"), host, True)
    assert (result["outcome"], host.ran) == ("would-change", [])


def test_a_missing_hold_is_set_without_starting_apt_get(host):
    status(host, ("a", "install", "installed", "1"))
    host.commands = [(["apt-mark", "hold", "a"], leaves(("a", "hold", "installed", "1")))]
    result = converge(packages("a"), host, False)
    assert (result["outcome"], diff(result)) == ("changed", {"a": ("installed", "installed, held")})
    host.done()


def test_removed_but_configured_is_absent(host):
    status(host, ("a", "hold", "config-files", "1"))
    assert diff(converge(packages("a"), host, True)) == {"a": ("absent", "installed, held")}


def test_versions_are_equal_by_dpkgs_rules(host):
    status(host, ("a", "hold", "installed", "0:1.0-0"))
    assert converge(packages("a=1.0"), host, True)["outcome"] == "ok"


def test_an_engine_in_the_way_is_named_before_anything_is_touched(host):
    status(host, ("docker.io", "install", "installed", "20.10"))
    result = converge(packages("docker-ce", conflicts=["docker.io", "runc"]), host, False)
    assert result["outcome"] == "failed" and host.ran == []
    assert result["error"]["cause"] == "docker-ce conflicts with docker.io 20.10, which is installed"


def test_a_replaced_engine_goes_in_the_same_transaction_and_is_released(host):
    status(host, ("docker.io", "hold", "installed", "20.10"))
    after = ("docker-ce", "hold", "installed", "5:29")
    host.commands = [
        UPDATE,
        (["apt-mark", "unhold", "docker.io"], leaves(("docker.io", "install", "installed", "20.10"))),
        (["apt-get", "-s"], answer("Remv docker.io [20.10]\nInst docker-ce (5:29 x [amd64])\n")),
        (["apt-get"], leaves(after)),
    ]
    result = converge(
        packages("docker-ce", conflicts=["docker.io", "runc"], replace=["docker.io", "runc"]), host, False
    )
    assert result["outcome"] == "changed", result
    assert diff(result) == {"docker-ce": ("absent", "installed, held"), "docker.io": ("20.10", "absent")}
    argv, env = host.ran[3]
    assert argv[-3:] == ["install", "docker-ce", "docker.io-"]
    assert env["PROVISION_REMOVED"] == "docker.io"


def test_a_check_foresees_that_a_daemon_s_program_is_replaced(host):
    """Else the restart that an upgrade makes due is in no check."""
    status(host, ("docker.io", "install", "installed", "20.10"), ("runc", "hold", "installed", "1"))
    for name in ("docker.io", "runc"):
        host.put("/var/lib/dpkg/info/{}.list".format(name), "/.\n/usr/bin\n/usr/bin/{0}\n/usr/share/{0}\n".format(name))
    resource = packages("docker.io=26.1", "runc")
    assert converge(resource, host, True)["outcome"] == "would-change"
    assert host.foreseen == {"/usr/bin/docker.io": None}
    host.link_to("/proc/7/exe", "/usr/bin/docker.io")
    assert staleness.replaced(host, ["boot", 7, 1])
    host.link_to("/proc/8/exe", "/usr/bin/runc")
    assert not staleness.replaced(host, ["boot", 8, 1])


def test_a_check_foresees_that_a_replaced_engine_s_program_goes(host):
    status(host, ("docker.io", "install", "installed", "20.10"))
    host.put("/var/lib/dpkg/info/docker.io.list", "/usr/sbin/dockerd\n")
    converge(packages("docker-ce", conflicts=["docker.io"], replace=["docker.io"]), host, True)
    assert host.foreseen == {"/usr/sbin/dockerd": None}


def test_an_older_version_needs_leave(host):
    status(host, ("a", "hold", "installed", "5:2"))
    result = converge(packages("a=5:1"), host, True)
    assert result["error"]["cause"] == "a 5:2 is installed, and 5:1 is older"
    assert converge(packages("a=5:1", allow_downgrade=True), host, True)["outcome"] == "would-change"


@pytest.mark.parametrize(
    "simulated, cause",
    [
        ("Remv precious [1]\nInst a (1 x [amd64])\n", "apt would have to remove precious"),
        ("Purg precious:amd64 [1]\nInst a (1 x [amd64])\n", "apt would have to remove precious"),
        ("Inst a (1 x [amd64])\nInst dep [2.0] (1.9 x [amd64])\n", "apt would have to downgrade dep"),
        ("Inst a (1 x [amd64])\nInst kept [1] (2 x [amd64])\n", "apt would have to change kept, which somebody holds"),
    ],
)
def test_what_was_not_asked_for_stops_a_replacement_before_it_begins(host, simulated, cause):
    status(host, ("kept", "hold", "installed", "1"), ("b", "install", "installed", "1"))
    host.commands = [UPDATE, (["apt-get", "-s"], answer(simulated))]
    result = converge(packages("a", conflicts=["b"], replace=["b"]), host, False)
    assert (result["outcome"], result["error"]["cause"]) == ("failed", cause)
    host.done()


def test_where_there_is_nothing_to_replace_apt_itself_is_told_to_remove_nothing(host):
    host.commands = [UPDATE, (["apt-get"], leaves(("a", "hold", "installed", "1")))]
    assert converge(packages("a", conflicts=["b"], replace=["b"]), host, False)["outcome"] == "changed"
    assert "--no-remove" in host.ran[-1][0]


def test_a_failure_puts_the_hold_back(host):
    status(host, ("a", "hold", "installed", "1"))
    host.commands = [
        UPDATE,
        (["apt-mark", "unhold", "a"], leaves(("a", "install", "installed", "1"))),
        (["apt-get"], answer("", "E: Version '2' for 'a' was not found\n", 100)),
        (["apt-cache", "madison"], answer("  a |  1.5 | http://x\n  a | 1 | http://x\n")),
        (["apt-mark", "hold", "a"], leaves(("a", "hold", "installed", "1"))),
    ]
    result = converge(packages("a=2"), host, False)
    host.done()
    assert result["error"]["cause"] == "a has no version 2 in the sources of this host"
    assert result["error"]["fix"] == "ask for one that there is: 1.5, 1"


def test_an_interrupted_dpkg_is_repaired_first_and_may_be_all_that_was_wrong(host):
    status(host, ("a", "install", "unpacked", "1"))
    host.commands = [
        (
            ["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"],
            leaves(("a", "install", "installed", "1")),
        ),
        UPDATE,
        (["apt-mark", "hold", "a"], leaves(("a", "hold", "installed", "1"))),
    ]
    result = converge(packages("a"), host, False)
    assert result["outcome"] == "changed", result
    assert diff(result) == {"a": ("1 (unpacked)", "installed, held")}
    assert host.ran[0][1]["PROVISION_NO_START"], "its scripts must not start Docker either"


def test_a_lost_member_comes_back_at_the_version_of_the_others(host):
    status(host, ("ce", "hold", "installed", "5:28"))
    both = (("ce", "hold", "installed", "5:28"), ("cli", "install", "installed", "5:28"))
    host.commands = [
        UPDATE,
        (["apt-cache", "madison"], answer(" cli | 5:29 | x\n cli | 5:28 | x\n")),
        (["apt-get"], leaves(*both)),
        (["apt-mark", "hold", "cli"], leaves(*[(name, "hold", state, version) for name, _, state, version in both])),
    ]
    assert converge(packages("ce", "cli"), host, False)["outcome"] == "changed"
    assert host.ran[2][0][-1] == "cli=5:28"


def test_the_newest_is_known_only_with_lists_of_our_own(host):
    status(host, ("a", "hold", "installed", "1"))
    newest = packages("a", latest=True)
    assert diff(converge(newest, host, True)) == {
        "a": ("1 (whether that is the newest is known after apt-get update), held", "latest, held")
    }
    policy = "a:\n  Installed: 1\n  Candidate: 2\n  Version table:\n"
    host.commands = [
        UPDATE,
        (["apt-cache", "policy"], answer(policy)),
        (["apt-mark", "unhold", "a"], leaves(("a", "install", "installed", "1"))),
        (["apt-get"], leaves(("a", "install", "installed", "2"))),
        (["apt-mark", "hold", "a"], leaves(("a", "hold", "installed", "2"))),
        (["apt-cache", "policy"], answer(policy)),
    ]
    assert converge(newest, host, False)["outcome"] == "changed"
    host.done()
    host.commands = [(["apt-cache", "policy"], answer(policy))]
    assert converge(newest, host, False)["outcome"] == "ok"
    assert "Dir::Cache::pkgcache=" in host.ran[-1][0], "looking must not write apt's caches"


def test_lists_are_updated_once_in_a_run(host):
    assert not apt.updated(host)
    host.commands = [UPDATE]
    assert apt.update(host, 5) is None
    assert apt.updated(host) and apt.updated(host, None)
    host.state_file.put("apt", "updated", dict(host.state_file.get("apt", "updated"), run="another"))
    assert apt.updated(host) and not apt.updated(host, None)
    host.state_file.put("apt", "updated", {"run": "x", "time": time.time() - 2 * apt.FRESH})
    assert not apt.updated(host)


def test_of_a_source_that_came_after_the_update_of_a_run_only_its_own_list_is_updated(host):
    host.commands = [UPDATE, UPDATE, UPDATE]
    assert apt.update(host, 5) is None
    apt.sources_changed(host, "/etc/apt/sources.list.d/new.sources")
    assert not apt.updated(host, None)
    assert apt.update(host, 5) is None
    assert apt.updated(host, None)
    words = host.ran[-1][0]
    assert "Dir::Etc::sourcelist=/etc/apt/sources.list.d/new.sources" in words
    assert "APT::Get::List-Cleanup=0" in words, "the lists of all others stay"
    apt.sources_changed(host)
    assert apt.update(host, 5) is None
    assert not [word for word in host.ran[-1][0] if word.startswith("Dir::")], "what went or changed: all of them"


def test_what_was_wrong_with_the_others_lists_is_not_forgotten_over_the_new_one(host):
    broken = answer("", "W: Failed to fetch http://x/InRelease  Could not connect to x:80 (192.0.2.1)\n")
    host.commands = [(["apt-get", "-q=1"], broken), UPDATE]
    first = apt.update(host, 5)
    apt.sources_changed(host, "/etc/apt/sources.list.d/new.sources")
    assert apt.update(host, 5) is first
    assert not apt.updated(host)


def test_a_source_that_does_not_answer_matters_only_when_something_is_missing(host):
    broken = answer(
        "", "W: Failed to fetch http://x/InRelease  Could not connect to x:80 (192.0.2.1), connection timed out\n"
    )
    done = (["apt-get"], leaves(("a", "hold", "installed", "1")))
    host.commands = [(["apt-get", "-q=1"], broken), done]
    assert converge(packages("a"), host, False)["outcome"] == "changed"
    status(host)
    host.commands = [
        (["apt-get", "-q=1"], broken),
        (["apt-get"], answer("", "E: Unable to locate package a\n", 100)),
    ]
    error = converge(packages("a"), host, False)["error"]
    assert error["cause"] == "the host cannot reach the package source x:80, and no source of this host has a package a"
    assert "apt proxy" in error["fix"]


def test_a_lock_taken_between_our_look_and_apts_is_waited_for(host, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    busy = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)\n"
    host.commands = [(["apt-get"], answer("", busy, 100)), (["apt-get"], answer("", busy, 100)), UPDATE]
    assert apt.update(host, 30) is None
    host.done()


def stands_still(system, argv):
    """A command that is killed at its time limit, having said little."""
    raise TimedOut("{} took longer than its limit".format(" ".join(argv)))


def test_an_update_that_stands_still_is_tried_again(host):
    host.commands = [(["apt-get"], stands_still), (["apt-get"], stands_still), UPDATE]
    assert apt.update(host, 30) is None
    host.done()
    assert apt.updated(host, None)
    assert host.told == [
        "updating apt's lists",
        "updating apt's lists, which did not end within 100 s: attempt 2 of 3",
        "updating apt's lists, which did not end within 100 s: attempt 3 of 3",
    ]


def test_an_update_that_is_only_slow_gets_as_long_as_it_may_need_at_last(host):
    host.commands = [(["apt-get"], stands_still)] * 3
    error = apt.update(host, 30)
    host.done()
    assert host.limits == [100, 100, 300]
    assert error.cause == "apt-get update did not end within 300 s, nor in 2 attempts before that"
    assert "proxy" in error.fix
    assert not apt.updated(host)


def test_an_update_that_fails_is_not_tried_again(host):
    host.commands = [(["apt-get"], answer("", "E: Syntax error /etc/apt/apt.conf:1\n", 100))]
    assert "apt cannot read its configuration" in apt.update(host, 30).cause
    host.done()


# -- locks


def test_who_holds_a_lock_is_told_while_waiting_and_in_the_failure(tmp_path):
    lock = tmp_path / "lock"
    lock.write_text("")
    code = "import fcntl,sys,time; f=open(sys.argv[1],'w'); fcntl.lockf(f,fcntl.LOCK_EX)"
    code += "; print('held',flush=True); time.sleep(60)"
    owner = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE)
    system = ReadOnly(state=str(tmp_path / "state"))
    told = []
    system.progress = told.append
    try:
        owner.stdout.readline()
        assert apt_locks.holder(str(lock)) == owner.pid
        with pytest.raises(Failed) as caught:
            apt_locks.wait(system, 0.1, [str(tmp_path / "none"), str(lock)])
        assert "lock is held by process {} ({} -c".format(owner.pid, sys.executable) in caught.value.cause
        assert "do not remove" in caught.value.fix
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
    apt_locks.wait(system, 0, [str(lock)])
    assert lock.exists()
    assert [text.split(" (")[0] for text in told] == ["waiting: {} is held by process {}".format(lock, owner.pid)]


# -- policy-rc.d


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """policy_rc at work in a folder, with a script that really runs there."""
    monkeypatch.setattr(policy_rc, "PATH", str(tmp_path / "policy-rc.d"))
    text = policy_rc._SCRIPT.replace(policy_rc.SAVED, str(tmp_path / "saved"))
    monkeypatch.setattr(policy_rc, "SAVED", str(tmp_path / "saved"))
    monkeypatch.setattr(policy_rc, "_SCRIPT", text)
    return Rooted(tmp_path)


def asked(env, *words):
    environ = dict({"PATH": os.environ["PATH"]}, **env)
    return subprocess.call([policy_rc.PATH] + list(words), env=environ)


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_only_our_own_scripts_and_only_the_named_services_are_stopped(scripts):
    with policy_rc.forbidden(scripts, ["docker", "containerd"], ["docker.io"]) as env:
        assert asked(env, "docker", "start") == 101
        assert asked(env, "--quiet", "docker.service", "restart") == 101
        assert asked(env, "docker.socket", "start") == 101
        assert asked(env, "containerd.service", "stop") == 101
        assert asked(env, "docker-registry.service", "start") == 0
        assert asked(env, "cron", "start") == 0
        assert asked({}, "docker", "start") == 0, "an apt-get that is not ours"
        assert asked(dict(env, DPKG_MAINTSCRIPT_PACKAGE="docker.io"), "docker", "stop") == 0
        assert asked(dict(env, DPKG_MAINTSCRIPT_PACKAGE="docker-ce"), "docker", "stop") == 101
    assert not os.path.exists(policy_rc.PATH)


def test_the_hosts_own_policy_is_asked_and_comes_back(scripts):
    own = '#!/bin/sh\n[ "$1" = cron ] && exit 104\nexit 101\n'
    scripts.put(policy_rc.PATH, own, 0o755)
    with policy_rc.forbidden(scripts, ["docker"]) as env:
        assert asked(env, "docker", "start") == 101
        assert asked(env, "cron", "start") == 104
        assert asked({}, "cron", "start") == 104
    assert scripts.text(policy_rc.PATH) == own
    assert not os.path.exists(policy_rc.SAVED)
    assert scripts.stat(policy_rc.PATH).st_mode & 0o777 == 0o755


@pytest.mark.parametrize("own", [None, "#!/bin/sh\nexit 101\n"])
def test_what_a_dead_run_left_is_put_right_by_the_next(scripts, own):
    if own:
        scripts.put(policy_rc.PATH, own, 0o755)
    guard = policy_rc.forbidden(scripts, ["docker"])
    guard.__enter__()
    assert policy_rc.left_behind(scripts)
    policy_rc.restore(scripts)
    assert scripts.text(policy_rc.PATH) == own
    assert not policy_rc.left_behind(scripts)


def test_a_run_that_died_between_two_renames_is_put_right_too(scripts):
    scripts.put(policy_rc.SAVED, "own\n")
    assert policy_rc.left_behind(scripts)
    policy_rc.restore(scripts)
    assert scripts.text(policy_rc.PATH) == "own\n"


def test_a_left_policy_is_part_of_the_state_and_goes_even_when_the_packages_are_right(host):
    status(host, ("a", "hold", "installed", "1"))
    host.put(POLICY, "#!/bin/sh\n" + policy_rc.MARK + "\n")
    result = converge(packages("a"), host, False)
    assert (result["outcome"], diff(result)) == ("changed", {"policy-rc.d": ("left by an interrupted run", None)})
    assert not os.path.exists(host.root + POLICY)


def test_a_pin_that_keeps_a_package_out_is_named(host):
    host.put("/etc/apt/preferences.d/no-docker", "Package: a\nPin: release *\nPin-Priority: -1\n")
    said = answer("E: Package 'a' has no installation candidate\n", status=100)
    host.commands = [UPDATE, (["apt-get"], said), (["apt-cache", "madison"], answer(" a | 1 | http://x y Packages\n"))]
    error = converge(packages("a", hold=False), host, False)["error"]
    assert error["cause"] == "a preference of apt keeps a out: /etc/apt/preferences.d/no-docker"


# -- what apt says


SQV = "Err:1 http://x noble InRelease\n  Sub-process /usr/bin/sqv returned an error code (1), error message is: "
UNSIGNED = "\nE: The repository 'http://x noble InRelease' is not signed."


@pytest.mark.parametrize(
    "said, cause",
    [
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "there is no space left on the disk"),
        (
            "E: Conflicting values set for option Signed-By regarding source https://x/ noble: /a != /b\nE: The list",
            "two entries for the source https://x/ noble name different keys (/a != /b), which stops all of apt",
        ),
        (
            "W: GPG error: http://x y InRelease: ... NO_PUBKEY 7EA0A9C3F273FCD8",
            "a package source is signed with the key 7EA0A9C3F273FCD8, which this host does not have for it",
        ),
        (
            "Err: The following signatures were invalid: EXPKEYSIG 7EA0A9C3F273FCD8 Docker",
            "the key 7EA0A9C3F273FCD8 of a package source has expired",
        ),
        (
            "Err:1 file:/srv/repo x InRelease\n  Sub-process /usr/bin/sqv returned an error code (1), error message "
            "is: Verifying signature: Message has been manipulated\nE: The repository 'file:/srv x' is not signed.",
            "the signature of a package source does not fit its contents",
        ),
        (
            SQV + "Signing key on 9F3A0C12B7D4E5F6 is not bound:            No binding signature at time "
            "2026-11-29T00:00:00Z   because: Policy rejected non-revocation signature (PositiveCertification) "
            "requiring second pre-image resistance   because: SHA1 is not considered secure since 2026-02-01T00:00:00Z"
            + UNSIGNED,
            "apt does not take the key 9F3A0C12B7D4E5F6 of a package source: SHA1 is not considered secure since "
            "2026-02-01T00:00:00Z",
        ),
        (
            SQV + "Signing key on 9F3A0C12B7D4E5F6 is not bound:\n  because: Policy rejected asymmetric algorithm\n"
            "  because: RSA1024 is not considered secure since 2014-02-01T00:00:00Z" + UNSIGNED,
            "apt does not take the key 9F3A0C12B7D4E5F6 of a package source: RSA1024 is not considered secure since "
            "2014-02-01T00:00:00Z",
        ),
        (
            SQV + "Signing key on 9F3A0C12B7D4E5F6 is not bound: The primary key is not live" + UNSIGNED,
            "apt does not take the key 9F3A0C12B7D4E5F6 of a package source: The primary key is not live",
        ),
        (
            SQV + "Policy rejected the message because: SHA1 is not considered secure since 2026-02-01" + UNSIGNED,
            "apt does not take the signature of a package source: Policy rejected the message because: SHA1 is not "
            "considered secure since 2026-02-01",
        ),
        (
            SQV + "Something that is new" + UNSIGNED,
            "apt does not take the signature of a package source: Something that is new",
        ),
        (
            SQV + "Missing key 9F3A0C12B7D4E5F6, which is needed to verify signature." + UNSIGNED,
            "a package source is signed with the key 9F3A0C12B7D4E5F6, which this host does not have for it",
        ),
        (
            "E: The repository 'http://x noble Release' does not have a Release file.",
            "the package source 'http://x noble Release' has no signed Release file",
        ),
        (
            "E: Release file for http://x/InRelease is not valid yet (invalid for another 1d)",
            "the Release file of http://x/InRelease is not valid yet",
        ),
        (
            "Err:1 Temporary failure resolving 'deb.debian.org'",
            "the host cannot resolve the name deb.debian.org of a package source",
        ),
        (
            "  Could not connect to h:80 (192.0.2.1), connection timed out",
            "the host cannot reach the package source h:80",
        ),
        ("E: Unable to locate package nosuch", "no source of this host has a package nosuch"),
        (
            "E: Package 'docker-engine' has no installation candidate",
            "no source of this host has a package docker-engine",
        ),
        (
            "The following packages will be REMOVED:\n  b c\nThe following NEW packages will be installed:\n  a\n"
            "0 upgraded, 1 newly installed\nE: Packages need to be removed but remove is disabled.",
            "apt would have to remove b c",
        ),
        (
            "The following packages will be DOWNGRADED:\n  b\n1 downgraded\n"
            "E: Packages were downgraded and -y was used without --allow-downgrades.",
            "apt would have to downgrade b",
        ),
        (
            "The following held packages will be changed:\n  b\nThe following packages will be upgraded:\n  b\n"
            "E: Held packages were changed and -y was used without --allow-change-held-packages.",
            "apt would have to change b, which somebody holds",
        ),
        (
            "The following packages have unmet dependencies:\n a : Depends: b (>= 2) but 1 is to be installed\n"
            "E: Unable to correct problems, you have held broken packages.",
            "the packages' dependencies cannot be met: a : Depends: b (>= 2) but 1 is to be installed",
        ),
        (
            "E: Error, pkgProblemResolver::Resolve generated breaks, this may be caused by held packages.",
            "the packages' dependencies cannot be met, for which packages held on this host are the usual reason",
        ),
        (
            "E: Repository 'http://x noble InRelease' changed its 'Label' value from 'Docker CE' to 'Docker EE'\n"
            "N: This must be accepted explicitly before updates for this repository can be applied.",
            "the package source http://x noble changed its 'Label' value from 'Docker CE' to 'Docker EE',"
            " which apt takes from a person only",
        ),
        (
            "dpkg: error processing package foo (--configure):\n its script failed with exit status 1",
            "dpkg cannot process foo: its script failed with exit status 1",
        ),
        ("E: Something new", "otherwise: Something new"),
        ("", "otherwise"),
    ],
)
def test_one_sentence_for_what_apt_says(said, cause):
    error = apt_errors.explain(said, "otherwise")
    assert error.cause == cause
    assert error.fix or cause.startswith("otherwise")
