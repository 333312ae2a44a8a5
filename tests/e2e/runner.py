"""Runs provision.py as a user does, against an inventory directory, and reads its JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.promises import broken
from tests.lab import HostSpec, Lab

ROOT = Path(__file__).parents[2]
BAD_INPUT = 2
UNPROVEN = ("not-started", "unknown")

DAEMON = {
    "bip": "192.168.127.1/24",
    "fixed_cidr": "192.168.127.128/25",
    "storage_driver": "overlay2",
    "default_shm_size": "1G",
    "default_ulimits": {"memlock": 8388608, "stack": 67108864},
}
"""What the tests ask of the daemon. memlock is what a lab host can give (lab hosts lack CAP_SYS_RESOURCE)."""

SETTINGS: dict[str, Any] = {
    "roles": ["docker_engine", "docker_daemon"],
    "docker_engine": {"flavour": "docker.io"},
    "docker_daemon": DAEMON,
}


@dataclass
class Ended:
    """A run that has ended."""

    status: int
    events: list[dict[str, Any]]
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        assert self.events, self.stderr
        assert self.events[-1]["type"] == "summary", self.stderr
        return self.events[-1]

    def host(self, name: str) -> dict[str, Any]:
        """The summary's entry of a host."""
        entry: dict[str, Any] = self.summary["hosts"][name]
        return entry

    def of(self, kind: str, /, **values: Any) -> list[dict[str, Any]]:
        """Events of a type with these values."""
        return [e for e in self.events if e["type"] == kind and all(e.get(k) == v for k, v in values.items())]

    def resources(self, *outcomes: str, host: str | None = None) -> list[str]:
        """`kind name` of the resources with one of these outcomes."""
        return [
            f"{event['kind']} {event['name']}"
            for event in self.of("resource")
            if event["outcome"] in outcomes and host in (None, event["host"])
        ]

    def explain(self) -> str:
        """All that went wrong, for an assertion's message."""
        wrong = [event for event in self.events if event.get("error")]
        return json.dumps(wrong, indent=1) + self.stderr


@dataclass
class Provision:
    """provision.py with one inventory."""

    inventory: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, verb: str, *options: str, json_events: bool = True, **process: Any) -> subprocess.Popen[str]:
        """Start it and do not wait."""
        words = [sys.executable, str(ROOT / "provision.py"), verb, "--inventory", str(self.inventory), *options]
        words += ["--json"] if json_events else []
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment(),
            **process,
        )

    def __call__(self, verb: str, *options: str, timeout: float = 600, json_events: bool = True) -> Ended:
        process = self.start(verb, *options, json_events=json_events)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{verb} did not end within {timeout} s: {out[-3000:]}{err[-3000:]}") from None
        return self.ended(process, out, err, json_events)

    @staticmethod
    def ended(process: subprocess.Popen[str], out: str, err: str, json_events: bool = True) -> Ended:
        events = [json.loads(line) for line in out.splitlines()] if json_events else []
        return Ended(process.returncode, events, out, err)

    def apply(self, *options: str, **more: Any) -> Ended:
        """With PROMISES=1 in the environment a check comes first, and what apply changed must have been named by it."""
        looked = self.check(*options) if os.environ.get("PROMISES") else None
        ended = self("apply", "--yes", *options, **more)
        if looked is not None and looked.status != BAD_INPUT and ended.events:
            assert not (lines := broken(looked, ended)), "\n".join(lines)
        return ended

    def check(self, *options: str, **more: Any) -> Ended:
        return self("check", *options, **more)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


def settle(lab: Lab, settings: Mapping[str, Any] = SETTINGS, **hosts: Mapping[str, Any]) -> Provision:
    """Write `settings` for all hosts, and more for some, beside the lab's inventory; return a runner for it."""
    groups, own = lab.directory / "group_vars", lab.directory / "host_vars"
    groups.mkdir(exist_ok=True)
    own.mkdir(exist_ok=True)
    (groups / "all.yml").write_text(yaml.safe_dump(dict(settings)))
    for name, values in hosts.items():
        (own / f"{name}.yml").write_text(yaml.safe_dump(dict(values)))
    return Provision(lab.directory)


__all__ = ["DAEMON", "ROOT", "SETTINGS", "Ended", "HostSpec", "Lab", "Provision", "settle"]
