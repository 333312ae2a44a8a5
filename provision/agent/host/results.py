"""What a command left behind: `Result`, and the PATH that every command of ours is looked up in."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MISSING = 127
LINE = 1000
"""Characters of a line that are shown, at its beginning and at its end."""


class CommandResult:
    """What a command left: exit status (127: no such program, -9: killed at its time limit), both outputs as text."""

    def __init__(
        self,
        argv: "Sequence[str]",
        status: int,
        out: str,
        err: str,
        timed_out: bool = False,
        left_behind: "int | None" = None,
    ) -> None:
        self.argv = argv
        self.status = status
        self.out = out
        self.err = err
        self.timed_out = timed_out
        self.left_behind = left_behind  # the PID of a process that not even SIGKILL ended: it hangs in the kernel

    @property
    def ok(self) -> bool:
        return self.status == 0

    def tail(self, lines: int = 20) -> str:
        """The last lines of both outputs, for an error message; a long line without its middle."""
        return "\n".join(map(_shortened, (self.out + self.err).strip().splitlines()[-lines:]))


def _shortened(line: str) -> str:
    if len(line) <= 2 * LINE:
        return line
    return "{} [cut: {} characters] {}".format(line[:LINE], len(line) - 2 * LINE, line[-LINE:])
