"""Logins: keys, agent, certificates, passwords; what is tried, how often, and what is said."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from provision.errors import Unreachable
from provision.secrets import Secret
from provision.transport import Pool
from provision.transport.openssh import OpenSshConnection

from .password_server import PASSWORD, PasswordServer
from .sshd import keygen


@pytest.fixture
def agent(tmp_path):
    """An ssh-agent: (its socket, a function that adds a key)."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        while not path.exists():
            assert process.poll() is None
        yield (
            path,
            lambda key: subprocess.run(
                ["ssh-add", "-q", str(key)], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(path)}
            ),
        )
    finally:
        process.terminate()
        process.wait(10)


def refusal(run, pool, target):
    with pytest.raises(Unreachable) as caught:
        run(pool, target)
    return str(caught.value)


def test_a_wrong_user_or_key(lab, pool, run, kind):
    server = lab.sshd()
    stranger = keygen(lab.folder / "stranger", "-t", "ed25519")
    said = refusal(run, pool, lab.target(server, connection=kind, user="nobody-here", private_key_file=str(stranger)))
    assert "does not let nobody-here in" in said
    assert "takes publickey" in said
    assert "ansible_user" in said


def test_the_keys_that_were_tried_are_named(lab, pool, run):
    server = lab.sshd()
    stranger = keygen(lab.folder / "stranger", "-t", "rsa", "-b", "2048")
    assert f"tried {stranger}" in refusal(run, pool, lab.target(server, private_key_file=str(stranger)))


@pytest.mark.parametrize(
    "options", [("-t", "ed25519"), ("-t", "ecdsa"), ("-t", "rsa", "-b", "2048"), ("-t", "rsa", "-m", "PEM")]
)
def test_types_of_keys(lab, pool, run, options):
    lab.key.unlink()
    lab.key.with_suffix(".pub").unlink()
    keygen(lab.key, *options)
    assert run(pool, lab.target(lab.sshd()), "echo in")[0] == b"in\n"


def test_identity_files_of_ssh_config(lab, pool, run, kind):
    stranger = keygen(lab.folder / "stranger", "-t", "ed25519")
    lab.configure(
        "Host *",
        f"  IdentityFile {lab.folder}/not-there",
        f"  IdentityFile {stranger}",
        f"  IdentityFile {lab.folder}/%%-%r-id",
    )
    shutil.copy(lab.key, lab.folder / f"%-{os.environ.get('USER', 'root')}-id")
    target = lab.target(lab.sshd(), connection=kind, private_key_file=None, user=os.environ.get("USER", "root"))
    assert run(pool, target, "echo in")[0] == b"in\n"


def test_a_key_in_the_agent(lab, pool, run, kind, agent):
    path, add = agent
    add(lab.key)
    lab.configure("Host *", f"  IdentityAgent {path}")
    lab.key.rename(lab.folder / "elsewhere")
    assert run(pool, lab.target(lab.sshd(), connection=kind, private_key_file=None), "echo in")[0] == b"in\n"


def test_the_agent_of_the_environment(lab, pool, run, kind, agent, monkeypatch):
    path, add = agent
    add(lab.key)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    lab.config.write_text(lab.config.read_text().replace("IdentityAgent none", ""))
    assert run(pool, lab.target(lab.sshd(), connection=kind, private_key_file=None), "echo in")[0] == b"in\n"


def test_many_keys_in_the_agent_do_not_use_up_the_tries(lab, pool, run, agent):
    """sshd allows six tries; the key that the inventory names comes first."""
    path, add = agent
    for number in range(8):
        add(keygen(lab.folder / f"other{number}", "-t", "ed25519"))
    lab.configure("Host *", f"  IdentityAgent {path}")
    server = lab.sshd()
    assert run(pool, lab.target(server), "echo in")[0] == b"in\n"
    assert "Failed publickey" not in server.log.read_text()


def test_identities_only_leaves_the_agent_out(lab, pool, run, agent):
    path, add = agent
    add(lab.key)
    stranger = keygen(lab.folder / "stranger", "-t", "ed25519")
    lab.configure("Host *", f"  IdentityAgent {path}", "  IdentitiesOnly yes")
    said = refusal(run, pool, lab.target(lab.sshd(), private_key_file=str(stranger)))
    assert f"tried {stranger};" in said


def test_a_passphrase_is_said(lab, pool, run):
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(lab.key)], check=True, capture_output=True)
    assert f"ssh-add {lab.key}" in refusal(run, pool, lab.target(lab.sshd()))


