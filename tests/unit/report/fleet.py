"""A made-up rollout over a fleet, as events: hosts in sync, changed, odd, failed, not reached and not started."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from provision.events import (
    Error,
    Event,
    HostChecked,
    HostFacts,
    HostFinished,
    HostStarted,
    Notice,
    Outcome,
    ResourceDone,
    RoleSkipped,
    RunStarted,
    Stopped,
    Summary,
    WaveFinished,
    WaveStarted,
)
from provision.report.record import Record
from provision.rollout.waves import amount, layout

ROLES = (
    "apt_proxy",
    "docker_engine",
    "docker_daemon",
    "nvidia_docker",
    "docker_users",
    "registry_login",
    "gpu_smoke_test",
)
UNIFIED = (
    "--- /etc/docker/daemon.json (found)\n+++ /etc/docker/daemon.json (asked)\n@@ -1,4 +1,5 @@\n {\n"
    '-  "bip": "172.17.0.1/16",\n+  "bip": "192.168.127.1/24",\n+  "default-shm-size": "1G",\n'
    '   "storage-driver": "overlay2"\n }\n'
)
APT = Error(
    "apt cannot fetch https://download.docker.com/linux/ubuntu/dists/jammy/InRelease: Connection timed out",
    "set apt_proxy.http, or open the firewall to download.docker.com:443",
    "E: Failed to fetch https://download.docker.com/linux/ubuntu/dists/jammy/InRelease\nE: Some index files failed",
)


class Clock:
    """Time that the story sets."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


def facts(number: int) -> dict[str, Any]:
    odd = number % 97 == 5
    pci = [{"address": f"0000:{slot:02x}:00.0", "device": "2330", "device_class": "0302"} for slot in range(8 - odd)]
    kernel = "5.15.0-91-generic" if number % 50 == 7 else "5.15.0-105-generic"
    return {
        "os": {"id": "ubuntu", "name": "Ubuntu 22.04.4 LTS"}, "kernel": kernel, "init": "systemd",
        "architecture": "amd64",
        "nvidia": {"pci": pci, "driver_loaded": "550.54.15"}, "docker": {"version": "26.1.4"}, "python": "3.10.12",
        "dmi_product": "DGXH100", "dgx": {"version": "6.2.1"}, "can_raise_limits": True, "apt_version": "2.4.12",
    }  # fmt: skip


def proof(number: int) -> dict[str, Any]:
    odd = number % 97 == 5
    gpus = [
        {"index": slot, "name": "NVIDIA H100 80GB HBM3", "memory": {"total": 85520809984}} for slot in range(8 - odd)
    ]
    lost = {
        "name": "driver", "verdict": "failed", "detail": "", "cause": "8 GPUs are declared and 7 are on the PCI bus",
        "fix": "look at dmesg for Xid 79; reseat or replace the GPU",
    }  # fmt: skip
    good = {
        "verdict": "passed",
        "checks": [{"name": "Docker", "verdict": "passed", "detail": "", "cause": "", "fix": ""}],
    }
    levels = {str(level): dict(good, seconds=0.2) for level in range(1 if odd else 4)}
    if odd:
        levels["1"] = {"verdict": "failed", "checks": [lost], "seconds": 0.1}
    warnings = ["GPU 3: persistence mode is off, so each first use waits for the driver"] if number % 50 == 7 else []
    return {
        "levels": levels,
        "gpus": gpus,
        "driver": "550.54.15",
        "cuda": "12.4",
        "docker": {"version": "26.1.4"},
        "warnings": warnings,
    }


