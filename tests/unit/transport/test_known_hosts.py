"""known_hosts as OpenSSH reads it; ssh-keygen writes the hashed ones, so the two are compared with each other."""

import base64
import os
import stat
import subprocess
import threading

import pytest

from provision.transport import hostkeys
from provision.transport.known_hosts import KnownHosts, fingerprint
from provision.transport.ssh_config import Resolved

ED = b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"e" * 32
OTHER = b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"o" * 32


def line(names, blob=ED, kind="ssh-ed25519", marker=""):
    return f"{marker} {names} {kind} {base64.b64encode(blob).decode()} comment\n".lstrip()


@pytest.fixture
def look(tmp_path):
    def look(text, name, blob=ED):
        file = tmp_path / "known_hosts"
        file.write_text(text)
        verdict, entry = KnownHosts().lookup(name, [str(file)]).judge(blob)
        return verdict, entry.line if entry else None

    return look


@pytest.mark.parametrize(
    ("names", "name", "verdict"),
    [
        ("web1", "web1", "known"),
        ("WEB1", "web1", "known"),
        ("web1,10.0.0.1", "10.0.0.1", "known"),
        ("web1", "web10", "unknown"),
        ("10.0.0.*", "10.0.0.7", "known"),
        ("web?", "web1", "known"),
        ("web?", "web12", "unknown"),
        ("*.example.com,!bad.example.com", "good.example.com", "known"),
        ("*.example.com,!bad.example.com", "bad.example.com", "unknown"),
        ("[web1]:2222", "[web1]:2222", "known"),
        ("[web1]:2222", "web1", "unknown"),
        ("[*.example.com]:2222", "[a.example.com]:2222", "known"),
        ("[web1]:2222", "[web1]:22221", "unknown"),
    ],
)
def test_names_and_patterns(look, names, name, verdict):
    assert look(line(names), name)[0] == verdict


def test_another_key_is_a_changed_key_and_its_line_is_named(look):
    assert look("# comment\n\n" + line("web1", OTHER), "web1") == ("changed", 3)


def test_a_key_of_another_type_on_file_does_not_make_a_host_new(look):
    assert look(line("web1", b"rsa", "ssh-rsa"), "web1") == ("changed", 1)


def test_one_of_several_keys_is_enough(look):
    assert look(line("web1", OTHER) + line("web1"), "web1")[0] == "known"


def test_a_key_without_port_counts_when_it_is_the_same(look):
    assert look(line("web1"), "[web1]:2222")[0] == "known"
    assert look(line("web1", OTHER), "[web1]:2222")[0] == "unknown"


def test_revoked_wins_over_known(look):
    assert look(line("web1") + line("*", marker="@revoked"), "web1") == ("revoked", 2)
    assert look(line("web1") + line("*", OTHER, marker="@revoked"), "web1")[0] == "known"
    assert look(line("web1") + line("web2", marker="@revoked"), "web1")[0] == "known"


def test_an_authority_is_no_key(tmp_path):
    file = tmp_path / "known_hosts"
    file.write_text(line("*.example.com", marker="@cert-authority"))
    known = KnownHosts().lookup("a.example.com", [str(file)])
    assert known.judge(ED)[0] == "unknown"
    assert len(known.authorities) == 1
    assert not KnownHosts().lookup("a.example.org", [str(file)]).authorities


def test_broken_lines_are_passed_over(look):
    assert look("web1\nweb1 ssh-ed25519\nweb1 ssh-ed25519 !!!\n|1|x|y ssh-ed25519 AAAA\n" + line("web1"), "web1") == (
        "known",
        5,
    )


@pytest.mark.parametrize("name", ["web1", "[web1]:2222"])
def test_hashed_names_as_ssh_keygen_makes_them(tmp_path, name):
    file = tmp_path / "known_hosts"
    public = tmp_path / "key.pub"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    words = public.read_text().split()
    blob = base64.b64decode(words[1])
    file.write_text(f"{name} {words[0]} {words[1]}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert file.read_text().startswith("|1|")
    assert KnownHosts().lookup(name, [str(file)]).judge(blob)[0] == "known"
    assert KnownHosts().lookup("other", [str(file)]).judge(blob)[0] == "unknown"
    shown = subprocess.run(["ssh-keygen", "-lf", str(public)], check=True, capture_output=True, text=True)
    assert fingerprint(blob) == shown.stdout.split()[1]


@pytest.mark.parametrize("hashed", [True, False])
def test_an_accepted_key_is_found_by_ssh_keygen(tmp_path, hashed):
    file = tmp_path / "new" / "known_hosts"
    hosts = KnownHosts()
    assert hosts.accept("[web1]:2222", "ssh-ed25519", ED, [str(file)], hashed) == ("unknown", None)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(file.parent).st_mode) == 0o700
    assert ("web1" in file.read_text()) is not hashed
    found = subprocess.run(
        ["ssh-keygen", "-F", "[web1]:2222", "-f", str(file)], capture_output=True, text=True, check=False
    )
    assert base64.b64encode(ED).decode() in found.stdout
    assert hosts.lookup("[web1]:2222", [str(file)]).judge(ED)[0] == "known"


def test_a_last_line_without_newline_stays_whole(tmp_path):
    file = tmp_path / "known_hosts"
    file.write_text(line("web1").rstrip("\n"))
    KnownHosts().accept("web2", "ssh-ed25519", OTHER, [str(file)], False)
    hosts = KnownHosts()
    assert hosts.lookup("web1", [str(file)]).judge(ED)[0] == "known"
    assert hosts.lookup("web2", [str(file)]).judge(OTHER)[0] == "known"


def test_a_key_accepted_in_this_run_is_held_to_even_without_a_file():
    hosts = KnownHosts()
    assert hosts.accept("web1", "ssh-ed25519", ED, ["/dev/null"], False)[0] == "unknown"
    assert hosts.lookup("web1", ["/dev/null"]).judge(OTHER)[0] == "changed"
    assert hosts.accept("web1", "ssh-ed25519", OTHER, ["/dev/null"], False)[0] == "changed"


def test_a_key_is_added_once_however_many_ask(tmp_path):
    file = tmp_path / "known_hosts"
    hosts = KnownHosts()
    verdicts = []
    threads = [
        threading.Thread(target=lambda: verdicts.append(hosts.accept("web1", "ssh-ed25519", ED, [str(file)], True)[0]))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(verdicts) == ["known"] * 15 + ["unknown"]
    assert len(file.read_text().splitlines()) == 1


def test_a_change_of_the_file_is_seen(tmp_path):
    file = tmp_path / "known_hosts"
    hosts = KnownHosts()
    assert hosts.lookup("web1", [str(file)]).judge(ED)[0] == "unknown"
    file.write_text(line("web1"))
    assert hosts.lookup("web1", [str(file)]).judge(ED)[0] == "known"


def test_the_way_to_trust_a_new_host_is_named_with_a_verb_that_has_it():
    """verify, too, meets unknown hosts, and has no such option."""
    said = str(hostkeys.unknown(Resolved("web1", {}), "ED25519", "SHA256:x"))
    assert said.endswith("or run `check --accept-new-host-keys`")
