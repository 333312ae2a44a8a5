"""What can be wrong with a host: `Failed`, `TimedOut`, `Unknown`, and an OSError as a cause and a fix."""


class Failed(Exception):
    """The host is not, and cannot be made, as asked: what is the matter (one sentence), and what to do."""

    def __init__(self, cause: str, fix: str = "", output: str = "") -> None:
        Exception.__init__(self, cause)
        self.cause = cause
        self.fix = fix
        self.output = output


class TimedOut(Failed):
    """A command was killed at its time limit: another try may do."""


class Unknown(Exception):
    """The actual state cannot be told: never the same as ok."""


FIXES = {
    1: "not permitted even for root: look for an immutable flag (lsattr; chattr -i) or a missing capability",
    5: "look at the disk and the kernel's log (dmesg)",
    13: "permission denied even for root: look for a security module, or a network file system that squashes root",
    28: "free space on that file system (df -h), then run again",
    30: "the file system is read-only: remount it read-write (mount -o remount,rw) or repair it, then run again",
    122: "the disk quota is used up: raise it or free space, then run again",
}
"""What to do, by errno: those of a host that is ill. Any other is as likely a bug of ours."""


def os_error(error: OSError) -> "dict[str, str]":
    """An OSError as cause and fix: those that an administrator meets at 3 a.m. have a fix of their own."""
    name = " {}".format(error.filename) if error.filename else ""
    return {"cause": "{}{}".format(error.strerror or error, name), "fix": FIXES.get(error.errno or 0, ""), "output": ""}
