"""A small signed repository on loopback, hosts that want packages of it, and bundles made of both."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provision.bundle.making import Made, Maker
from provision.bundle.needs import Member
from provision.facts import Facts, Os
from provision.plan import Stage
from provision.resources import AptSource, Package, Packages
from tests.lab.repository import AptRepository

TOOLS = ("/usr/lib/apt/apt-helper", "apt-get", "apt-ftparchive", "dpkg-deb", "gpg")
FACTS = Facts(
    os=Os(id="debian", version_id="12", codename="bookworm"), architecture="amd64", init="systemd", apt_version="2.6.1"
)


def deb(folder: Path, name: str, version: str = "1.0", **fields: str) -> Path:
    """A package that holds one file; more control fields with _ for -."""
    root = folder / f"{name}-{version}"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr/share/doc" / name).mkdir(parents=True)
    (root / "usr/share/doc" / name / "text").write_text(f"{name} {version}\n" * 2000)
    control = {"Package": name, "Version": version, "Architecture": "amd64", "Maintainer": "lab <lab@lab.invalid>"}
    control |= {"Description": "a package of a test"} | {key.replace("_", "-"): value for key, value in fields.items()}
    (root / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in control.items()))
    path = folder / f"{name}_{version}_amd64.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, path], check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AptRepository]:
    """`app` needs `lib`, which needs `base`; `other` is nobody's; `broken` needs what is not there."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"this machine has no {missing[0]}: install apt-utils and gpg to test bundles")
    folder = tmp_path_factory.mktemp("debs")
    debs = [
        deb(folder, "app", Depends="lib (>= 1.0)"),
        deb(folder, "lib", Depends="base"),
        deb(folder, "base"),
        deb(folder, "other"),
        deb(folder, "broken", Depends="nowhere (>= 2)"),
        deb(folder, "python3"),
    ]
    made = AptRepository("vendor", debs, "127.0.0.1", suite="stable", flat=False)
    yield made
    made.close()


@pytest.fixture
def member(repository: AptRepository) -> Callable[..., Member]:
    """A host that wants packages of the repository."""

    def make(
        *names: str,
        status: str = "",
        name: str = "web1",
        key: str = "",
        has_python: bool = True,
        of: AptRepository = repository,
    ) -> Member:
        source = AptSource(
            name="vendor",
            uri=of.url,
            suite=of.suite,
            components=("main",),
            architecture="amd64",
            key=key or of.key_asc,
            fingerprint=of.fingerprint,
        )
        packages = tuple(
            Package(name=part, version=version or None) for part, _, version in (name.partition("=") for name in names)
        )
        stages = [Stage("role", (source, Packages(packages=packages)))]
        return Member(name, FACTS, {}, status.encode(), has_python, lambda facts: stages)

    return make


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(bundle: Path, said: list[str]) -> Callable[..., Made]:
    """Make or renew the bundle."""
    return lambda *members: Maker(bundle, said.append).make(members)


def installed(name: str, version: str = "1.0") -> str:
    """A stanza of dpkg's status."""
    return f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"
