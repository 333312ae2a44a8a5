"""Templates beside an inventory win over the shipped ones in every run, and are part of what a worker compares."""

from pathlib import Path

import pytest

from provision import inventory, shipped
from provision.facts import Facts
from provision.resources import File
from provision.rollout.order import jobs, said

TEXT = """
all:
  hosts:
    a:
      roles: [docker_engine, docker_daemon, apt_proxy]
      docker_engine: {flavour: docker.io}
      docker_daemon: {bip: 192.168.127.1/24}
      apt_proxy: {http: "http://proxy.corp:3128", docker_daemon: true}
"""
FACTS = Facts.model_validate(
    {
        "os": {"id": "debian", "version_id": "12", "codename": "bookworm"},
        "architecture": "amd64",
        "kernel": "6.1",
        "apt_version": "2.6.1",
        "init": "systemd",
        "docker": {
            "packages": {"docker.io": "20.10.24+dfsg1-1"},
            "version": "20.10.24",
            "daemon": "/usr/sbin/dockerd",
            "unit": {"path": "/lib/systemd/system/docker.service", "exec_start": ["/usr/sbin/dockerd", "-H", "fd://"]},
        },
    }
)
DROP_IN = "docker-http-proxy.conf.j2"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "hosts.yml").write_text(TEXT)
    (tmp_path / "templates").mkdir()
    return tmp_path


def contents(site: Path) -> list[str]:
    role_path = shipped.role_path([site])
    hosts = inventory.load(str(site)).resolve(["a"], role_path=role_path)
    [job] = jobs(hosts, role_path, None)
    files = [item for stage in job.stages(FACTS) for item in stage.resources if isinstance(item, File)]
    return [str(file.content) for file in files]


def test_a_template_beside_the_inventory_wins(site: Path) -> None:
    assert not any("of this site" in text for text in contents(site))
    (site / "templates" / DROP_IN).write_text("# of this site\n")
    assert "# of this site\n" in contents(site)


def test_a_worker_with_another_template_is_found(site: Path) -> None:
    role_path = shipped.role_path([site])
    hosts = inventory.load(str(site)).resolve(["a"], role_path=role_path)
    before = said(hosts, role_path)
    (site / "templates" / DROP_IN).write_text("# of this site\n")
    assert said(hosts, role_path) != before
