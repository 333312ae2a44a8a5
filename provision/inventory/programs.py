"""Programs that the inventory names: executable inventories, `cmd:` secrets, vault password scripts.

The law: argv, never a shell; input closed; bounded in time and output; what it said on stderr is in the message.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

MAX_OUTPUT = 64 * 1024 * 1024
TIME_LIMIT = 60.0


class ProgramFailed(Exception):
    """The program did not do its work: one sentence."""


def run(argv: Sequence[str], cwd: Path, *, limit: float = TIME_LIMIT, env: Mapping[str, str] | None = None) -> str:
    """The program's stdout as text. Raises ProgramFailed; `limit` is in seconds."""
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=None if env is None else {**os.environ, **env},
        )
    except (OSError, ValueError) as error:
        raise ProgramFailed(f"{argv[0]} does not run: {getattr(error, 'strerror', None) or error}") from None
    try:
        out, err = _read(process, argv[0], limit)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    if process.returncode != 0:
        said = " ".join(err.decode(errors="replace").split())[-400:] or "it said nothing"
        raise ProgramFailed(f"{argv[0]} ended with status {process.returncode}: {said}")
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise ProgramFailed(f"{argv[0]} printed something that is not UTF-8") from None


def _read(process: "subprocess.Popen[bytes]", name: str, limit: float) -> tuple[bytes, bytes]:
    """All of stdout and the beginning of stderr, until the program ends."""
    assert process.stdout is not None
    assert process.stderr is not None
    found: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
    end = time.monotonic() + limit
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ, "out")
        ready.register(process.stderr, selectors.EVENT_READ, "err")
        while ready.get_map():
            if time.monotonic() > end:
                raise ProgramFailed(f"{name} did not end within {limit:g} seconds")
            for key, _ in ready.select(max(0.0, min(1.0, end - time.monotonic()))):
                piece = os.read(key.fd, 65536)
                if not piece:
                    ready.unregister(key.fileobj)
                elif key.data == "out" or len(found["err"]) < 65536:
                    found[key.data] += piece
            if len(found["out"]) > MAX_OUTPUT:
                raise ProgramFailed(f"{name} printed more than {MAX_OUTPUT // 2**20} MiB")
    try:
        process.wait(max(0.1, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise ProgramFailed(f"{name} did not end within {limit:g} seconds") from None
    return bytes(found["out"]), bytes(found["err"])
