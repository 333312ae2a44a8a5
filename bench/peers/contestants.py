"""Who takes part: where it is installed, how it is called, and how it says that nothing had to be changed.

The law: versions are pinned; each peer lives in a virtual environment in the lab's cache, never in the repository. A
run that failed, or that changed something where nothing was to be changed, is no measurement.
"""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.fleet import ROOT, Fleet
from bench.peers.measure import CannotMeasure
from tests.lab.machine import cache

PYINFRA = ("pyinfra==3.10",)
ANSIBLE = ("ansible-core==2.19.14", "mitogen==0.3.54")
Call = tuple[list[str], dict[str, str]]


@dataclass(frozen=True)
class Contestant:
    """One tool."""

    name: str
    title: str
    packages: tuple[str, ...]
    call: Callable[[Fleet], Call]
    """The command line and the environment for a fleet."""
    changed: Callable[[str, int], bool]
    """From its output for that many hosts: did it change something? CannotMeasure: it did not do its work."""
    applies: bool = True
    """False: it only logs in."""


def install(packages: Sequence[str], say: Callable[[str], None]) -> Path:
    """The virtual environment that has these packages, made when it is not there yet."""
    digest = hashlib.sha256(json.dumps([packages, sys.version]).encode()).hexdigest()[:10]
    place = cache() / "peers" / f"{packages[0].partition('=')[0]}-{digest}"
    done = place / "installed"
    if not done.exists():
        say(f"installing {' '.join(packages)} into {place}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        pip = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(pip, check=True)
        done.touch()
    return place


def _provision(fleet: Fleet) -> Call:
    argv = [sys.executable, str(ROOT / "provision.py"), "apply", "--inventory", str(fleet.ours), "--yes"]
    return [*argv, "--forks", str(fleet.count)], {"XDG_STATE_HOME": str(fleet.directory / "state")}


def _provision_changed(output: str, count: int) -> bool:
    _, ok, changed = map(int, _found(r"^(\d+) hosts?: (\d+) ok, (\d+) changed in ", output))
    _judge(ok + changed == count, output)
    return changed > 0


def _pyinfra(fleet: Fleet) -> Call:
    program = install(PYINFRA, print) / "bin" / "pyinfra"
    return [str(program), str(fleet.pyinfra), str(fleet.directory / "deploy.py"), "-y"], {}


def _pyinfra_changed(output: str, count: int) -> bool:
    _, changed, failed, _ = _found(r"^ *Grand total +(\S+) +(\S+) +(\S+) +(\S+)", output)
    _judge(failed == "-", output)
    return changed != "-"


def _ansible(fleet: Fleet) -> Call:
    program = install(ANSIBLE, print) / "bin" / "ansible-playbook"
    argv = [str(program), "-i", str(fleet.ansible), str(fleet.directory / "playbook.yml"), "--forks", str(fleet.count)]
    return argv, {
        "ANSIBLE_CONFIG": str(fleet.directory / "ansible.cfg"),
        "ANSIBLE_HOME": str(fleet.directory / "home"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(fleet.sockets),
    }


def _mitogen(fleet: Fleet) -> Call:
    argv, environment = _ansible(fleet)
    plugins = next((install(ANSIBLE, print) / "lib").glob("python3*/site-packages/ansible_mitogen/plugins/strategy"))
    return argv, environment | {"ANSIBLE_STRATEGY_PLUGINS": str(plugins), "ANSIBLE_STRATEGY": "mitogen_linear"}


def _ansible_changed(output: str, count: int) -> bool:
    hosts = re.findall(r"^\S+ +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0 ", output, re.M)
    _judge(len(hosts) == count, output)
    return any(int(changed) for changed in hosts)


def _ssh(fleet: Fleet) -> Call:
    names = [host.name for host in fleet.hosts]
    words = ["-P", str(fleet.count), "-I", "{}", "ssh", "-F", str(fleet.ssh_config), "{}", "true"]
    return ["sh", "-c", 'names=$1; shift; printf "%s\\n" $names | xargs "$@"', "sh", " ".join(names), *words], {}


def _found(pattern: str, output: str) -> tuple[str, ...]:
    match = re.search(pattern, output, re.M)
    _judge(match is not None, output)
    assert match is not None
    return match.groups()


def _judge(good: bool, output: str) -> None:
    if not good:
        raise CannotMeasure(f"it did not do its work:\n{output[-3000:]}")


ALL = (
    Contestant("provision", "provision.py", (), _provision, _provision_changed),
    Contestant("pyinfra", "pyinfra", PYINFRA, _pyinfra, _pyinfra_changed),
    Contestant("mitogen", "Ansible + Mitogen", ANSIBLE, _mitogen, _ansible_changed),
    Contestant("ansible", "Ansible", ANSIBLE, _ansible, _ansible_changed),
    Contestant("ssh", "ssh HOST true", (), _ssh, lambda output, count: False, applies=False),
)
