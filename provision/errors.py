"""Every error of the program, split by whose fault it is.

    ProvisionError
    ├── InputError            your inventory, settings or command line: exit 2, nothing was touched
    ├── HostError             one host: exit 1, the other hosts go on
    │   ├── Unreachable       no connection, no login, or a host key that is not to be trusted
    │   ├── ConnectionLost    the connection died in the middle
    │   ├── HostTimeout       a time limit passed
    │   ├── RoleFault         a role's own code is wrong: FILE:LINE; the run starts no more hosts
    │   └── Refused           we will not work on this host as it is; nothing was written
    └── ProtocolError         our bug: controller and agent did not understand one another

Library code raises these; it never exits and never prints. Each message is one sentence, and says what to do.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class ProvisionError(Exception):
    """Never raised itself; catch it where every error of ours is meant."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the input: what, where ("file:line:column"), and what was probably meant."""

    message: str
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}" + (f"; {self.hint}" if self.hint else "")


class InputError(ProvisionError):
    """All that is wrong with the input, at once."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems = (Problem(problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class HostError(ProvisionError):
    """What is wrong with one host (`cause`) and what to do about it (`fix`)."""

    def __init__(self, cause: str, fix: str = "") -> None:
        self.cause = cause
        self.fix = fix
        super().__init__(cause, fix)

    def __str__(self) -> str:
        return f"{self.cause}; {self.fix}" if self.fix else self.cause


class Unreachable(HostError):
    """No connection, no login, or a host key that is not to be trusted."""


class ConnectionLost(HostError):
    """The connection died in the middle of a run."""


class HostTimeout(HostError):
    """A time limit passed; the cause names the step."""


class RoleFault(HostError):
    """A role's own code is wrong, at FILE:LINE. `always`: whatever the facts of a host are."""

    def __init__(self, place: str, cause: str, fix: str = "", *, always: bool = False) -> None:
        super().__init__(f"{place}: {cause}", fix)
        self.place = place
        self.always = always


class Refused(HostError):
    """This host, as it is, is not one to work on; nothing was written."""


class ProtocolError(ProvisionError):
    """Controller and agent did not understand one another: a bug of ours, or a host that lies."""


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """What was probably meant by a misspelt `word`, or None."""
    matches = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.7)
    return matches[0] if matches else None
