"""Login over SSH: agent, key files, user certificates, password; in the order in which they are likely to be right.

The law: nothing is ever asked of a terminal, and no attempt is made that is not wanted: sshd drops a connection
after six failures (MaxAuthTries) and counts towards a lock-out, so a wrong password is sent once, and keys leave
room for it. An error says what the server would take and what was tried.
"""

import base64
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import paramiko
from paramiko.agent import AgentSSH
from paramiko.ssh_exception import AuthenticationException, BadAuthenticationType, SSHException

from provision.errors import Unreachable
from provision.secrets import Secret
from provision.transport.channel import Deadline
from provision.transport.ssh_config import Resolved

MOST_TRIES = 6
"""sshd's MaxAuthTries."""
MOST_KEYS_BEFORE_PASSWORD = 4
ENCRYPTED = "has a passphrase: load it into the agent with `ssh-add {}`"
NEEDS_OPENSSH = "only `ansible_connection: openssh` can use a key of this type"


class KeyFiles:
    """Private keys, each file read once a run (1,000 hosts use the same one). Thread-safe."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, int, str], Any] = {}
        self._lock = threading.Lock()

    def load(self, path: str, certificate: str = "") -> Any:
        """The key, with its certificate (`certificate`, or PATH-cert.pub where that is there)."""
        stamp = (path, os.stat(path).st_mtime_ns, certificate)
        with self._lock:
            if stamp not in self._keys:
                key = paramiko.PKey.from_path(path)
                if certificate:
                    key.load_certificate(certificate)
                self._keys[stamp] = key
            return self._keys[stamp]


class Agent(AgentSSH):
    """An ssh-agent at a socket's path (paramiko's own knows only SSH_AUTH_SOCK), with a time limit."""

    def __init__(self, path: str, deadline: Deadline) -> None:
        super().__init__()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(deadline.left())
            sock.connect(path)
            self._connect(sock)  # type: ignore[attr-defined]  # not in the stubs
        except (
            OSError,
            SSHException,
        ):  # no agent there: its keys are missing, and the error will show which were tried
            sock.close()

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]


def agent_socket(settings: Resolved) -> str:
    """The agent's socket as IdentityAgent, or else SSH_AUTH_SOCK, has it; "" for none."""
    said = settings.one("identityagent", "SSH_AUTH_SOCK")
    if said == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    if said.startswith("$"):
        return os.environ.get(said.strip("${}"), "")
    return "" if said.lower() == "none" else settings.expand(said)


