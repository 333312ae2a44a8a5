"""A host's side of a bundle, with the real apt of this machine: it knows what the vendor has signed, and no more."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import messages
from provision.agent import wire
from provision.agent.host import safe_files
from provision.agent.host.errors import Failed
from provision.agent.host.parcels import Parcels
from provision.agent.host.system import System
from provision.agent.packages import bundled, source_list
from provision.bundle import manifest, serving
from provision.bundle.shelf import Shelf
from tests.lab.repository import AptRepository
from tests.unit.bundle.conftest import FACTS, deb
from tests.unit.bundle.test_checking import forge, path_of


class Line:
    """The wire, with a controller that has this bundle at its other end."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._decoder = wire.Decoder()
        self._heard = list[dict[str, Any]]()

    def send(self, message: dict[str, Any]) -> None:
        asked = messages.parse(message)
        assert isinstance(asked, messages.Listing | messages.Fetch)
        serving.hand_out(asked, self._shelf, FACTS, lambda data: self._heard.extend(self._decoder.feed(data)))

    def next(self) -> dict[str, Any]:
        return self._heard.pop(0)


@pytest.fixture
def made(make: Callable[..., Any], member: Callable[..., Any]) -> Any:
    return make(member("app"))


@pytest.fixture
def host(
    made: Any, bundle: Path, repository: AptRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], System]:
    """A host that knows the repository and its key, and is given the bundle as it is by then."""
    key = tmp_path / "key.asc"
    key.write_text(repository.key_asc)
    entry = source_list.SourceEntry("x.sources", repository.url, "stable", str(key))
    monkeypatch.setattr(source_list, "entries", lambda system: [entry])
    (tmp_path / "state").mkdir()

    def given() -> System:
        system = System(str(tmp_path / "state"))
        system.scratch = lambda files, copies: safe_files.scratch(files, copies, place=str(tmp_path))  # type: ignore[method-assign,assignment]
        system.bundle = Parcels(Line(Shelf(bundle)), {"problem": None, "images": True}, OSError)
        return system

    return given


def run(*argv: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=environment).stdout


def test_apt_knows_the_bundles_packages_and_nothing_else(host: Callable[[], System]) -> None:
    system = host()
    with bundled.source(system) as options:
        said = run("apt-cache", *options, "policy", "app", "apt-utils")
        assert "app:\n  Installed: (none)\n  Candidate: 1.0\n" in said
        assert "http" not in said, "no source of this machine is known"
        words = [*options, "-y", "-q", "--no-install-recommends", "install", "app"]
        bundled.bring(system, words)
        kept = [path.read_bytes()[:8] == b"!<arch>\n" for path in Path(system.state, "cache").iterdir()]
        assert (kept.count(True), kept.count(False)) == (2, 2), "app and lib (base-files provides base), and indices"
    assert not list(Path(system.state).parent.glob("provision.*")), "nothing is left"


def test_an_old_version_that_was_asked_for_as_well_is_there_to_go_back_to(
    make: Callable[..., Any],
    member: Callable[..., Any],
    host: Callable[[], System],
    tmp_path: Path,
    repository: AptRepository,
) -> None:
    repository.publish([deb(tmp_path, "held", "1.0"), deb(tmp_path, "held", "2.0")])
    make(member("held"), member("held=1.0"))
    system = host()
    with bundled.source(system) as options:
        assert "Candidate: 2.0\n" in run("apt-cache", *options, "policy", "held")
        bundled.bring(system, [*options, "-y", "--allow-downgrades", "install", "held=1.0"])
    assert bundled.newest(system, ["held"]) == {"held": "2.0"}


def test_newest_is_by_dpkgs_rules(host: Callable[[], System]) -> None:
    assert bundled.newest(host(), ["app", "other"]) == {"app": "1.0", "other": None}


def test_a_list_that_is_not_the_signed_one_is_named(made: Any, bundle: Path, host: Callable[[], System]) -> None:
    path = path_of(made, "index")
    forge(bundle, path, (bundle / path).read_bytes().replace(b"Version: 1.0", b"Version: 0.9"))
    with (
        pytest.raises(Failed, match=f"{path} of the bundle is not the list that .*InRelease signs"),
        bundled.source(host()),
    ):
        pass


