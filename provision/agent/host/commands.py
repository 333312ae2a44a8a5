"""Running a command: its own process group, a clean environment, a time limit, outputs that cannot fill the memory.

The law: only system.py calls this.
"""

import os
import signal
import subprocess
import threading

from .results import MISSING, PATH, CommandResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Mapping, Sequence

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY")
OUTPUT_LIMIT = 1024 * 1024
"""Bytes kept of each output of a command; the rest is read and dropped, so that the command does not block."""


def environment(extra: "Mapping[str, str] | None") -> "dict[str, str]":
    """The environment of every command: ours, plus the proxies that the session had."""
    env = {name: os.environ[name] for name in PROXIES if name in os.environ}
    env.update(PATH=PATH, LC_ALL="C", HOME="/root", DEBIAN_FRONTEND="noninteractive")
    env.update(extra or {})
    return env


def execute(
    argv: "Sequence[str]", timeout: float, stdin: bytes, env: "Mapping[str, str] | None", log: "str | None"
) -> CommandResult:
    sink = subprocess.PIPE
    if log is not None:
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=environment(env),
            cwd="/",
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        return CommandResult(argv, MISSING, "", "{}: {}".format(argv[0], os.strerror(error.errno or 0)))
    finally:
        if log is not None:
            os.close(sink)
    return _collect(process, argv, timeout, stdin, log)


def detach(argv: "Sequence[str]") -> None:
    """Start a process in a session of its own, as nobody's child: a shell starts it and is gone."""
    words = ["sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh"] + list(argv)
    subprocess.call(words, env=environment(None), cwd="/", start_new_session=True)


def _collect(
    process: "subprocess.Popen[bytes]", argv: "Sequence[str]", timeout: float, stdin: bytes, log: "str | None"
) -> CommandResult:
    outputs = [bytearray(), bytearray()]
    pipes = [(process.stdout, outputs[0]), (process.stderr, outputs[1])] if log is None else []
    # Threads that cannot be waited for are left behind: a child of the command may hold the pipe for ever.
    threads = [threading.Thread(target=_drain, args=pipe, daemon=True) for pipe in pipes]
    if stdin:
        threads.append(threading.Thread(target=_give, args=(process.stdin, stdin), daemon=True))
    for thread in threads:
        thread.start()
    timed_out = False
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        _kill(process)
    for thread in threads:
        thread.join(2)
    if log is not None:
        outputs[0][:] = _end_of(log)
    out, err = (bytes(output).decode("utf-8", "replace") for output in outputs)
    left_behind = process.pid if process.poll() is None else None
    status = process.returncode if process.returncode is not None else -9
    return CommandResult(argv, status, out, err, timed_out, left_behind)


def _drain(pipe: "IO[bytes]", output: bytearray) -> None:
    with pipe:
        while True:
            data = os.read(pipe.fileno(), 65536)
            if not data:
                return
            if len(output) < OUTPUT_LIMIT:
                output += data[: OUTPUT_LIMIT - len(output)]


def _give(pipe: "IO[bytes]", data: bytes) -> None:
    try:
        with pipe:
            pipe.write(data)
    except BrokenPipeError:
        return  # the command did not want its input; its exit status says whether that matters


def _kill(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        return  # in uninterruptible sleep: it is left behind, and the caller hears of the time limit


def _end_of(path: str, size: int = 64 * 1024) -> bytes:
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - size))
        return file.read()