class SshLogin:
    """One login. `transport` is one of ours (it remembers in `offered` which methods the server would take)."""

    def __init__(self, transport: Any, settings: Resolved, keys: KeyFiles, deadline: Deadline) -> None:
        self._transport = transport
        self._settings = settings
        self._keys = keys
        self._deadline = deadline
        self._tried: list[str] = []
        self._skipped: list[str] = []

    def run(self, password: Secret | None, identity: str | None) -> None:
        """Log in; `identity` is the key file that the inventory names. Unreachable: nothing that we have was taken."""
        try:
            if self._by_key(password is not None, identity):
                return
            if password is not None and self._by_password(password):
                return
            if not self._tried and self._accepts("no credentials", self._ask_for_methods):
                return  # the server lets anybody in
        except (SSHException, OSError, EOFError) as error:
            raise self._cut_off(error) from error
        raise self._denied(password)

    def _by_key(self, password: bool, identity: str | None) -> bool:
        if not self._settings.is_set("pubkeyauthentication"):
            return False
        path = agent_socket(self._settings)
        agent = Agent(path, self._deadline) if path else None
        try:
            for name, key in self._candidates(agent, identity):
                if len(self._tried) >= (MOST_KEYS_BEFORE_PASSWORD if password else MOST_TRIES):
                    self._skipped.append(f"{name} (sshd allows no more tries)")
                elif self._accepts(name, partial(self._transport.auth_publickey, self._settings.user, key)):
                    return True
                elif "publickey" not in self._transport.offered:
                    return False
        finally:
            if agent:
                agent.close()
        return False

    def _ask_for_methods(self) -> None:
        """The method `none`: servers answer with what they would take, and do not count it."""
        if not self._transport.offered:
            self._transport.auth_none(self._settings.user)

    def _accepts(self, name: str, attempt: Callable[[], Any]) -> bool:
        """One attempt. False: refused, or (`offered` has changed) more is wanted."""
        self._transport.auth_timeout = self._deadline.left()
        try:
            attempt()
        except BadAuthenticationType:  # not counted by the server
            return False
        except AuthenticationException:
            self._tried.append(name)
            if not self._transport.is_active() or self._deadline.passed():
                raise
            return False
        self._tried.append(name)
        return bool(self._transport.is_authenticated())

    def _candidates(self, agent: Agent | None, identity: str | None) -> Iterator[tuple[str, Any]]:
        """(name, key): the key that the inventory names, configured keys in the agent, its others, key files."""
        files = self._settings.files("identityfile")
        held = {key.asbytes(): key for key in agent.get_keys()} if agent else {}
        configured = {path: held.pop(blob) for path in files if (blob := _public_blob(path)) in held}
        if identity in files and identity not in configured:
            yield from self._load(identity)
        yield from ((f"{path} (agent)", key) for path, key in configured.items())
        if not self._settings.is_set("identitiesonly"):
            yield from ((f"{getattr(key, 'comment', '') or key.get_name()} (agent)", key) for key in held.values())
        for path in files:
            if path not in configured and path != identity:
                yield from self._load(path)

    def _load(self, path: str) -> Iterator[tuple[str, Any]]:
        """The key of a file, if it is there and can be used."""
        if not os.path.isfile(path):
            return
        try:
            for certificate in self._settings.files("certificatefile"):
                with contextlib.suppress(SSHException, ValueError, OSError):  # a certificate of another key
                    yield path, self._keys.load(path, certificate)
                    return
            yield path, self._keys.load(path)
        except TypeError:  # cryptography: encrypted, and no passphrase given
            self._skipped.append(f"{path} ({ENCRYPTED.format(path)})")
        except (SSHException, ValueError, OSError) as error:
            self._skipped.append(f"{path} ({error})")
        except Exception as error:
            if type(error).__name__ not in {"UnsupportedAlgorithm", "UnknownKeyType"}:  # FIDO keys, for one
                raise
            self._skipped.append(f"{path} ({NEEDS_OPENSSH})")

    def _by_password(self, password: Secret) -> bool:
        """One try: the method `password`, or `keyboard-interactive` where the server offers only that."""
        user, transport = self._settings.user, self._transport
        if "password" in transport.offered or not transport.offered:
            name = "password"
            if self._accepts(name, lambda: transport.auth_password(user, password.reveal(), fallback=False)):
                return True
        if "password" in transport.offered or "keyboard-interactive" not in transport.offered:
            return False
        answer = _answer_once(password)
        return self._accepts("keyboard-interactive", lambda: transport.auth_interactive(user, answer))

    def _denied(self, password: Secret | None) -> Unreachable:
        user, host = self._settings.user, self._settings.label
        tried = ", ".join(self._tried) or "nothing"
        offered = ", ".join(self._transport.offered) or "nothing"
        skipped = f"; not tried: {', '.join(self._skipped)}" if self._skipped else ""
        fix = "check ansible_user, and that its authorized_keys on the host has one of these keys"
        if "password" in self._tried or "keyboard-interactive" in self._tried:
            fix = "check ansible_user and ansible_password"
        elif password is None and self._transport.offered and "publickey" not in self._transport.offered:
            fix = "give -k or ansible_password"
        elif not self._tried and not self._skipped:
            fix = "give it a key (an agent, ansible_ssh_private_key_file), -k or ansible_password"
        return Unreachable(
            f"{host} does not let {user} in: it takes {offered}; tried {tried}{skipped}",
            fix,
        )

    def _cut_off(self, error: Exception) -> Unreachable:
        host, seconds = self._settings.label, self._deadline.seconds
        tried = f" (tried {', '.join(self._tried)})" if self._tried else ""
        if self._deadline.passed() or isinstance(error, TimeoutError):
            return Unreachable(
                f"{host} did not finish the login within {seconds:g} s{tried}", "look at sshd, PAM and DNS on the host"
            )
        fix = "look at sshd's log on the host"
        if len(self._tried) > 1:
            fix = "too many keys, perhaps: set ansible_ssh_private_key_file, and IdentitiesOnly in ssh_config"
        return Unreachable(f"{host} broke off the login as {self._settings.user}{tried}: {error}", fix)


def _answer_once(password: Secret) -> Callable[[str, str, list[tuple[str, bool]]], list[str]]:
    """Answers one hidden prompt with the password; a second one would be a guess."""
    used = False

    def answer(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        nonlocal used
        if not prompts:
            return []
        if used or len(prompts) != 1 or prompts[0][1]:
            raise SSHException(f"it asks {prompts[0][0].strip()!r}, which only a person can answer")
        used = True
        return [password.reveal()]

    return answer


def _public_blob(path: str) -> bytes | None:
    """The key in PATH.pub, as the agent names it."""
    with contextlib.suppress(OSError, ValueError):
        words = Path(path if path.endswith(".pub") else f"{path}.pub").read_text(errors="replace").split()
        return base64.b64decode(words[1]) if len(words) > 1 else None
    return None
