"""Strict host keys, against real servers; both transports say the same."""

import os
import stat
import subprocess

import pytest

from provision.errors import Unreachable
from provision.secrets import Secret
from provision.transport import Pool

from .sshd import keygen


def certify(lab, server_key, name):
    """A host certificate for `server_key`, by a new authority; the authority's public key."""
    authority = keygen(lab.folder / "authority", "-t", "ed25519")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "host", "-h", "-n", name, str(server_key) + ".pub"], check=True
    )
    return authority.with_suffix(".pub").read_text().strip()


def test_an_unknown_host_is_refused_and_nothing_is_written(lab, pool, run, kind):
    server = lab.sshd(known=False)
    with pytest.raises(Unreachable, match="is not in") as caught:
        run(pool, lab.target(server, connection=kind))
    said = str(caught.value)
    assert server.known_name in said
    assert str(lab.known_hosts) in said
    assert "ssh-keyscan" in said
    assert "--accept-new-host-keys" in said
    assert server.fingerprint() in said
    assert lab.known_hosts.read_text() == ""


@pytest.mark.parametrize("value", ["no", "accept-new", "off"])
def test_a_lax_ssh_config_does_not_weaken_us(lab, pool, run, kind, value):
    lab.configure("Host *", f"  StrictHostKeyChecking {value}")
    with pytest.raises(Unreachable, match="is not in"):
        run(pool, lab.target(lab.sshd(known=False), connection=kind))
    assert lab.known_hosts.read_text() == ""


def test_new_keys_are_accepted_where_that_was_asked_for_and_told(lab, run, kind):
    server = lab.sshd(known=False)
    told = []
    pool = Pool(accept_new_host_keys=True, on_host_key=told.append)
    target = lab.target(server, connection=kind)
    assert run(pool, target, "echo in")[0] == b"in\n"
    assert told == [f"added ED25519 key {server.fingerprint()} for {server.known_name} to {lab.known_hosts}"]
    assert server.public_key in lab.known_hosts.read_text()
    assert run(pool, target, "echo in")[0] == b"in\n"
    assert run(Pool(), target, "echo in")[0] == b"in\n"
    assert len(told) == 1


def test_a_new_known_hosts_is_private_and_hashed_where_asked(lab, run):
    lab.known_hosts = lab.folder / "new" / "known_hosts"
    lab.configure("HashKnownHosts yes")
    server = lab.sshd(known=False)
    assert run(Pool(accept_new_host_keys=True), lab.target(server), "echo in")[0] == b"in\n"
    assert lab.known_hosts.read_text().startswith("|1|")
    assert stat.S_IMODE(os.stat(lab.known_hosts).st_mode) == 0o600


@pytest.mark.parametrize("accept_new", [False, True])
def test_a_changed_key_is_refused_always(lab, run, kind, accept_new):
    server = lab.sshd(known=False)
    other = keygen(lab.folder / "other", "-t", "ed25519").with_suffix(".pub").read_text()
    lab.trust("# a comment", f"{server.known_name} {other.strip()}")
    before = lab.known_hosts.read_text()
    with pytest.raises(Unreachable, match="has another key") as caught:
        run(Pool(accept_new_host_keys=accept_new), lab.target(server, connection=kind))
    assert f"{lab.known_hosts}:2" in str(caught.value)
    assert server.fingerprint() in str(caught.value)
    assert lab.known_hosts.read_text() == before


def test_no_password_goes_to_a_host_that_is_not_verified(lab, pool, run, kind):
    server = lab.sshd("server", "LogLevel DEBUG2", known=False)
    with pytest.raises(Unreachable):
        run(pool, lab.target(server, connection=kind, password=Secret("hidden")))
    assert "userauth-request" not in server.log.read_text()


@pytest.mark.parametrize("accept_new", [False, True])
def test_a_revoked_key_is_refused_always(lab, run, kind, accept_new):
    server = lab.sshd()
    lab.trust(f"@revoked * {server.public_key}")
    with pytest.raises(Unreachable, match="revoked"):
        run(Pool(accept_new_host_keys=accept_new), lab.target(server, connection=kind))


def test_revoked_and_authority_lines_of_others_do_no_harm(lab, pool, run, kind):
    other = keygen(lab.folder / "other", "-t", "ed25519").with_suffix(".pub").read_text().strip()
    lab.trust(f"@revoked * {other}", f"@cert-authority *.example.com {other}")
    assert run(pool, lab.target(lab.sshd(), connection=kind), "echo in")[0] == b"in\n"


def test_a_host_certificate_is_verified_by_openssh_without_being_asked(lab, pool, run, kind):
    key = keygen(lab.folder / "host_key", "-t", "ed25519")
    authority = certify(lab, key, "127.0.0.1")
    server = lab.sshd("server", f"HostCertificate {key}-cert.pub", known=False, host_key=key)
    lab.trust(f"@cert-authority [127.0.0.*]:{server.port} {authority}")
    assert run(pool, lab.target(server, connection=kind), "echo in")[0] == b"in\n"


def test_a_server_with_a_certificate_and_a_plain_key_on_file(lab, pool, run, kind):
    key = keygen(lab.folder / "host_key", "-t", "ed25519")
    certify(lab, key, "127.0.0.1")
    server = lab.sshd("server", f"HostCertificate {key}-cert.pub", host_key=key)
    assert run(pool, lab.target(server, connection=kind), "echo in")[0] == b"in\n"


def test_the_known_type_of_key_is_asked_for(lab, pool, run, kind):
    """A server with three host keys, of which the least preferred is known."""
    rsa = keygen(lab.folder / "rsa", "-t", "rsa", "-b", "2048")
    ecdsa = keygen(lab.folder / "ecdsa", "-t", "ecdsa")
    server = lab.sshd("server", f"HostKey {rsa}", f"HostKey {ecdsa}", known=False)
    lab.trust(f"{server.known_name} {' '.join(rsa.with_suffix('.pub').read_text().split()[:2])}")
    assert run(pool, lab.target(server, connection=kind), "echo in")[0] == b"in\n"


def test_host_key_alias(lab, pool, run, kind):
    server = lab.sshd(known=False)
    lab.configure("Host *", "  HostKeyAlias Rack7")
    lab.trust(f"rack7 {server.public_key}")
    assert run(pool, lab.target(server, connection=kind), "echo in")[0] == b"in\n"


def test_hashed_names(lab, pool, run, kind):
    server = lab.sshd()
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(lab.known_hosts)], check=True, capture_output=True)
    assert lab.known_hosts.read_text().startswith("|1|")
    assert run(pool, lab.target(server, connection=kind), "echo in")[0] == b"in\n"


def test_the_global_file_counts_too(lab, pool, run, kind):
    server = lab.sshd(known=False)
    everyone = lab.folder / "everyone"
    everyone.write_text(f"{server.known_name} {server.public_key}\n")
    lab.configure(f"GlobalKnownHostsFile {everyone}")
    assert run(pool, lab.target(server, connection=kind), "echo in")[0] == b"in\n"


def test_a_file_that_cannot_be_written_is_said(lab, run):
    lab.known_hosts = lab.folder / "file" / "known_hosts"
    (lab.folder / "file").write_text("not a folder")
    lab.configure()
    with pytest.raises(Unreachable, match="cannot be added"):
        run(Pool(accept_new_host_keys=True), lab.target(lab.sshd(known=False)))
