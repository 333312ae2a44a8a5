"""The password for the `ssh` program, through SSH_ASKPASS.

The law: the password is never in an argument, an environment or a file with a name. It lies in an anonymous file in
our memory, which the helper opens through /proc (ssh closes inherited descriptors). The helper answers one prompt, the
one for this user on this host; it ends ssh at a second prompt, which would be a second guess, and answers no other.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

from provision.secrets import Secret
from provision.transport.ssh_config import Resolved

HELPER = """#!/bin/sh
# $1 is ssh's prompt: "user@host's password: " or "(user@host) Password: ".
case $1 in
  *passphrase*|*PIN*|*fingerprint*) exit 1 ;;
  "$PROVISION_LOGIN's "*|"($PROVISION_LOGIN) "*|[Pp]assword:*) ;;
  *) exit 1 ;;
esac
mkdir "${0%/*}/asked" 2>/dev/null || { mkdir "${0%/*}/again"; kill -TERM "$PPID"; exit 1; }
exec cat "$PROVISION_ANSWER"
"""


class Askpass:
    """The helper and the password, for as long as one login takes; nothing at all without a password."""

    def __init__(self, password: Secret | None, settings: Resolved) -> None:
        self.given = password is not None
        self.environment: dict[str, str] = {}
        self._folder = ""
        self._answer = -1
        if password is None:
            return
        self._folder = tempfile.mkdtemp(prefix="provision-")  # 0700
        helper = Path(self._folder, "askpass")
        helper.write_text(HELPER)
        helper.chmod(0o700)
        self._answer = os.memfd_create("askpass", os.MFD_CLOEXEC)
        os.write(self._answer, password.reveal().encode() + b"\n")
        self.environment = {
            "SSH_ASKPASS": str(helper),
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": os.environ.get("DISPLAY") or "none:0",  # before ssh 8.4 there is no askpass without one
            "PROVISION_LOGIN": f"{settings.user}@{settings.hostname}",
            "PROVISION_ANSWER": f"/proc/{os.getpid()}/fd/{self._answer}",
        }

    def asked_again(self) -> bool:
        """Was there a second prompt? Then the password was wrong, or more than a password is wanted."""
        return bool(self._folder) and os.path.isdir(os.path.join(self._folder, "again"))

    def __enter__(self) -> "Askpass":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder:
            os.close(self._answer)
            with contextlib.suppress(OSError):
                shutil.rmtree(self._folder)
