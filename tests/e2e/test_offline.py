"""Hosts without any network but the controller's SSH, from bare to Docker as asked, out of a bundle."""

import gzip
import hashlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.bundle import manifest
from tests.e2e.runner import DAEMON, Ended, HostSpec, Lab, Provision, settle
from tests.lab import LabHost, apt, machine
from tests.lab.services import Registry

pytestmark = pytest.mark.lab
HOSTS = ("bookworm", "trixie")
CACHE = "/var/lib/provision/cache"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [HostSpec("bookworm"), HostSpec("trixie", "trixie", python="nopython")]
    machine.ensure_tools(lambda line: None, {"skopeo": "skopeo"})
    with Lab.up("offline", specs, tmp_path_factory.mktemp("offline")) as up:
        yield up


@pytest.fixture(scope="module")
def registry(lab: Lab) -> Registry:
    return lab.registry()


@pytest.fixture(scope="module")
def image(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image of one file, pushed to the registry; by its digest."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "ca.pem").write_text(registry.ca_pem)
    layout = folder / "layout"
    digest = write_image(layout)
    name = f"{registry.address}/site/tool"
    argv = ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{layout}:1", f"docker://{name}:1"]
    subprocess.run(argv, check=True, env={"PATH": "/usr/bin:/bin", "SSL_CERT_FILE": str(folder / "ca.pem")})
    return f"{name}@sha256:{digest}"


def write_image(layout: Path) -> str:
    """An OCI layout with one small image; the digest of its manifest."""
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    tar = subprocess.run(["tar", "-C", "/etc", "-c", "hostname"], check=True, capture_output=True).stdout
    layer = blob(gzip.compress(tar, mtime=0), "layer.v1.tar+gzip")
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]}
    config = blob(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode(), "config.v1+json")
    document = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
    whole = blob(json.dumps(document | {"config": config, "layers": [layer]}).encode(), "manifest.v1+json")
    entry = whole | {"annotations": {"org.opencontainers.image.ref.name": "1"}}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    digest: str = whole["digest"]
    return digest.removeprefix("sha256:")


@pytest.fixture(scope="module")
def provision(lab: Lab, image: str, registry: Registry) -> Provision:
    (lab.directory / "ca").write_text(registry.ca_pem)
    settings = {
        "roles": ["docker_engine", "docker_daemon", "container_images"],
        "docker_engine": {"flavour": "docker.io"},
        "docker_daemon": DAEMON,
        "container_images": {"images": [image], "minimum_free": 0},
    }
    # Packages that other tests have fetched are in the lab's cache.
    (lab.directory / "apt.conf").write_text(apt.proxy_options(lab.network.machine))
    environment = {"SSL_CERT_FILE": str(lab.directory / "ca"), "APT_CONFIG": str(lab.directory / "apt.conf")}
    return Provision(settle(lab, settings).inventory, environment)


