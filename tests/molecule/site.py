"""Hosts of a scenario, and what its inventory asks of them: `python -m tests.molecule.site NAME FOLDER HOST=RELEASE…`.

The law: everything a scenario needs is on its hosts when this ends; no process is left that serves anything.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.runner import DAEMON
from tests.lab import HostSpec, Lab, engine, stand_ins

LEGACY = "1.12.6-0~ubuntu-trusty"
MIRROR = "/srv/mirror"
MODERN: dict[str, Any] = {
    "roles": ["docker_engine", "docker_daemon", "docker_users", "gpu_smoke_test"],
    "docker_engine": {"flavour": "docker.io"},
    "docker_daemon": DAEMON,
    "docker_users": {"users": {"alice": {"create": True}}},
}


def main(scenario: str, directory: Path, *hosts: str) -> None:
    specs = [HostSpec(*host.split("="), packages=PACKAGES.get(scenario, ())) for host in hosts]
    lab = Lab.up(f"molecule-{scenario}", specs, directory)
    settings = legacy(lab) if scenario == "legacy" else MODERN
    (directory / "group_vars").mkdir(exist_ok=True)
    (directory / "group_vars" / "all.yml").write_text(yaml.safe_dump(settings))


PACKAGES = {"legacy": ("containerd", "runc", "iptables", "tini")}
"""What the stand-in of the old engine depends on."""


def legacy(lab: Lab) -> dict[str, Any]:
    """docker-engine 1.12.6, a stand-in made of Debian's docker.io, from a repository that lies on the host itself."""
    with tempfile.TemporaryDirectory() as folder:
        repository = lab.apt_repository("mirror", stand_ins.docker_engine(Path(folder), LEGACY), suite="ubuntu-trusty")
        for host in lab.hosts:
            engine.docker("cp", f"{repository.folder}/.", f"{host.container}:{MIRROR}", timeout=120)
        repository.close()
    source = {
        "uri": f"file:{MIRROR}",
        "suite": "ubuntu-trusty",
        "components": ["main"],
        "key": f"{MIRROR}/key.asc",
        "fingerprint": repository.fingerprint,
    }
    return {
        "roles": ["docker_engine", "docker_daemon"],
        "docker_engine": {"flavour": "docker-engine", "version": LEGACY, "repository": source},
        "docker_daemon": {
            "storage_driver": "overlay2",
            "disable_legacy_registry": True,
            "default_ulimits": {"stack": 67108864, "memlock": 8388608},
        },
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
