"""Ansible Vault, versions 1.1 and 1.2 (AES256): reading `!vault` blocks and vaulted files.

The law: the HMAC is checked before anything is decrypted, and the password is read once, when it is first needed.
Format: docs.ansible.com, "Ansible Vault payload format": PBKDF2-SHA256, 10,000 rounds, AES-CTR, HMAC-SHA256.
"""

import hashlib
import hmac
import os
import re
from binascii import Error as HexError
from binascii import unhexlify
from pathlib import Path
from typing import NoReturn

from provision.errors import InputError, Problem
from provision.inventory import programs

HEADER = "$ANSIBLE_VAULT;"
_HEADER = re.compile(r"\$ANSIBLE_VAULT;1\.[12];AES256(;[^\n]*)?\s*\n")
_ROUNDS = 10_000


class Vault:
    """Opens what one password closed. `password_file` may be a program that prints it."""

    def __init__(self, password_file: Path | None, *, no_exec: bool) -> None:
        self._file = password_file
        self._no_exec = no_exec
        self._password: bytes | None = None
        self._failure: Problem | None = None
        self._opened: dict[str, str] = {}

    @property
    def password_file(self) -> Path | None:
        """For other programs that open vaults."""
        return self._file

    def open(self, text: str, where: str) -> str:
        """The plain text of a vaulted `text`. Raises InputError; about the password always the same one."""
        if text not in self._opened:
            if self._failure is not None:
                raise InputError([self._failure])
            self._opened[text] = self._decrypt(text, where)
        return self._opened[text]

    def _decrypt(self, text: str, where: str) -> str:
        header = _HEADER.match(text)
        if header is None:
            raise InputError([Problem("is no vault of version 1.1 or 1.2 (AES256)", where)])
        password = self._read_password(where)
        try:
            inner = unhexlify("".join(text[header.end() :].split()))
            salt, digest, payload = (unhexlify(part) for part in inner.split(b"\n", 2))
        except (HexError, ValueError):
            raise InputError(
                [Problem("the vault is damaged: it is not the hexadecimal text that it should be", where)]
            ) from None
        keys = hashlib.pbkdf2_hmac("sha256", password, salt, _ROUNDS, 80)
        if not hmac.compare_digest(hmac.digest(keys[32:64], payload, "sha256"), digest):
            self._fail(
                f"the vault password does not open {where}",
                "check the password file, or the vault is damaged",
            )
        try:
            return _aes_ctr(keys[:32], keys[64:80], payload).decode()
        except ValueError:
            raise InputError([Problem("the vault does not hold UTF-8 text", where)]) from None

    def _read_password(self, where: str) -> bytes:
        if self._password is None:
            if self._file is None:
                self._fail(f"{where} is in a vault", "give --vault-password-file")
            self._password = self._from_file(self._file)
        return self._password

    def _from_file(self, file: Path) -> bytes:
        try:
            runs = os.access(file, os.X_OK) and file.is_file()
            if not runs:
                password = file.read_bytes().strip(b"\r\n")
            elif self._no_exec:
                self._fail(f"the vault password file {file} is a program", "--no-exec forbids to run it")
            else:
                password = programs.run([str(file.resolve())], file.resolve().parent).encode().strip(b"\r\n")
        except OSError as error:
            self._fail(
                f"the vault password file {file} cannot be read: {error.strerror}",
                "check --vault-password-file",
            )
        except programs.ProgramFailed as error:
            self._fail(f"the vault password program failed: {error}", "check --vault-password-file")
        if not password:
            self._fail(f"the vault password file {file} is empty", "check --vault-password-file")
        return password

    def _fail(self, message: str, hint: str) -> NoReturn:
        self._failure = Problem(message, "", hint)
        raise InputError([self._failure])


def _aes_ctr(key: bytes, counter: bytes, payload: bytes) -> bytes:
    # Here and not above: the import takes 40 ms, and most inventories hold no vault.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415
    from cryptography.hazmat.primitives.padding import PKCS7  # noqa: PLC0415

    opener = Cipher(algorithms.AES(key), modes.CTR(counter)).decryptor()
    padding = PKCS7(128).unpadder()
    return padding.update(opener.update(payload) + opener.finalize()) + padding.finalize()
