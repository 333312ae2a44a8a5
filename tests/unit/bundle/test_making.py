"""Making a bundle: what comes along, what is fetched again, and what is refused."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from provision.bundle import checking, manifest
from provision.bundle.making import Made
from provision.bundle.needs import Member
from provision.errors import Refused
from tests.lab.repository import AptRepository
from tests.unit.bundle.conftest import deb, installed

Make = Callable[..., Made]
Hosts = Callable[..., Member]


def names(made: Made) -> list[str]:
    return [package.name for package in made.manifest.packages]


def pool(repository: AptRepository) -> list[str]:
    """Packages that were asked of the repository."""
    return [path.rpartition("/")[2].partition("_")[0] for path in repository.requests if path.endswith(".deb")]


def test_what_a_package_needs_comes_along_and_nothing_else(make: Make, member: Hosts, bundle: Path) -> None:
    made = make(member("app"))
    assert names(made) == ["app", "base", "lib"]
    [target] = made.manifest.targets
    assert target.label == "debian:bookworm/amd64"
    for package in made.manifest.packages:
        assert (bundle / package.file.path).stat().st_size == package.file.size
        assert package.uri.startswith("http://127.0.0.1:")


def test_the_same_again_fetches_no_package_and_writes_the_same_manifest(
    make: Make, member: Hosts, bundle: Path, repository: AptRepository
) -> None:
    make(member("app"))
    first = (bundle / manifest.NAME).read_bytes()
    repository.requests.clear()
    make(member("app"))
    assert pool(repository) == []
    assert (bundle / manifest.NAME).read_bytes() == first


def test_what_a_host_has_is_left_out_but_not_what_it_is_asked_to_have(make: Make, member: Hosts) -> None:
    made = make(member("app", status=installed("base") + installed("app")))
    assert names(made) == ["app", "lib"]


def test_hosts_of_one_release_share_a_target_that_has_what_each_lacks(make: Make, member: Hosts) -> None:
    made = make(member("app", status=installed("base")), member("lib", status=installed("other"), name="web2"))
    assert len(made.manifest.targets) == 1
    assert names(made) == ["app", "base", "lib"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file system of its own")
def test_a_disk_without_room_is_told_and_what_was_fetched_is_kept(make: Make, member: Hosts, bundle: Path) -> None:
    bundle.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", bundle], check=True)
    try:
        with pytest.raises(Refused, match=r"no space left for .*/bundle|No space left on device") as told:
            make(member("app"))
    finally:
        subprocess.run(["umount", bundle], check=True)
    assert "free some" in str(told.value)


def test_a_host_without_python_gets_it_first(make: Make, member: Hosts) -> None:
    made = make(member("base", has_python=False))
    assert names(made) == ["base", "python3"]
    [target] = made.manifest.targets
    assert [made.manifest.packages[1].file.sha256] == list(target.python)


def test_a_new_version_takes_the_place_of_the_old(make: Make, member: Hosts, bundle: Path, tmp_path: Path) -> None:
    base = deb(tmp_path, "base")
    repository = AptRepository("own", [base, deb(tmp_path, "app", Depends="base")], "127.0.0.1", suite="x", flat=False)
    try:
        old = make(member("app", of=repository)).manifest.packages
        repository.publish([deb(tmp_path, "app", "1.1", Depends="base")])
        repository.requests.clear()
        made = make(member("app", of=repository))
    finally:
        repository.close()
    assert [(package.name, package.version) for package in made.manifest.packages] == [
        ("app", "1.1"), ("base", "1.0"),
    ]  # fmt: skip
    assert pool(repository) == ["app"]
    assert not (bundle / old[0].file.path).exists()


def test_after_a_cut_only_what_is_missing_is_fetched(
    make: Make, member: Hosts, bundle: Path, repository: AptRepository
) -> None:
    made = make(member("app"))
    (bundle / manifest.NAME).unlink()
    lost = next(package for package in made.manifest.packages if package.name == "lib")
    (bundle / lost.file.path).unlink()
    repository.requests.clear()
    assert make(member("app")).manifest == made.manifest
    assert pool(repository) == ["lib"]


def test_a_damaged_package_is_fetched_anew(make: Make, member: Hosts, bundle: Path, repository: AptRepository) -> None:
    made = make(member("app"))
    path = bundle / made.manifest.packages[0].file.path
    path.write_bytes(b"x" * path.stat().st_size)
    repository.requests.clear()
    make(member("app"))
    assert pool(repository) == ["app"]
    assert checking.findings(bundle, manifest.read(bundle), lambda text: None) == []


def test_what_cannot_be_met_names_host_and_package(make: Make, member: Hosts, bundle: Path) -> None:
    with pytest.raises(Refused, match=r"web1: apt finds no way to install broken: .*nowhere"):
        make(member("broken"))
    assert not (bundle / manifest.NAME).exists()


def test_an_exact_version_that_is_not_there_names_it(make: Make, member: Hosts) -> None:
    with pytest.raises(Refused, match=r"web1: .*Version '9' for 'app' was not found"):
        make(member("app=9"))


def test_a_signature_of_another_key_is_refused(make: Make, member: Hosts, bundle: Path, tmp_path: Path) -> None:
    stranger = AptRepository("stranger", [deb(tmp_path, "x")], "127.0.0.1", suite="stable", flat=False)
    try:
        with pytest.raises(Refused, match=r"apt does not accept an index: .*127\.0\.0\.1"):
            make(member("app", key=stranger.key_asc))
    finally:
        stranger.close()
    assert not (bundle / manifest.NAME).exists()
