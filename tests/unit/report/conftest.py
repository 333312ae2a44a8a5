"""A run as events, played to the views."""

import io
from collections.abc import Iterator

import pytest

from provision.events import (
    Error,
    Event,
    HostFacts,
    HostFinished,
    HostStarted,
    Notice,
    Outcome,
    Progress,
    ResourceDone,
    RoleSkipped,
    RunStarted,
    Summary,
)

UNIFIED = "--- /etc/x (found)\n+++ /etc/x (asked)\n@@ -1 +1 @@\n-old\n+new\n"
NASTY = "\x1b]0;owned\x07\x1b[31mred\x1b[0m [bold]x[/bold]\rover\x00\u202e"


def difference(key: str, before: object, after: object, text: str | None = None) -> dict[str, object]:
    return {"key": key, "before": before, "after": after, "text": text}


APT = Error("apt cannot lock", "wait for the other apt", output="E: one\nE: two")


def events() -> Iterator[Event]:
    """Five hosts: one changed, one ok, two that fail alike, one that is not reached."""
    yield RunStarted("R1", "apply", ("web1", "web2", "db1", "db2", "far"), False)
    for host in ("web1", "web2", "db1", "db2", "far"):
        yield HostStarted(host)
    yield HostFacts("web1", {"os": {"id": "debian"}})
    yield Progress("web1", "docker_engine: packages docker.io", 2.0, "waits for dpkg")
    yield ResourceDone("web1", "engine", "packages", "docker.io", Outcome.OK)
    diff = (difference("content", None, None, UNIFIED), difference("mode", None, "0644"))
    yield ResourceDone("web1", "daemon", "file", "/etc/x", Outcome.CHANGED, diff, "restarts docker", 12.34)
    secret = (difference("content", "differs (secret)", "differs (secret)"),)
    yield ResourceDone("web1", "daemon", "file", "/etc/key", Outcome.CHANGED, secret)
    yield RoleSkipped("web1", "nvidia", Outcome.SKIPPED, "no NVIDIA device")
    yield Notice("a key was added", "web1")
    web1 = HostFinished("web1", Outcome.CHANGED, {"ok": 1, "changed": 2, "skipped": 1}, 14.0)
    web2 = HostFinished("web2", Outcome.OK, {"ok": 4}, 0.4)
    yield web1
    yield web2
    results = {"web1": web1, "web2": web2}
    for host in ("db1", "db2"):
        yield ResourceDone(host, "engine", "packages", "docker.io", Outcome.FAILED, error=APT)
        told = Error(f"engine: packages docker.io: {APT.cause}", APT.fix, APT.output)
        results[host] = HostFinished(host, Outcome.FAILED, {"failed": 1}, 1.0, told)
        yield results[host]
    results["far"] = HostFinished("far", Outcome.UNREACHABLE, {}, 10.0, Error("no route", "look at the cable"))
    yield results["far"]
    yield Summary("R1", Outcome.FAILED, results)


@pytest.fixture
def run() -> list[Event]:
    return list(events())


class Terminal(io.StringIO):
    """A terminal that remembers what was written on it."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("no file")


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()