def steps(name: str, number: int, outcome: Outcome, check: bool = False) -> Iterator[Event]:
    changed = Outcome.OK if outcome is Outcome.OK else Outcome.WOULD_CHANGE if check else Outcome.CHANGED
    bip = ({"key": "content", "before": None, "after": None, "text": UNIFIED},)
    yield HostFacts(name, facts(number))
    yield RoleSkipped(name, "apt_proxy", Outcome.SKIPPED, "no proxy is set")
    yield ResourceDone(name, "docker_engine", "apt_source", "docker", Outcome.OK, seconds=0.01)
    if outcome is Outcome.FAILED and number % 97 != 5:
        yield ResourceDone(name, "docker_engine", "packages", "docker-ce", Outcome.FAILED, seconds=31.0, error=APT)
        return
    yield ResourceDone(
        name, "docker_engine", "packages", "docker-ce docker-ce-cli containerd.io", Outcome.OK, seconds=0.1
    )
    yield ResourceDone(
        name,
        "docker_daemon",
        "json_keys",
        "/etc/docker/daemon.json",
        changed,
        bip if changed != "ok" else (),
        "restarts Docker",
        0.1,
    )
    if changed != "ok":
        stale = ({"key": "stale", "before": True, "after": False, "text": None},)
        yield ResourceDone(name, "docker_daemon", "service", "docker", changed, stale, seconds=2.4)
    yield ResourceDone(name, "nvidia_docker", "packages", "nvidia-container-toolkit", Outcome.OK, seconds=0.1)
    yield ResourceDone(name, "docker_users", "membership", "docker", Outcome.OK)
    secret = ({"key": "login", "before": "differs (secret)", "after": "differs (secret)", "text": None},)
    login = changed if number % 3 == 0 else Outcome.OK
    yield ResourceDone(name, "registry_login", "registry_login", "nvcr.io root", login, secret if login != "ok" else ())
    bad = number % 97 == 5
    lost = Error(
        "level 1: 8 GPUs are declared and 7 are on the PCI bus", "look at dmesg for Xid 79; reseat or replace the GPU"
    )
    yield ResourceDone(
        name, "gpu_smoke_test", "gpu_proof", "gpu", Outcome.FAILED if bad else Outcome.OK, seconds=3.1,
        note="" if bad else "levels 0 to 3 passed", proof=proof(number), error=lost if bad else None,
    )  # fmt: skip


def fleet(count: int, clock: Clock, names: str = "dgx{:04}.dc1.example.com") -> Iterator[Event]:
    """A rollout in waves that stops itself in its third wave."""
    hosts = [names.format(number) for number in range(1, count + 1)]
    place = {name: number for number, name in enumerate(hosts)}
    ends: dict[str, HostFinished] = {}

    def end(name: str, outcome: Outcome, seconds: float, error: Error | None = None) -> HostFinished:
        ends[name] = HostFinished(name, outcome, {str(outcome): 3}, seconds, error)
        return ends[name]

    yield RunStarted("20261123T120000Z-1a2b", "apply", tuple(hosts), False)
    yield Notice("added ED25519 key of dgx0001 to known_hosts")
    left = []
    for name, number in place.items():
        clock.at += timedelta(seconds=0.02)
        yield HostStarted(name)
        if number % 61 == 3:
            yield end(
                name, Outcome.UNREACHABLE, 10.0, Error("no route to host", "look at the cable, the switch and the BMC")
            )
        elif number % 4 == 1:
            yield from steps(name, 0, Outcome.OK)
            yield end(name, Outcome.OK, 0.4)
        else:
            yield from steps(name, number, Outcome.CHANGED, check=True)
            yield HostChecked(name, Outcome.WOULD_CHANGE, {"would-change": 3}, 0.4)
            left.append(name)
    plan = layout(left, [amount(text) for text in ("1", "10%", "50%", "100%")], None)
    for wave, members in enumerate(plan[:-1], 1):
        yield WaveStarted(wave, len(plan), members)
        begun = clock.at
        counts: dict[str, int] = {}
        for name in members:
            number = place[name]
            bad = number % 97 == 5 or (wave > 2 and number % 23 == 2)
            yield HostStarted(name)
            outcome = Outcome.FAILED if bad else Outcome.PENDING if number % 41 == 2 else Outcome.CHANGED
            yield from steps(name, number, outcome)
            clock.at += timedelta(seconds=0.1)
            lost = Error(
                "gpu_smoke_test: gpu_proof gpu: level 1: 8 GPUs are declared and 7 are on the PCI bus",
                "reseat or replace the GPU",
            )
            apt = Error(f"docker_engine: packages docker-ce: {APT.cause}", APT.fix, APT.output)
            yield end(name, outcome, 12.0 + number % 7, (lost if number % 97 == 5 else apt) if bad else None)
            counts[outcome] = counts.get(outcome, 0) + 1
        last = wave == len(plan) - 1
        seconds = (clock.at - begun).total_seconds()
        yield WaveFinished(
            wave, len(plan), counts, not last, "11 hosts have failed, and --max-failures is 10" if last else "", seconds
        )
    failed = tuple(name for name, result in ends.items() if result.outcome in ("failed", "unreachable"))
    yield Stopped(
        "11 hosts have failed, and --max-failures is 10",
        failed,
        count - len(ends),
        ("kernel 5.15.0-91-generic (others: 5.15.0-105-generic)",),
    )
    for name in hosts:
        if name not in ends:
            yield end(name, Outcome.NOT_STARTED, 0.0)
    yield Summary("20261123T120000Z-1a2b", Outcome.FAILED, ends)


def recorded(count: int) -> Record:
    """The fleet's record."""
    clock = Clock()
    record = Record(clock)
    for event in fleet(count, clock):
        record(event)
    return record