def test_a_signature_that_does_not_fit_is_named(made: Any, bundle: Path, host: Callable[[], System]) -> None:
    path = path_of(made, "release")
    forge(bundle, path, (bundle / path).read_bytes().replace(b"Suite: stable", b"Suite: stabil"))
    with pytest.raises(Failed, match=f"of the bundle's {path}"), bundled.source(host()):
        pass


def test_a_package_that_no_list_has_is_named(made: Any, bundle: Path, host: Callable[[], System]) -> None:
    path = path_of(made, "package")
    forge(bundle, path, b"another package")
    with (
        pytest.raises(Failed, match=f"{path} of the bundle is in no list that its vendor has signed"),
        bundled.source(host()),
    ):
        pass


def test_what_the_bundle_says_of_a_package_is_what_the_list_says(
    made: Any, bundle: Path, host: Callable[[], System]
) -> None:
    path = made.manifest.targets[0].stanzas.path
    forge(bundle, path, (bundle / path).read_bytes().replace(b"Depends: lib", b"Depends: lob"))
    system = host()

    def install() -> None:
        with bundled.source(system) as options:
            bundled.bring(system, [*options, "-y", "install", "lib"])
            raise AssertionError("apt would install it")

    with pytest.raises(Failed, match=r"what the bundle says of .*app_1\.0_.*deb is not"):
        install()


def test_a_package_may_stand_in_two_lists_in_two_ways(
    make: Callable[..., Any],
    member: Callable[..., Any],
    host: Callable[[], System],
    tmp_path: Path,
    repository: AptRepository,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    debs = [
        Path(shutil.copy(path, tmp_path / f"as-{path.name}")) for path in (repository.folder / "pool").glob("[!o]*")
    ]
    updates = AptRepository("y", [*debs, deb(tmp_path, "extra")], "127.0.0.1", suite="stable", flat=False)
    (tmp_path / "updates.asc").write_text(updates.key_asc)
    known = [
        *source_list.entries(host()),
        source_list.SourceEntry("y", updates.url, "stable", str(tmp_path / "updates.asc")),
    ]
    monkeypatch.setattr(source_list, "entries", lambda system: known)
    members = [member("app", "other"), member("app", "extra", of=updates, name="web2")]
    for order in (members, members[::-1]):
        assert len(make(*order).manifest.repositories) == 2
        system = host()
        with bundled.source(system) as options:
            bundled.bring(system, [*options, "-y", "install", "app", "extra", "other"])
    updates.close()


def test_a_package_that_was_changed_is_named(made: Any, bundle: Path, host: Callable[[], System]) -> None:
    path = path_of(made, "package")
    data = (bundle / path).read_bytes()
    (bundle / path).write_bytes(data[:-1] + b"!")
    system = host()
    with pytest.raises(Failed, match=f"{path} of the bundle was changed"), bundled.source(system) as options:
        bundled.bring(system, [*options, "-y", "install", "app"])


def test_the_hosts_own_key_decides(
    made: Any, host: Callable[[], System], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: AptRepository
) -> None:
    shutil.copy("/usr/share/keyrings/debian-archive-keyring.gpg", tmp_path / "other.gpg")
    entry = source_list.SourceEntry("x.sources", repository.url, "stable", str(tmp_path / "other.gpg"))
    monkeypatch.setattr(source_list, "entries", lambda system: [entry])
    with pytest.raises(Failed, match="key"), bundled.source(host()):
        pass


def test_a_key_in_the_source_itself_counts(
    made: Any, host: Callable[[], System], monkeypatch: pytest.MonkeyPatch, repository: AptRepository
) -> None:
    folded = "\n".join(f" {line or '.'}" for line in repository.key_asc.splitlines())
    entry = source_list.SourceEntry("x.sources", repository.url, "stable", f"\n{folded}")
    monkeypatch.setattr(source_list, "entries", lambda system: [entry])
    with bundled.source(host()) as options:
        assert options[0] == "-c"


def test_manifest_is_read(bundle: Path, made: Any) -> None:
    assert manifest.read(bundle) == made.manifest
