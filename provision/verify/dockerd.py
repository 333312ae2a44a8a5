"""The Docker daemon as its own client, its process and its containers show it.

The law: the daemon of the system is asked, whatever DOCKER_HOST or a context says; nothing here starts a daemon that is
stopped (its socket would), and what was made for a look (an image of the host's own shell, a container) is gone when
the tests of the host are over.
"""

import json
import re
import secrets as random
from functools import cached_property
from typing import Any, NoReturn

import pytest
from testinfra.backend.base import CommandResult
from testinfra.host import Host

from provision.agent.docker.flags import values
from provision.verify import network, unit

SOCKET = "/var/run/docker.sock"
CLIENT = f"env -u DOCKER_API_VERSION -u DOCKER_TLS -u DOCKER_TLS_VERIFY docker -H unix://{SOCKET}"
"""Docker's client, for the daemon of the system: -H wins over DOCKER_HOST, DOCKER_CONTEXT and `docker context use`."""
NOT_FOUND = 127
"""The exit status of env without the program that it is to start."""
IMAGE = """\
set -e
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
mkdir -p $d/bin $d/tmp $d/dev $d/proc $d/sys $d/etc
sh=$(readlink -f "$(command -v sh)"); cp $sh $d/bin/sh
smi=$(command -v nvidia-smi; PATH=/usr/local/nvidia/bin command -v nvidia-smi) || :
for f in $(ldd $sh $smi 2>/dev/null | grep -o '/[^ :]*\\.so[^ :]*' | sort -u); do
  mkdir -p $d${f%%/*}; cp -L $f $d$f
done
tar -C $d -c . | CLIENT import - %s >/dev/null
""".replace("CLIENT", CLIENT)
"""A few MB: the host's shell with its libraries, and those that nvidia-smi wants where the host has it."""

LOOK = """
show() { while read -r l; do echo "$1 $l"; done <"$2"; }
show limit /proc/self/limits; show mount /proc/mounts; show address /proc/net/fib_trie; show env /proc/self/environ
"""
"""A shell's own commands only: there is no other program in the image."""

RUN_LIMIT = 120.0
"""Seconds for one container, the image included."""

UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "": 1}
LIMIT_NAMES = {
    "core": "Max core file size",
    "cpu": "Max cpu time",
    "data": "Max data size",
    "fsize": "Max file size",
    "locks": "Max file locks",
    "memlock": "Max locked memory",
    "msgqueue": "Max msgqueue size",
    "nice": "Max nice priority",
    "nofile": "Max open files",
    "nproc": "Max processes",
    "rss": "Max resident set",
    "rtprio": "Max realtime priority",
    "rttime": "Max realtime timeout",
    "sigpending": "Max pending signals",
    "stack": "Max stack size",
    "as": "Max address space",
}
"""Docker's name of an ulimit to proc(5)'s."""


class Container:
    """What one container got."""

    def __init__(self, text: str) -> None:
        self._lines = [line.split(" ", 1) for line in text.splitlines() if " " in line]

    def _of(self, kind: str) -> list[str]:
        return [rest for name, rest in self._lines if name == kind]

    def ulimit(self, name: str) -> tuple[int, int]:
        """(soft, hard) of an ulimit by Docker's name, in its own unit (bytes, seconds, …); -1 is unlimited."""
        label = LIMIT_NAMES[name]
        line = next(line for line in self._of("limit") if line.startswith(label))
        soft, hard = line[len(label) :].split()[:2]
        return (-1 if soft == "unlimited" else int(soft)), (-1 if hard == "unlimited" else int(hard))

    @property
    def shm(self) -> int:
        """Bytes of /dev/shm."""
        options = next(line.split()[3] for line in self._of("mount") if line.split()[1] == "/dev/shm")  # noqa: S108 - where to look
        found = re.search(r"size=(\d+)([kmg]?)", options)
        assert found is not None, options
        return int(found[1]) * UNITS[found[2]]

    @property
    def addresses(self) -> list[str]:
        """Its IPv4 addresses, but for loopback."""
        local = network.addresses("\n".join(self._of("address")))
        return sorted(address for address in local if not address.startswith("127."))


