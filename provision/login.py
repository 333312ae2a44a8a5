"""From an open channel to a running loader: sudo, and all that a login prints before our marker.

The law: nothing is sent before it is due. Without a sudo password the source goes out at once. With one: the password
only after sudo's own prompt, the source only after the loader's marker, and a second prompt ends it. (A password sent
ahead to a NOPASSWD host becomes the program's input; source sent ahead of a wrong password becomes three guesses and a
locked account.)
"""

import contextlib
import secrets as random
from collections.abc import Callable

from provision import loader
from provision.agent.host import known_errors
from provision.agent.host.known_errors import KnownError
from provision.agent.wire import MARKER
from provision.errors import ConnectionLost, HostError, Refused
from provision.target import Target
from provision.transport import Channel

NOISE_LIMIT = 1024 * 1024
"""Bytes that a login may print before our marker: a MOTD, a .bashrc, sudo's lecture."""
PIECES = 5000
"""In which they may come."""


class NoPython(HostError):
    """The host has no python3 that could run the agent: none at all, or Debian's python3-minimal."""


class Login:
    """One login to one host: the command to open the channel with, then what is said until the loader runs."""

    def __init__(self, target: Target, source: bytes) -> None:
        self._target = target
        self._source = source
        self._prompt = f"provision-sudo-{random.token_hex(8)}:" if target.become_password else ""
        self._asked = False
        self.command = loader.command(target.python_interpreter, self._prompt if target.become else None)

    def hold(self, channel: Channel, receive: Callable[[], bytes]) -> bytes:
        """Get the loader going; return the bytes that came after its marker. `receive` gives b"" at the end.

        Raises NoPython, Refused, and what `receive` and the channel raise.
        """
        waits_for_prompt = self._target.become and bool(self._prompt)
        if not waits_for_prompt:
            with contextlib.suppress(ConnectionLost):  # it ended without reading: what it printed says why
                channel.send(self._source)
        noise, pieces = bytearray(), 0
        marker, prompts = -1, 0
        while marker < 0:
            data = receive()
            if not data:
                raise _failure(self._target, channel, bytes(noise))
            seen = len(noise)
            noise += data
            pieces += 1
            if len(noise) > NOISE_LIMIT or pieces > PIECES:
                raise Refused("the login prints without end", "look at the login shell's start files on that host")
            marker = noise.find(MARKER, max(0, seen - len(MARKER)))
            prompts += self._prompts(noise, seen) if waits_for_prompt else 0
            if prompts > self._asked:
                self._answer(channel)
        if waits_for_prompt:
            channel.send(self._source)
        return bytes(noise[marker + len(MARKER) :])

    def _prompts(self, noise: bytearray, seen: int) -> int:
        """How many there are that end behind what was seen already."""
        prompt = self._prompt.encode()
        return noise.count(prompt, max(0, seen - len(prompt) + 1))

    def _answer(self, channel: Channel) -> None:
        if self._asked or self._target.become_password is None:
            # A second prompt means that the first answer was wrong. Ending here costs one attempt, not three.
            cause = f"sudo did not take the password of {self._target.user or 'the login user'}"
            raise Refused(cause, "correct ansible_become_password; it was tried once")
        self._asked = True
        channel.send(self._target.become_password.reveal().encode() + b"\n")


def _failure(target: Target, channel: Channel, noise: bytes) -> HostError:
    """Why the loader never ran, from the exit status and from what was printed instead."""
    text = noise.decode("utf-8", "replace").strip()
    explained = channel.failure()
    if explained is not None:
        return explained
    last = text.splitlines()[-1] if text else "no output"
    if loader.NO_PYTHON in text or loader.SMALL_PYTHON in text:
        return NoPython(last.removeprefix("provision: "), "python3 is installed by `apply`")
    if loader.OLD_PYTHON in text:
        found = text.split(loader.OLD_PYTHON, 1)[1].strip()
        return Refused(f"python {found} is older than 3.6", "install a newer one and set ansible_python_interpreter")
    known = known_errors.explain(text, _SUDO, user=target.user or "the login user")
    if known is not None:
        return Refused(known.cause, known.fix)
    status = channel.exit_status(5)
    return Refused(
        f"the login ended with status {status} before our loader ran: {last:.300}", "try it by hand: ssh HOST true"
    )


_PASSWORD = ("sudo wants a password of {user}", "give -K or ansible_become_password, or allow NOPASSWD in sudoers")
_WRONG = ("sudo did not take the password of {user}", "correct ansible_become_password")
_RIGHTS = ("{user} may not run sudo on this host", "allow it in sudoers, or set another ansible_user")
_NO_SUDO = ("there is no sudo on this host", "install it, or log in as root with ansible_become: false")
_SUDO = (
    KnownError(
        "password is required",
        *_PASSWORD,
    ),
    KnownError(
        "interactive authentication is required",
        *_PASSWORD,
    ),
    KnownError(
        "is not in the sudoers file",
        "{user} is not in the sudoers file",
        "allow it there, or set another ansible_user",
    ),
    KnownError(
        "may not run sudo",
        *_RIGHTS,
    ),
    KnownError(
        "not allowed to execute",
        "sudo does not allow {user} to run a shell as root",
        "allow ALL for this user in sudoers",
    ),
    KnownError(
        "I'm afraid I can't do that",
        "{user} may not run a shell as root with sudo",
        "allow ALL for this user in sudoers",
    ),
    KnownError(
        "must have a tty",
        "sudo wants a terminal (requiretty)",
        "take `Defaults requiretty` out of sudoers for this user",
    ),
    KnownError(
        "incorrect password attempt",
        *_WRONG,
    ),
    KnownError(
        "incorrect authentication attempt",
        *_WRONG,
    ),
    KnownError(
        "sudo: not found",
        *_NO_SUDO,
    ),
    KnownError(
        "sudo: command not found",
        *_NO_SUDO,
    ),
    KnownError(
        "sudo: Command not found",
        *_NO_SUDO,
    ),
    KnownError(
        "command not found: sudo",
        *_NO_SUDO,
    ),
    KnownError(
        "Unknown command: sudo",
        *_NO_SUDO,
    ),
)
"""Words of sudo, sudo-rs and the shells, what they mean, and what to do."""