@pytest.fixture(scope="module")
def bundle(lab: Lab, provision: Provision, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made while the hosts can be asked, on this machine's network; then they are cut off from all but this machine."""
    folder = tmp_path_factory.mktemp("bundle") / "site"
    ended = provision("bundle", "--out", str(folder), json_events=False)
    assert ended.status == 0, ended.stderr
    for host in lab.hosts:
        host.run("rm -f /etc/apt/apt.conf.d/90lab-cache; rm -rf /var/lib/apt/lists/*; : >/etc/resolv.conf")
        host.run("ip route del default", check=False)
    return folder


def received(ended: Ended, *hosts: str) -> float:
    """MB that these hosts got of the bundle, or all."""
    told = [event for event in ended.of("notice") if event.get("host") in (hosts or (*HOSTS, None))]
    texts = [re.match(r"received ([0-9.]+) MB", event["text"]) for event in told]
    return sum(float(match[1]) for match in texts if match)


def forged(bundle: Path, folder: Path, path: str) -> Path:
    """A copy of the bundle in which one file is another, and the manifest says that this is right."""
    subprocess.run(["cp", "-rl", str(bundle), str(folder)], check=True)
    data = (folder / path).read_bytes()
    changed = (
        gzip.compress(gzip.decompress(data).replace(b"Maintainer", b"maintainer", 1)) if ".gz" in path else data[:-9]
    )
    (folder / path).unlink()
    (folder / path).write_bytes(changed)
    text = (folder / manifest.NAME).read_text().replace(sha256(data), sha256(changed))
    text = text.replace(f'"size": {len(data)}\n', f'"size": {len(changed)}\n')
    (folder / manifest.NAME).unlink()
    (folder / manifest.NAME).write_text(text)
    return folder


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def package(bundle: Path, name: str) -> str:
    """The path of one of bookworm's packages."""
    found = manifest.read(bundle)
    [target] = [target for target in found.targets if target.codename == "bookworm"]
    mine = [item for item in found.packages if item.file.sha256 in target.packages]
    return next(item.file.path for item in mine if item.name == name)


def test_what_the_bundle_lacks_is_told_before_anything_changes(lab: Lab, provision: Provision, bundle: Path) -> None:
    ended = provision.check("--bundle", str(bundle), "--limit", "bookworm", "--set", "docker_engine.version=99.0-1")
    assert ended.status == 1, ended.explain()
    assert "not with this bundle: docker.io has no version 99.0-1" in ended.host("bookworm")["error"]


@pytest.mark.parametrize("what", ["package", "index"])
def test_what_was_tampered_with_is_refused_by_name(
    lab: Lab, provision: Provision, bundle: Path, tmp_path: Path, what: str
) -> None:
    path = package(bundle, "runc")
    if what == "index":
        path = next(
            index.file.path
            for repository in manifest.read(bundle).repositories
            if repository.suite == "bookworm"
            for index in repository.indices
        )
    options = ("--limit", "bookworm", "--bandwidth", "16MB")
    ended = provision.apply("--bundle", str(forged(bundle, tmp_path / "forged", path)), *options)
    assert ended.status == 1, ended.explain()
    assert path in ended.host("bookworm")["error"]
    assert lab.host("bookworm").run(["dpkg", "-s", "docker.io"], check=False).returncode


def test_a_full_disk_is_told_before_a_byte_comes(lab: Lab, provision: Provision, bundle: Path) -> None:
    host = lab.host("bookworm")
    host.run("mkdir -p /var/lib/provision/cache && mount -t tmpfs -o size=64m tmpfs /var/lib/provision/cache")
    try:
        ended = provision.apply("--bundle", str(bundle), "--limit", "bookworm")
    finally:
        host.run("umount /var/lib/provision/cache")
    assert ended.status == 1, ended.explain()
    assert f"are to come from the bundle, and {CACHE} has" in ended.host("bookworm")["error"]


def test_bare_hosts_come_to_docker_as_asked_and_a_transfer_that_was_cut_goes_on_where_it_ended(
    lab: Lab, provision: Provision, bundle: Path
) -> None:
    host = lab.host("bookworm")
    running = provision.start("apply", "--yes", "--bundle", str(bundle), "--bandwidth", "8MB", "--limit", "bookworm")
    size = "find /var/lib/provision/cache -name '*.part' -size +4096k"
    end = time.monotonic() + 60
    while time.monotonic() < end and not host.run(size, check=False).stdout:
        time.sleep(0.1)
    running.kill()
    running.communicate()
    kept = int(host.run("du -sm /var/lib/provision/cache").stdout.split()[0])
    assert kept >= 16
    ended = provision.apply("--bundle", str(bundle))
    assert ended.status == 0, ended.explain()
    whole = sum(item.file.size for item in manifest.read(bundle).packages if "bookworm" in targets_of(bundle, item))
    assert 20 < received(ended, "bookworm") < whole / 1e6
    assert "packages python3" in ended.resources("changed", host="trixie")
    for name in HOSTS:
        assert_as_asked(lab.host(name))


def targets_of(bundle: Path, package: manifest.BundlePackage) -> list[str]:
    """The releases that get it."""
    return [item.codename for item in manifest.read(bundle).targets if package.file.sha256 in item.packages]


def assert_as_asked(host: LabHost) -> None:
    info = json.loads(host.run(["docker", "info", "--format", "{{json .}}"]).stdout)
    assert info["Driver"] == "overlay2"
    assert "docker.io" in host.run(["apt-mark", "showhold"]).stdout.split()
    assert "docker.io" in host.run(["apt-mark", "showmanual"]).stdout.split()
    assert {"containerd", "runc"} <= set(host.run(["apt-mark", "showauto"]).stdout.split())
    assert not host.run("ls /var/lib/apt/lists | grep -v -e lock -e partial -e auxfiles", check=False).stdout
    assert not host.run("ls -d /run/provision.* /var/tmp/provision.*", check=False).stdout


def test_a_second_run_changes_nothing_and_transfers_nothing(lab: Lab, provision: Provision, bundle: Path) -> None:
    ended = provision.apply("--bundle", str(bundle))
    assert ended.status == 0, ended.explain()
    assert ended.resources("changed", "would-change") == []
    assert received(ended) == 0
    without = provision.apply()
    assert without.status == 0, without.explain()
    assert without.resources("changed", "would-change") == []


def test_an_image_that_was_tampered_with_is_refused_by_name(
    lab: Lab, provision: Provision, bundle: Path, image: str, tmp_path: Path
) -> None:
    host = lab.host("bookworm")
    host.run("docker image rm $(docker image ls -q)")
    found = next(item for item in manifest.read(bundle).images if item.reference == image)
    subprocess.run(["cp", "-rl", str(bundle), str(tmp_path / "forged")], check=True)
    layer = tmp_path / "forged" / found.files[-1].path
    data = layer.read_bytes()
    layer.unlink()
    layer.write_bytes(data[:-1] + b"!")
    ended = provision.apply("--bundle", str(tmp_path / "forged"), "--limit", "bookworm")
    assert ended.status == 1, ended.explain()
    assert f"{found.files[-1].path} of the bundle was changed" in ended.host("bookworm")["error"]
    assert host.run(["docker", "image", "ls", "-q"]).stdout == ""
    assert provision.apply("--bundle", str(bundle), "--limit", "bookworm").status == 0
    assert len(host.run(["docker", "image", "ls", "-q"]).stdout.split()) == 1
