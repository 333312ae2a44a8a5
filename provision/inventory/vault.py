"""Ansible Vault, versions 1.1 and 1.2 (AES256): reading `!vault` blocks and vaulted files.

The law: the HMAC is checked before anything is decrypted, and a password is read once, when it is first needed. A vault
with a label is tried with the passwords of that label first, then with all others, as in Ansible.
Format: docs.ansible.com, "Ansible Vault payload format": PBKDF2-SHA256, 10,000 rounds, AES-CTR, HMAC-SHA256.
"""

import os
import re
from binascii import Error as HexError
from binascii import unhexlify
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.errors import InputError, Problem
from provision.inventory import programs

HEADER = "$ANSIBLE_VAULT;"
_HEADER = re.compile(r"\$ANSIBLE_VAULT;1\.[12];AES256(;(?P<label>[^\n]*))?\s*\n")
_ROUNDS = 10_000
DEFAULT = "default"
"""The label of a password that was given without one."""
PROMPT = "prompt"


@dataclass(frozen=True)
class Identity:
    """A vault's password: its label, and where it is from: a file, a program that prints it, or `prompt`."""

    label: str
    source: str

    @property
    def asked(self) -> bool:
        """Is the user asked for it?"""
        return self.source == PROMPT

    def __str__(self) -> str:
        return f"{self.label}@{self.source}"


def identity(text: str) -> Identity:
    """`LABEL@SOURCE`, or a source alone. A relative path counts from where the user stands."""
    label, at, source = text.partition("@")
    if not at:
        label, source = DEFAULT, text
    return Identity(label or DEFAULT, source if source == PROMPT else os.path.abspath(os.path.expanduser(source)))


class Vault:
    """Opens what these passwords closed. `ask` asks the user for one, without echo; None: there is no terminal."""

    def __init__(
        self, identities: Sequence[Identity], *, no_exec: bool, ask: Callable[[str], str] | None = None
    ) -> None:
        self.identities = tuple(dict.fromkeys(identities))
        self._no_exec = no_exec
        self._ask = ask
        self._passwords: dict[Identity, bytes | Problem] = {}
        self._failures: dict[str, Problem] = {}
        self._opened: dict[str, str] = {}

    def open(self, text: str, where: str) -> str:
        """The plain text of a vaulted `text`. Raises InputError; about the password of a label always the same one."""
        if text not in self._opened:
            self._opened[text] = self._decrypt(text, where)
        return self._opened[text]

    def _decrypt(self, text: str, where: str) -> str:
        header = _HEADER.match(text)
        if header is None:
            raise InputError([Problem("is no vault of version 1.1 or 1.2 (AES256)", where)])
        label = header["label"] or ""
        key = label if len(self.identities) > 1 else ""
        if key in self._failures:
            raise InputError([self._failures[key]])
        try:
            inner = unhexlify("".join(text[header.end() :].split()))
            salt, digest, payload = (unhexlify(part) for part in inner.split(b"\n", 2))
        except (HexError, ValueError):
            raise InputError(
                [Problem("the vault is damaged: it is not the hexadecimal text that it should be", where)]
            ) from None
        plain = self._first_that_opens(label, salt, digest, payload)
        if isinstance(plain, Problem):
            self._failures[key] = plain = plain if plain.message else self._unopened(label, where)
            raise InputError([plain])
        try:
            return plain.decode()
        except ValueError:
            raise InputError([Problem("the vault does not hold UTF-8 text", where)]) from None

    def _first_that_opens(self, label: str, salt: bytes, digest: bytes, payload: bytes) -> bytes | Problem:
        """What is in the vault; or why a password could not be read; or an empty problem where none opens it."""
        import hashlib  # noqa: PLC0415 - and OpenSSL, where there is a vault
        import hmac  # noqa: PLC0415

        failure = Problem("")
        for known in sorted(self.identities, key=lambda known: known.label != label):
            password = self._password(known)
            if isinstance(password, Problem):
                failure = password
                continue
            keys = hashlib.pbkdf2_hmac("sha256", password, salt, _ROUNDS, 80)
            if hmac.compare_digest(hmac.digest(keys[32:64], payload, "sha256"), digest):
                return _aes_ctr(keys[:32], keys[64:80], payload)
        return failure

    def _unopened(self, label: str, where: str) -> Problem:
        labelled = f" of the label {label}" if label else ""
        if not self.identities:
            way = f"give --vault-id {label}@FILE" if label else "give --vault-password-file"
            return Problem(f"{where} is in a vault{labelled}", hint=way)
        if len(self.identities) == 1:
            what = f"the vault password does not open {where}"
            return Problem(what, hint="check the password file, or the vault is damaged")
        tried = ", ".join(known.label for known in self.identities)
        what = f"none of the vault passwords ({tried}) opens {where}, a vault{labelled}"
        return Problem(what, hint="check the password files, or the vault is damaged")

    def _password(self, known: Identity) -> bytes | Problem:
        """A password, or why there is none: read once."""
        if known not in self._passwords:
            try:
                self._passwords[known] = self._prompted(known) if known.asked else self._from_file(known)
            except InputError as error:
                self._passwords[known] = error.problems[0]
        return self._passwords[known]

    def _prompted(self, known: Identity) -> bytes:
        if self._ask is None:
            raise _problem(
                f"the vault password {known.label} is to be asked for, and there is no terminal", "use a file"
            )
        return self._ask(f"vault password ({known.label})").encode()

    def _from_file(self, known: Identity) -> bytes:
        file = Path(known.source)
        check = "check --vault-password-file" if known.label == DEFAULT else f"check --vault-id {known.label}@…"
        try:
            if not (os.access(file, os.X_OK) and file.is_file()):
                password = file.read_bytes().strip()
            elif self._no_exec:
                raise _problem(f"the vault password file {file} is a program", "--no-exec forbids to run it")
            else:
                # A "client" is told which password is wanted.
                client = ["--vault-id", known.label] if file.stem.endswith("-client") else []
                password = programs.run([str(file), *client], Path.cwd()).encode().strip(b"\r\n")
        except OSError as error:
            raise _problem(f"the vault password file {file} cannot be read: {error.strerror}", check) from None
        except programs.ProgramFailed as error:
            raise _problem(f"the vault password program failed: {error}", check) from None
        if not password:
            raise _problem(f"the vault password file {file} is empty", check)
        return password


def _problem(message: str, hint: str) -> InputError:
    return InputError([Problem(message, "", hint)])


def _aes_ctr(key: bytes, counter: bytes, payload: bytes) -> bytes:
    # Here and not above: the import takes 40 ms, and most inventories hold no vault.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415
    from cryptography.hazmat.primitives.padding import PKCS7  # noqa: PLC0415

    opener = Cipher(algorithms.AES(key), modes.CTR(counter)).decryptor()
    padding = PKCS7(128).unpadder()
    return padding.update(opener.update(payload) + opener.finalize()) + padding.finalize()
