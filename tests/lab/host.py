"""One lab host, as a person at its console would handle it: run, read, write, pull the power or the cable.

Law: everything goes through the lab's engine, never through ssh, so that what is under test is not also
the measuring instrument; every command has a time limit, enforced inside the host as well.
"""

import io
import json
import shlex
import socket
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.lab import engine, listing
from tests.lab.machine import program
from tests.lab.processes import LabError, call

TIMED_OUT = 124  # what timeout(1) answers


@dataclass(frozen=True)
class File:
    """What is in a tar stream for a host: bytes, mode and owner (numeric)."""

    data: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class LabHost:
    """A host of a lab that is up. `container` is its name in the lab's engine."""

    name: str
    ip: str
    container: str
    public_key: str

    def run(
        self,
        command: Sequence[str] | str,
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - as subprocess.run names it
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run as root, an argv or a line for sh; LabError on failure when `check`, or after `timeout` s."""
        argv = ["sh", "-c", command] if isinstance(command, str) else list(command)
        words = ["exec", "--interactive", self.container, "timeout", "--kill-after=5", f"{timeout:g}", *argv]
        done = engine.docker(*words, timeout=timeout + 15, input=input, check=False)
        if done.returncode == TIMED_OUT:
            raise LabError(f"{self.name}: {shlex.join(argv)} did not end within {timeout:g} s")
        if check and done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip())[-2000:]
            raise LabError(f"{self.name}: {shlex.join(argv)} ended with {done.returncode}: {said}")
        return done

    def read(self, path: str) -> str:
        return self.run(["cat", path]).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file owned by root in place (same inode when it exists), folders made as needed."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"'
        self.run(["sh", "-c", script, "sh", path, f"{mode:o}"], input=text)

    def put(self, files: Mapping[str, File]) -> None:
        """Put files at absolute paths, the host running or not; owned by root."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for path, file in files.items():
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode, entry.mtime = len(file.data), file.mode, int(time.time())
                tar.addfile(entry, io.BytesIO(file.data))
        argv = [program("docker"), "--host", f"unix://{engine.SOCKET}", "cp", "-", f"{self.container}:/"]
        done = subprocess.run(argv, input=stream.getvalue(), capture_output=True, timeout=60)
        if done.returncode != 0:
            raise LabError(f"{self.name}: cannot copy files in: {done.stderr.decode(errors='replace')}")

    # power, hanging, cable

    def pull_power(self) -> None:
        """Power loss: every process is gone at once, nothing is flushed or told."""
        engine.docker("kill", "--signal", "KILL", self.container)
        engine.docker("wait", self.container)

    def power_on(self, timeout: float = 120) -> None:
        """Start again after `pull_power`, on the same disk and address, and wait until it serves."""
        engine.docker("start", self.container)
        self.wait_ready(timeout)

    def pause(self) -> None:
        """Hang: connections stay open and nothing answers."""
        engine.docker("pause", self.container)

    def unpause(self) -> None:
        engine.docker("unpause", self.container)

    def cut_network(self) -> None:
        """Pull the cable: packets vanish both ways, connections are not reset, the host runs on."""
        call([program("ip"), "link", "set", self._port(), "down"])

    def restore_network(self) -> None:
        call([program("ip"), "link", "set", self._port(), "up"])

    # state

    def running(self) -> bool:
        return bool(self._inspect()["State"]["Running"])

    def wait_ready(self, timeout: float = 120) -> None:
        """Until systemd is up (`running` or `degraded`) and sshd answers; LabError with the journal."""
        end = time.monotonic() + timeout
        state = ""
        while time.monotonic() < end:
            state = self._systemd_state(end)
            if state in ("running", "degraded") and self._sshd_answers():
                return
            if not self.running():
                logs = engine.docker("logs", "--tail", "30", self.container, check=False).stdout
                raise LabError(f"{self.name} stopped while it started; its console said:\n{logs}")
            time.sleep(0.1)
        words = "systemctl list-jobs --no-pager; journalctl --no-pager -n 30"
        journal = self.run(words, check=False, timeout=10).stdout
        raise LabError(f"{self.name} is not up after {timeout:g} s (systemd: {state or 'no answer'}):\n{journal}")

    def listing(self) -> dict[str, listing.Entry]:
        """Everything on its disk, with times: see listing.py; compare with `listing.differences`."""
        return listing.take(self)

    def add_user(
        self,
        name: str,
        password: str | None = None,
        sudo: Literal["none", "nopasswd", "password"] = "none",
        authorized: bool = True,
    ) -> None:
        """A login user; `authorized` lets the lab's key in, `password` allows password logins and sudo."""
        self.run(["useradd", "--create-home", "--shell", "/bin/bash", name])
        if password is not None:
            self.run(["chpasswd"], input=f"{name}:{password}\n")
        if sudo != "none":
            tag = "NOPASSWD:" if sudo == "nopasswd" else ""
            self.write(f"/etc/sudoers.d/lab-{name}", f"{name} ALL=(ALL:ALL) {tag}ALL\n", 0o440)
        if authorized:
            home = f"/home/{name}/.ssh"
            self.run(["install", "-d", "-m", "700", "-o", name, "-g", name, home])
            self.write(f"{home}/authorized_keys", self.public_key + "\n", 0o600)
            self.run(["chown", f"{name}:{name}", f"{home}/authorized_keys"])

    def host_keys(self) -> list[str]:
        """Its public host keys, as `TYPE BASE64`, read at the console and so to be trusted."""
        lines = self.run("cat /etc/ssh/ssh_host_*_key.pub").stdout.splitlines()
        return [" ".join(line.split()[:2]) for line in lines]

    def _systemd_state(self, end: float) -> str:
        left = max(1.0, end - time.monotonic())
        words = ("exec", self.container, "timeout", f"{left:.0f}", "systemctl", "is-system-running", "--wait")
        return engine.docker(*words, check=False, timeout=left + 10).stdout.strip()

    def _sshd_answers(self) -> bool:
        try:
            with socket.create_connection((self.ip, 22), timeout=2) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _inspect(self) -> dict[str, dict[str, object]]:
        found: list[dict[str, dict[str, object]]]
        found = json.loads(engine.docker("container", "inspect", self.container).stdout)
        return found[0]

    def _port(self) -> str:
        """Name of the machine's end of this host's cable."""
        pid = self._inspect()["State"]["Pid"]
        index = int(Path(f"/proc/{pid}/root/sys/class/net/eth0/iflink").read_text())
        for link in json.loads(call([program("ip"), "-j", "link"]).stdout):
            if link["ifindex"] == index:
                return str(link["ifname"])
        raise LabError(f"{self.name} has no cable: is it running?")