def test_a_key_with_passphrase_comes_from_the_agent(lab, pool, run, kind, agent):
    path, add = agent
    add(lab.key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(lab.key)], check=True, capture_output=True)
    lab.configure("Host *", f"  IdentityAgent {path}", "  IdentitiesOnly yes")
    assert run(pool, lab.target(lab.sshd(), connection=kind), "echo in")[0] == b"in\n"


@pytest.mark.parametrize("beside", [True, False])
def test_a_user_certificate(lab, pool, run, kind, beside):
    authority = keygen(lab.folder / "authority", "-t", "ed25519")
    user = keygen(lab.folder / "user", "-t", "ed25519")
    me = os.environ.get("USER", "root")
    subprocess.run(["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", me, str(user) + ".pub"], check=True)
    if not beside:
        (lab.folder / "user-cert.pub").rename(lab.folder / "apart.pub")
        lab.configure("Host *", f"  CertificateFile {lab.folder}/apart.pub")
    server = lab.sshd("server", f"TrustedUserCAKeys {authority}.pub")
    target = lab.target(server, connection=kind, private_key_file=str(user), user=me)
    assert run(pool, target, "echo in")[0] == b"in\n"


def test_a_fido_key_alone_chooses_openssh(lab, pool):
    key = lab.folder / "id_ed25519_sk"
    key.write_text("a private key handle")
    Path(f"{key}.pub").write_text("sk-ssh-ed25519@openssh.com AAAA me\n")
    lab.configure("Host *", "  IdentitiesOnly yes")
    assert isinstance(pool.connect(lab.target(lab.sshd(), private_key_file=str(key))), OpenSshConnection)


@pytest.mark.parametrize(
    "option",
    ["PKCS11Provider /usr/lib/card.so", "PreferredAuthentications gssapi-with-mic", "RevokedHostKeys /etc/krl"],
)
def test_what_paramiko_cannot_do_chooses_openssh(lab, pool, option):
    lab.configure("Host *", f"  {option}")
    assert isinstance(pool.connect(lab.target(port=1)), OpenSshConnection)


@pytest.fixture
def door(lab):
    """A server for passwords."""

    def door(methods, **more):
        key = keygen(lab.folder / "door", "-t", "ed25519")
        server = lab.keep(PasswordServer(key, methods, **more))
        lab.trust(server.known_hosts_line)
        return server

    return door


def knock(lab, server, kind, password=PASSWORD, **more):
    lab.configure("Host *", "  IdentityFile none", "  IdentitiesOnly yes")
    return lab.target(
        server,
        connection=kind,
        private_key_file=None,
        user="someone",
        password=Secret(password) if password else None,
        **more,
    )


@pytest.mark.parametrize(
    "methods", ["password", "publickey,password,keyboard-interactive", "publickey,keyboard-interactive"]
)
def test_a_password(lab, pool, run, kind, door, methods):
    server = door(methods)
    assert run(pool, knock(lab, server, kind), "hello")[0] == b"ran hello\n"
    assert len(server.tried) == 1


@pytest.mark.parametrize(
    "methods", ["password", "publickey,password,keyboard-interactive", "publickey,keyboard-interactive"]
)
def test_a_wrong_password_is_sent_once(lab, pool, run, kind, door, methods):
    server = door(methods)
    said = refusal(run, pool, knock(lab, server, kind, "wrong"))
    assert "does not let someone in" in said
    assert "ansible_password" in said
    assert len(server.tried) == 1
    assert "wrong" not in said


def test_without_a_password_none_is_asked_for(lab, pool, run, kind, door):
    server = door("password,keyboard-interactive")
    said = refusal(run, pool, knock(lab, server, kind, None))
    assert "takes password, keyboard-interactive" in said
    assert "give -k or ansible_password" in said
    assert server.tried == []


def test_a_second_factor_is_not_guessed(lab, pool, run, kind, door):
    server = door("keyboard-interactive", second_factor=True)
    refusal(run, pool, knock(lab, server, kind))
    assert server.tried == ["keyboard-interactive"]


def test_the_password_is_in_no_argument_and_no_environment(lab, run, door):
    """What /proc shows of every process while ssh is logging in."""
    server = door("password")
    seen = []
    target = knock(lab, server, "openssh")
    channel = Pool().connect(target).open("hello")
    for entry in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                seen.append((entry / name).read_bytes())
            except OSError:
                continue
    channel.close()
    assert seen
    assert not [text for text in seen if PASSWORD.encode() in text]


def test_nothing_is_left_of_the_helper(lab, pool, run, door, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    run(pool, knock(lab, door("password"), "openssh"))
    assert list((tmp_path / "tmp").iterdir()) == []
