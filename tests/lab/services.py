"""Services that hosts talk to in tests: a registry with TLS and logins, and an HTTP proxy that counts.

Law: real programs (docker-registry, squid) with the lab's own throwaway certificates and logins, listening
on the lab's bridge address only, and gone with the lab or, at the latest, with the process that made them.
"""

import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab import machine
from tests.lab.machine import program
from tests.lab.network import Network
from tests.lab.processes import LabError, call

CRYPT = "my ($password, $salt) = split /\\n/, do { local $/; <STDIN> }; print crypt($password, $salt);"


class Registry:
    """A docker-registry at `address` (ip:port); `ca_pem` is what a client must trust."""

    def __init__(self, ip: str, users: Mapping[str, str]) -> None:
        with machine.lock():
            machine.ensure_tools(_silent, {"docker-registry": "docker-registry", "openssl": "openssl"})
        self._folder = tempfile.TemporaryDirectory(prefix="provision-lab-")
        folder = Path(self._folder.name)
        port = _free_port(ip)
        self.address = f"{ip}:{port}"
        self.ca_pem = _certificates(folder, ip)
        self.set_users(users)
        auth = f"auth: {{htpasswd: {{realm: lab, path: {folder / 'htpasswd'}}}}}\n" if users else ""
        (folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: warn}}\n{auth}"
            f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{self.address}', "
            f"tls: {{certificate: {folder / 'server.pem'}, key: {folder / 'server.key'}}}}}\n"
        )
        argv = [program("docker-registry"), "serve", str(folder / "config.yml")]
        self._process = _start(argv, folder / "log", ip, port)

    def set_users(self, users: Mapping[str, str]) -> None:
        """From now on these are the logins (name -> password); one that the registry was started without stays open."""
        lines = [f"{user}:{_crypt(password, '$2y$05$', 22)}\n" for user, password in users.items()]
        (Path(self._folder.name) / "htpasswd").write_text("".join(lines))

    def close(self) -> None:
        _stop(self._process)
        self._folder.cleanup()


class Proxy:
    """A squid that forwards and caches nothing; `url` carries the login when there is one."""

    def __init__(self, net: Network, username: str | None, password: str | None) -> None:
        ip = net.machine
        with machine.lock():
            machine.ensure_tools(_silent, {"squid": "squid"})
        self._folder = tempfile.TemporaryDirectory(prefix="provision-lab-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)
        port = _free_port(ip)
        login = f"{username}:{password}@" if username else ""
        self.url = f"http://{login}{ip}:{port}"
        self._log = folder / "log" / "access.log"
        self._log.parent.mkdir()
        shutil.chown(self._log.parent, "proxy", "proxy")
        rules = [f"acl lab src {net.whole}"]
        if username:
            self.set_login(username, password or "")
            rules.append(f"auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder / 'users'}")
            rules += ["acl known proxy_auth REQUIRED", "http_access deny !known"]
        lines = [
            f"http_port {ip}:{port}",
            *rules,
            "http_access allow lab",
            "http_access deny all",
            "cache deny all",
            f"access_log stdio:{self._log}",
            f"cache_log {folder / 'log' / 'cache.log'}",
            f"coredump_dir {folder / 'log'}",
            "visible_hostname provision-lab",
            "pid_filename none",
            "pinger_enable off",
            "netdb_filename none",
            "shutdown_lifetime 0 seconds",
        ]
        (folder / "squid.conf").write_text("\n".join(lines) + "\n")
        argv = [program("squid"), "-N", "-f", str(folder / "squid.conf")]
        self._process = _start(argv, folder / "out", ip, port)

    def set_login(self, username: str, password: str) -> None:
        """From now on this is the login; `url` stays as it was."""
        (Path(self._folder.name) / "users").write_text(f"{username}:{_crypt(password, '$6$', 16)}\n")

    def requests(self) -> list[str]:
        """`CODE METHOD URL` of each request so far, refused ones (407) too."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        words = [line.split() for line in lines if " error:" not in line]  # a connection that asked nothing
        return [f"{word[3].partition('/')[2]} {word[5]} {word[6]}" for word in words]

    def close(self) -> None:
        _stop(self._process)
        self._folder.cleanup()


def _silent(_line: str) -> None:
    """What is installed for a service is not news."""


def _crypt(password: str, prefix: str, length: int) -> str:
    """Hash for a password file; the password goes over stdin, never on a command line."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    salt = prefix + "".join(secrets.choice(letters) for _ in range(length - 1)) + "."
    return call([program("perl"), "-e", CRYPT], input=f"{password}\n{salt}").stdout


def _certificates(folder: Path, ip: str) -> str:
    """A certificate authority of its own and a server certificate for `ip`; returns the authority's PEM."""
    new = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    ca = [str(folder / "ca.key"), str(folder / "ca.pem")]
    call([*new, "-subj", "/CN=provision lab CA", "-keyout", ca[0], "-out", ca[1]])
    server = ["-keyout", str(folder / "server.key"), "-out", str(folder / "server.pem")]
    signed = ["-CA", ca[1], "-CAkey", ca[0], "-addext", f"subjectAltName=IP:{ip}"]
    leaf = ["-addext", "basicConstraints=critical,CA:FALSE"]
    call([*new, "-subj", f"/CN={ip}", *signed, *leaf, *server])
    return Path(ca[1]).read_text()


def _free_port(ip: str) -> int:
    with socket.socket() as probe:
        probe.bind((ip, 0))
        port: int = probe.getsockname()[1]
        return port


def _start(argv: Sequence[str], log: Path, ip: str, port: int) -> subprocess.Popen[bytes]:
    """Start a server in the foreground and wait, at most 15 s, until it takes connections."""
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/")
    end = time.monotonic() + 15
    while True:
        try:
            socket.create_connection((ip, port), timeout=1).close()
            return process
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                _stop(process)
                raise LabError(f"{argv[0]} does not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
