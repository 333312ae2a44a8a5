"""Engines from a repository of the site's own: docker-engine 1.12.6 as DGX hosts had it, and docker-ce.

The packages are the lab's stand-ins, made of Debian's docker.io under the vendors' names, and say so in their
descriptions; docker-engine's dockerd is a shim that knows the flags of 1.12, and checks and drops
--disable-legacy-registry.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.runner import HostSpec, Lab, Provision, settle
from tests.lab import LabHost, debs, engine, stand_ins
from tests.lab.repository import AptRepository

pytestmark = pytest.mark.lab

GOLDEN = Path(__file__).with_name("golden") / "default-docker"
LEGACY = "1.12.6-0~ubuntu-trusty"
CE = "5:29.2.1-1~debian.13~trixie"
NEWER = "5:29.3.0-1~debian.13~trixie"
CONTAINERD = "2.2.1-1~debian.13~trixie"
NVIDIA_OPTIONS: dict[str, Any] = {
    "storage_driver": "overlay2",
    "disable_legacy_registry": True,
    "default_ulimits": {"stack": 67108864, "memlock": 8388608},
}
"""NVIDIA's four options; memlock is what a lab host can give, where DGX hosts take -1."""
MIRROR = "/srv/mirror"


@dataclass(frozen=True)
class Site:
    """The lab, its two repositories, and where their packages are built."""

    lab: Lab
    legacy: AptRepository
    ce: AptRepository
    debs: Path

    @property
    def dgx(self) -> LabHost:
        return self.lab.host("dgx")

    @property
    def modern(self) -> LabHost:
        return self.lab.host("modern")

    def copy_mirror(self) -> None:
        """docker-ce's repository as files on the host, as on a site without network."""
        self.modern.run(["rm", "-rf", MIRROR])
        engine.docker("cp", f"{self.ce.folder}/.", f"{self.modern.container}:{MIRROR}", timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("debs")
    hosts = [
        HostSpec("dgx", packages=("containerd", "runc", "iptables", "tini")),
        HostSpec("modern", "trixie", packages=("docker.io", "nftables")),
    ]
    with Lab.up("legacy", hosts, tmp_path_factory.mktemp("legacy")) as up:
        legacy = up.apt_repository("mirror", stand_ins.docker_engine(folder / "legacy", LEGACY), suite="ubuntu-trusty")
        ce = up.apt_repository("vendor", stand_ins.docker_ce(folder / "ce", CE, CONTAINERD, "trixie"))
        made = Site(up, legacy, ce, folder)
        made.copy_mirror()
        yield made


def legacy_settings(site: Site) -> dict[str, Any]:
    repository = {
        "uri": site.legacy.url,
        "suite": "ubuntu-trusty",
        "components": ["main"],
        "key": site.legacy.key_asc,
        "fingerprint": site.legacy.fingerprint,
    }
    return {
        "roles": ["docker_engine", "docker_daemon"],
        "docker_engine": {"flavour": "docker-engine", "version": LEGACY, "repository": repository},
        "docker_daemon": NVIDIA_OPTIONS,
    }


def ce_settings(site: Site, **more: Any) -> dict[str, Any]:
    repository = {
        "uri": f"file:{MIRROR}",
        "suite": "stable",
        "components": ["main"],
        "key": f"{MIRROR}/key.asc",
        "fingerprint": site.ce.fingerprint,
    }
    return {
        "roles": ["docker_engine", "docker_daemon"],
        "docker_engine": {"flavour": "docker-ce", "repository": repository, "plugins": [], **more},
        "docker_daemon": {"storage_driver": "overlay2", "bip": "192.168.127.1/24"},
    }


def apply(site: Site, host: str, settings: dict[str, Any], *options: str) -> Any:
    return settle(site.lab, settings).apply("--limit", host, *options)


def command_line(host: LabHost) -> list[str]:
    """The words the daemon itself was started with."""
    return host.run("tr '\\0' '\\n' < /proc/$(cat /run/docker.pid)/cmdline").stdout.splitlines()


def status(host: LabHost, *packages: str) -> list[str]:
    words = ["dpkg-query", "-W", "-f", "${Package} ${Version} ${Status}\n", *packages]
    return host.run(words, check=False).stdout.splitlines()


FOUR = (
    "--storage-driver=overlay2",
    "--disable-legacy-registry=true",
    "--default-ulimit=stack=67108864:67108864",
    "--default-ulimit=memlock=8388608:8388608",
)

# -- docker-engine 1.12.6


def test_without_a_repository_it_is_an_input_error_before_any_connection(tmp_path: Path) -> None:
    settings = {"roles": ["docker_engine"], "docker_engine": {"flavour": "docker-engine", "version": LEGACY}}
    hosts = {"dgx": {"ansible_host": "nothing.invalid"}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": settings}}))
    ended = Provision(tmp_path).apply()
    assert ended.status == 2
    assert ended.of("host-started") == []
    for word in ("hosts.yml:", "docker_engine", "`repository`", "apt.dockerproject.org", "mirror of yours"):
        assert word in ended.stderr, ended.stderr


def test_docker_engine_pinned_from_a_signed_mirror_with_nvidias_options(site: Site) -> None:
    ended = apply(site, "dgx", legacy_settings(site))
    assert ended.status == 0, ended.explain()
    assert status(site.dgx, "docker-engine") == [f"docker-engine {LEGACY} hold ok installed"]
    assert "stand-in" in site.dgx.run(["dpkg-query", "-W", "-f", "${Description}", "docker-engine"]).stdout
    assert site.dgx.read("/etc/default/docker") == GOLDEN.read_text()
    words = command_line(site.dgx)
    for option in FOUR:
        assert option in words
    assert (
        site.dgx.run("test -s /etc/docker/daemon.json && grep -c ulimit /etc/docker/daemon.json", check=False).stdout
        == ""
    )
    source = site.dgx.run("cat /etc/apt/sources.list.d/*.sources").stdout
    assert site.legacy.url in source
    assert "Signed-By: /etc/apt/keyrings/" in source


def test_a_second_run_on_docker_engine_changes_nothing(site: Site) -> None:
    before = command_line(site.dgx), site.dgx.read("/run/docker.pid")
    ended = apply(site, "dgx", legacy_settings(site))
    assert ended.status == 0, ended.explain()
    assert ended.resources("changed") == []
    assert (command_line(site.dgx), site.dgx.read("/run/docker.pid")) == before


def test_drift_of_docker_opts_is_found_and_repaired_and_foreign_flags_stay(site: Site) -> None:
    edit = (
        "s/ *--default-ulimit=memlock=[0-9:]*//; s/overlay2/overlay2 --debug/; s/^DOCKER_OPTS/# by hand\\nDOCKER_OPTS/"
    )
    site.dgx.run(["sed", "-i", edit, "/etc/default/docker"])
    found = settle(site.lab, legacy_settings(site)).check("--limit", "dgx", "--diff")
    assert found.status == 3, found.explain()
    assert "daemon_flags /etc/default/docker" in found.resources("would-change")
    assert "docker_service docker" in found.resources("would-change"), "and that it would restart Docker"
    ended = apply(site, "dgx", legacy_settings(site))
    assert ended.status == 0, ended.explain()
    text = site.dgx.read("/etc/default/docker")
    assert text.startswith("# by hand\n") or "\n# by hand\n" in text
    words = command_line(site.dgx)
    assert "--debug" in words
    for option in FOUR:
        assert option in words
    again = apply(site, "dgx", legacy_settings(site))
    assert again.resources("changed") == []


# -- docker-ce


def test_another_engine_is_in_the_way(site: Site) -> None:
    before = site.modern.run("ls /etc/apt/sources.list.d").stdout
    ended = apply(site, "modern", ce_settings(site, version=CE))
    assert ended.status == 1, ended.explain()
    said = ended.host("modern")["error"]
    assert "docker.io" in said
    assert "replace: true" in said
    assert status(site.modern, "docker.io")[0].endswith("install ok installed")
    assert site.modern.run("ls /etc/apt/sources.list.d").stdout == before, "nothing was written"


def test_a_key_with_another_fingerprint_is_not_taken(site: Site) -> None:
    settings = ce_settings(site, version=CE, replace=True)
    settings["docker_engine"]["repository"]["fingerprint"] = "0" * 40
    before = site.modern.run("ls /etc/apt/sources.list.d").stdout
    ended = apply(site, "modern", settings)
    assert ended.status == 1, ended.explain()
    assert "fingerprint" in ended.host("modern")["error"] or "0" * 40 in ended.host("modern")["error"]
    assert site.modern.run("ls /etc/apt/sources.list.d").stdout == before
    assert status(site.modern, "docker.io")[0].endswith("install ok installed")


def test_docker_ce_takes_its_place_from_a_repository_of_files(site: Site) -> None:
    settings = ce_settings(site, version=CE, replace=True)
    ended = apply(site, "modern", settings)
    assert ended.status == 0, ended.explain()
    assert status(site.modern, "docker-ce", "docker-ce-cli") == [
        f"docker-ce {CE} hold ok installed",
        f"docker-ce-cli {CE} hold ok installed",
    ]
    assert status(site.modern, "containerd.io")[0].endswith("hold ok installed")
    assert not any("installed" in line.split()[-1:] for line in status(site.modern, "docker.io"))
    assert "192.168.127.1/24" in site.modern.run("ip -4 -o addr show docker0").stdout
    assert site.ce.requests == [], "no network was needed"
    again = apply(site, "modern", settings)
    assert again.status == 0, again.explain()
    assert again.resources("changed") == []


def test_present_stays_latest_upgrades_and_no_version_goes_back_unasked(site: Site) -> None:
    text = "stand-in for {} made of Debian trixie's parts\n For tests only; nothing of it is the vendor's."
    for name in ("docker-ce", "docker-ce-cli"):
        (old,) = (site.debs / "ce").glob(f"{name}_29*.deb")
        made = debs.repack(old, site.debs / "newer", package=name, version=NEWER, description=text.format(name))
        site.ce.publish([made])
    site.copy_mirror()
    site.modern.run(["apt-get", "-qq", "update"], timeout=120)
    present = apply(site, "modern", ce_settings(site))
    assert present.status == 0, present.explain()
    assert present.resources("changed") == []
    before = site.modern.read("/run/docker.pid")
    looked = settle(site.lab, ce_settings(site, version="latest")).check("--limit", "modern")
    assert "docker_service docker" in looked.resources("would-change"), "the restart that an upgrade makes due"
    latest = apply(site, "modern", ce_settings(site, version="latest"))
    assert latest.status == 0, latest.explain()
    assert status(site.modern, "docker-ce", "docker-ce-cli") == [
        f"docker-ce {NEWER} hold ok installed",
        f"docker-ce-cli {NEWER} hold ok installed",
    ]
    assert site.modern.read("/run/docker.pid") != before, "the daemon runs what is on disk"
    back = apply(site, "modern", ce_settings(site, version=CE))
    assert back.status == 1, back.explain()
    assert "allow_downgrade" in back.host("modern")["error"]
    assert status(site.modern, "docker-ce") == [f"docker-ce {NEWER} hold ok installed"]
