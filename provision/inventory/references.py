"""Where a secret comes from: `!secret env:NAME | file:PATH | cmd:COMMAND | prompt[:QUESTION]` and `!vault` blocks.

The law: each is resolved once a run; env, file and vault when they are looked up, cmd and prompt only in `settle`, when
all the rest of the input has been found right. Nothing is resolved that no selected host and role uses.
"""

import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

from provision.errors import InputError, Problem, nearest
from provision.inventory import programs
from provision.inventory.document import Tagged
from provision.inventory.places import Places
from provision.inventory.vault import Vault
from provision.secrets import Secret

KINDS = ("env", "file", "cmd", "prompt")
MAX_FILE = 1024 * 1024
"""Bytes of a `file:` secret."""
Ask = Callable[[str], str]
"""Asks the user a question without echo; returns the answer."""


class Placeholder(Secret):
    """Stands for a secret that is not resolved (yet). Its value means nothing."""

    def __init__(self) -> None:
        super().__init__("unresolved")


class References:
    """Resolves references. With `resolve=False` each is a Placeholder and only its spelling is checked."""

    def __init__(
        self,
        places: Places,
        vault: Vault,
        *,
        no_exec: bool = False,
        ask: Ask | None = None,
        resolve: bool = True,
    ) -> None:
        self._places = places
        self.vault = vault
        self._no_exec = no_exec
        self._ask = ask
        self._resolve = resolve
        self._known: dict[str, Secret] = {}
        self._later: dict[str, tuple[Tagged, str]] = {}
        self.warnings: dict[str, None] = {}

    @property
    def pending(self) -> bool:
        """Is there something that `settle` has to run or to ask?"""
        return bool(self._later)

    def lookup(self, tagged: Tagged, field: str) -> Secret:
        """The secret behind a reference; a Placeholder while it waits for `settle`. `field` names what it is for.
        Raises InputError."""
        key = self._key(tagged)
        if key not in self._known:
            self._known[key] = self._first_look(key, tagged, field)
        return self._known[key]

    def settle(self) -> None:
        """Runs the commands and asks the questions that were looked up. Raises InputError with all that failed."""
        problems = list[Problem]()
        for key, (tagged, field) in self._later.items():
            kind, _, argument = tagged.text.strip().partition(":")
            try:
                command = kind == "cmd"
                self._known[key] = self._command(tagged, argument) if command else self._prompt(tagged, argument, field)
            except InputError as error:
                problems += error.problems
        self._later.clear()
        if problems:
            raise InputError(problems)

    def _key(self, tagged: Tagged) -> str:
        if tagged.tag == "secret" and tagged.text.strip() == "prompt":
            return f"prompt at {tagged.at}"
        beside = self._places.beside(tagged.at) if len(self._places.directories) > 1 else ""
        return f"{tagged.tag} {tagged.text} {beside}"

    def _first_look(self, key: str, tagged: Tagged, field: str) -> Secret:
        if tagged.tag == "vault":
            return Secret(self.vault.open(tagged.text, str(tagged.at))) if self._resolve else Placeholder()
        kind, _, argument = tagged.text.strip().partition(":")
        if kind not in KINDS or (not argument and kind != "prompt"):
            close = nearest(kind, KINDS)
            hint = (
                f"did you mean {close}:?"
                if close and close != kind
                else "write env:NAME, file:PATH, cmd:COMMAND or prompt"
            )
            raise _problem(tagged, f"{field}: no way to find the secret {tagged.text.strip()!r}", hint)
        if not self._resolve:
            return Placeholder()
        if kind == "env":
            return self._environment(tagged, argument, field)
        if kind == "file":
            return self._file(tagged, argument, field)
        if kind == "cmd" and self._no_exec:
            raise _problem(tagged, f"{field}: the secret is a command", "--no-exec forbids to run it")
        if kind == "prompt" and self._ask is None:
            raise _problem(
                tagged,
                f"{field}: the secret is to be asked for, and there is no terminal",
                "use env: or file:",
            )
        self._later[key] = (tagged, field)
        return Placeholder()

    def _environment(self, tagged: Tagged, name: str, field: str) -> Secret:
        value = os.environ.get(name)
        if not value:
            state = "is not set" if value is None else "is empty"
            close = nearest(name, os.environ) if value is None else None
            raise _problem(
                tagged,
                f"{field}: the environment variable {name} {state}",
                f"did you mean {close}?" if close else "set it",
            )
        return Secret(value)

    def _file(self, tagged: Tagged, name: str, field: str) -> Secret:
        path = self._places.beside(tagged.at) / Path(name).expanduser()
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE:
                raise _problem(tagged, f"{field}: {path} is no regular file of at most 1 MiB")
            value = path.read_bytes().decode()
        except OSError as error:
            raise _problem(tagged, f"{field}: the secret's file {path} cannot be read: {error.strerror}") from None
        except (ValueError, RuntimeError):
            raise _problem(tagged, f"{field}: the secret's file {path} is not UTF-8 text") from None
        if found.st_mode & stat.S_IROTH:
            self.warnings[f"{path} holds a secret and everyone can read it: chmod 600 it"] = None
        return self._not_empty(tagged, field, value)

    def _command(self, tagged: Tagged, command: str) -> Secret:
        try:
            argv = shlex.split(command)
            value = programs.run(argv, self._places.beside(tagged.at).resolve()) if argv else ""
        except ValueError as error:
            raise _problem(tagged, f"the command of this secret cannot be split: {error}", "check the quotes") from None
        except programs.ProgramFailed as error:
            raise _problem(tagged, f"the command of this secret failed: {error}", "run it by hand") from None
        return self._not_empty(tagged, "cmd:", value)

    def _prompt(self, tagged: Tagged, question: str, field: str) -> Secret:
        assert self._ask is not None
        return self._not_empty(tagged, field, self._ask(question or f"{field} ({tagged.at})"))

    def _not_empty(self, tagged: Tagged, field: str, value: str) -> Secret:
        value = value.removesuffix("\n")
        if not value:
            raise _problem(tagged, f"{field}: the secret is empty")
        return Secret(value)


def _problem(tagged: Tagged, message: str, hint: str = "") -> InputError:
    return InputError([Problem(message, str(tagged.at), hint)])
