"""Processes of the lab: a bounded command, and a daemon that can be found again and ended safely.

Law: every wait has a limit, and a daemon is ended only when its recorded pid still has its recorded start
time: never by name, never a pid that has come to belong to another process.
"""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class LabError(Exception):
    """The lab cannot do what was asked; the text says what happened and what to do."""


def call(
    argv: Sequence[str],
    *,
    timeout: float = 60,
    input: str | None = None,  # noqa: A002 - as subprocess.run names it
    check: bool = True,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `argv` for at most `timeout` seconds, with output captured; LabError on failure when `check`."""
    words = shlex.join(argv)
    try:
        done = subprocess.run(
            list(argv),
            input="" if input is None else input,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            env=None if env is None else {**os.environ, **env},
        )
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not installed on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{words} did not end within {timeout:g} s") from error
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise LabError(f"{words} ended with {done.returncode}: {said}")
    return done


@dataclass(frozen=True)
class Daemon:
    """One long-running process of the lab; `record` keeps its pid and start time between commands."""

    name: str
    record: Path
    log: Path

    def running(self) -> bool:
        return self._pid() is not None

    def start(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Start `argv` detached from this process, its output appended to the log; no wait for readiness."""
        self.record.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # A shell in between, which ends at once: the daemon is nobody's child, and no Popen is left to forget.
        script = '"$@" >>"$0" 2>&1 </dev/null & echo $!'
        done = subprocess.run(
            ["sh", "-c", script, str(self.log), *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            env=None if env is None else {**os.environ, **env},
            check=True,
            timeout=30,
        )
        pid = int(done.stdout)
        self.record.write_text(json.dumps({"pid": pid, "started": _start_time(pid)}))

    def stop(self, timeout: float = 20) -> None:
        """TERM, then KILL after `timeout` seconds; nothing when it does not run."""
        pid = self._pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            if not self._wait_gone(timeout):
                os.kill(pid, signal.SIGKILL)
                self._wait_gone(5)
        self.record.unlink(missing_ok=True)

    def tail(self, lines: int = 15) -> str:
        """The end of its log, for an error message."""
        if not self.log.exists():
            return f"{self.log} is empty"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _pid(self) -> int | None:
        if not self.record.exists():
            return None
        known = json.loads(self.record.read_text())
        started = _start_time(known["pid"])
        return known["pid"] if started is not None and started == known["started"] else None

    def _wait_gone(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self._pid() is None:
                return True
            time.sleep(0.05)
        return False


def _start_time(pid: int) -> str | None:
    """Start time of a live process in clock ticks since boot; None for one that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