class Dockerd:
    """The Docker daemon of a host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._image = ""
        self._told = False

    @property
    def running(self) -> bool:
        return bool(self._host.service("docker").is_running)

    @cached_property
    def info(self) -> dict[str, Any]:
        """What `docker info` says. Fails the test where the daemon does not run: asking its socket would start it."""
        if not self.running:
            pytest.fail("the service docker does not run", pytrace=False)
        found = json.loads(self._ask("info --format '{{json .}}'"))
        # Clients before 23 end with status 0 where nobody answers.
        if not isinstance(found, dict) or not found.get("ID") or found.get("ServerErrors"):
            errors = found.get("ServerErrors") if isinstance(found, dict) else None
            said = f": {'; '.join(errors)[-300:]}" if errors else ""
            pytest.fail(f"the Docker daemon does not answer at {SOCKET}{said}", pytrace=False)
        return found

    @cached_property
    def bridge(self) -> dict[str, Any]:
        """The network `bridge`, as `docker network inspect` shows it; it has at least one subnet."""
        assert self.info
        found: list[dict[str, Any]] = json.loads(self._ask("network inspect bridge"))
        if not found or not (found[0].get("IPAM") or {}).get("Config"):
            pytest.fail("Docker's network bridge has no subnet", pytrace=False)
        return found[0]

    @cached_property
    def pid(self) -> int:
        """Of dockerd, by its pidfile or unit: what it forks is called dockerd too, for a moment. Fails the test."""
        file = self._host.file("/var/run/docker.pid")
        number = file.content_string.strip() if file.exists else self._main_pid()
        if number in ("", "0"):
            pytest.fail("the Docker daemon does not run: there is no /var/run/docker.pid", pytrace=False)
        name = self._host.run("cat /proc/%s/comm", number).stdout.strip()
        if name not in ("dockerd", "docker"):
            pytest.fail(f"the process {number} is no Docker daemon, but {name or 'gone'}", pytrace=False)
        return int(number)

    def _main_pid(self) -> str:
        """What systemd knows as docker.service: another PID file may have been asked for (--pidfile)."""
        if not self._host.exists("systemctl"):
            return ""
        done = self._host.run("systemctl show --property MainPID --value docker.service")
        number = str(done.stdout).strip()
        return number if number.isdigit() else ""

    @cached_property
    def environment(self) -> dict[str, str]:
        """Variables of the process. May hold a proxy's password: do not print it."""
        text = self._host.file(f"/proc/{self.pid}/environ").content_string
        return dict(item.split("=", 1) for item in text.split("\0") if "=" in item)

    @cached_property
    def arguments(self) -> list[str]:
        """The command line of the process."""
        return [word for word in self._host.file(f"/proc/{self.pid}/cmdline").content_string.split("\0") if word]

    @cached_property
    def planned(self) -> list[str] | None:
        """The command line that its unit would start it with now; None where that cannot be told."""
        if not self._host.exists("systemctl"):
            return None
        done = self._host.run("systemctl cat --no-pager docker.service")
        return unit.command_line(done.stdout, self._text) if done.rc == 0 else None

    @cached_property
    def flags(self) -> dict[str, list[str]]:
        """Flags of its next start, by their long names: all of their values."""
        return values((self.planned or self.arguments)[1:])

    def _text(self, path: str) -> str:
        file = self._host.file(path)
        return str(file.content_string) if file.exists else ""

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The daemon.json of its next start, as it is on disk; {} without one."""
        file = self._host.file(self.flags.get("config-file", ["/etc/docker/daemon.json"])[-1])
        return json.loads(file.content_string.lstrip("\ufeff") or "{}") if file.exists else {}

    @cached_property
    def container(self) -> Container:
        """What a container gets that asks for nothing."""
        done = self.run(LOOK)
        if done.rc:
            pytest.fail(f"a container does not run: {done.stderr.strip()[-300:]}", pytrace=False)
        return Container(done.stdout)

    def run(self, script: str, options: str = "", image: str = "") -> CommandResult:
        """Run a script of sh in a container that is removed afterwards: `docker run --rm OPTIONS IMAGE sh -c SCRIPT`.
        The image, if none is given, has the host's shell and nothing else."""
        assert self.info
        name = image or self._own_image()
        return self._host.run(f"{CLIENT} run --rm {options} %s /bin/sh -c %s", name, script, timeout=RUN_LIMIT)

    def _without_client(self) -> NoReturn:
        """The first test that needs the client fails, the others are skipped."""
        if self._told:
            pytest.skip("there is no docker client on this host")
        self._told = True
        pytest.fail("there is no docker client on this host: install it (docker-cli, docker-ce-cli)", pytrace=False)

    def close(self) -> None:
        """Remove the image that was made."""
        if self._image:
            self._host.run(f"{CLIENT} rmi --force %s", self._image)

    def _own_image(self) -> str:
        if not self._image:
            name = f"provision-verify:{random.token_hex(6)}"
            done = self._host.run(IMAGE % name, timeout=RUN_LIMIT)
            if done.rc:
                pytest.fail(f"no image can be made of the host's shell: {done.stderr.strip()[-300:]}", pytrace=False)
            self._image = name
        return self._image

    def _ask(self, command: str) -> str:
        done = self._host.run(f"{CLIENT} {command}")
        if done.rc == NOT_FOUND:
            self._without_client()
        if done.rc:
            pytest.fail(f"docker {command.partition(' --')[0]}: {done.stderr.strip()[-300:]}", pytrace=False)
        return str(done.stdout)
