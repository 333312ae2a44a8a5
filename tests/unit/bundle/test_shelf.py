"""A bundle as a run hands it out, and the conversation in which a host's agent asks for it."""

import io
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import loader, messages
from provision.agent import wire
from provision.bundle import serving
from provision.bundle.shelf import Bandwidth, Shelf, armored
from provision.errors import InputError, ProtocolError, Refused
from provision.facts import Os
from provision.plan import Stage
from provision.resources import AptSource
from tests.lab.repository import AptRepository
from tests.unit.bundle.conftest import FACTS


@pytest.fixture
def shelf(make: Callable[..., Any], member: Callable[..., Any], bundle: Path) -> Shelf:
    make(member("app", has_python=False))
    return Shelf(bundle)


def asked(shelf: Shelf, *pieces: tuple[str, int, int]) -> list[dict[str, Any]]:
    """What a host gets for that."""
    sent = list[bytes]()
    serving.hand_out(messages.Fetch(type="fetch", pieces=list(pieces)), shelf, FACTS, sent.append)
    found: list[dict[str, Any]] = wire.Decoder().feed(b"".join(sent))
    return found


def test_a_host_gets_the_pieces_that_it_asks_for_in_their_order(shelf: Shelf) -> None:
    package = shelf.manifest.packages[0]
    data = (shelf.folder / package.file.path).read_bytes()
    digest, size = package.file.sha256, package.file.size
    first, second, nothing = asked(shelf, (digest, 10, size - 10), (digest, 0, 10), (digest, size, 0))
    assert second["data"] + first["data"] == data
    assert nothing["data"] == b""


@pytest.mark.parametrize("digest", ["0" * 64, None])
def test_what_the_manifest_does_not_name_is_not_handed_out(shelf: Shelf, digest: str | None) -> None:
    package = shelf.manifest.packages[0].file
    [answer] = asked(shelf, (digest or package.sha256, package.size - 1, 2))
    assert answer["type"] == "lost"


def test_a_file_that_is_gone_is_named(shelf: Shelf) -> None:
    package = shelf.manifest.packages[0].file
    (shelf.folder / package.path).unlink()
    [answer] = asked(shelf, (package.sha256, 0, 1))
    assert answer["cause"] == f"{package.path} of the bundle cannot be read: No such file or directory"


def test_the_listing_has_what_a_host_has_to_know(shelf: Shelf) -> None:
    listing = shelf.listing(FACTS)
    assert {package["name"] for package in listing["packages"].values()} == {"app", "base", "lib", "python3"}
    [repository] = listing["repositories"]
    assert repository["components"] == ["main"]
    assert list(repository["indices"]) == ["main/binary-amd64/Packages"]
    assert listing["stanzas"].count("Package: ") == 4
    wire.encode(listing)


def test_a_host_of_another_release_is_told_what_there_is(shelf: Shelf) -> None:
    facts = FACTS.model_copy(update={"os": Os(id="debian", version_id="13", codename="trixie")})
    assert shelf.told(FACTS) == {"problem": None, "images": True}
    told = "the bundle has nothing for debian:trixie/amd64, only for debian:bookworm/amd64"
    assert shelf.told(facts) == {"problem": told, "images": True}
    with pytest.raises(Refused, match="nothing for debian:trixie/amd64"):
        shelf.python("debian", "13", "trixie", "amd64")


def test_a_host_without_python_gets_a_partial_mirror_as_a_tar(shelf: Shelf) -> None:
    data = b"".join(shelf.python("debian", "12", "bookworm", "amd64"))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = sorted(tar.getnames())
        sources = tar.extractfile("sources")
        assert sources is not None
        assert sources.read() == b"0 stable main\n"
    assert names == [
        "0/dists/stable/InRelease",
        "0/dists/stable/main/binary-amd64/Packages",
        "0/pool/python3_1.0_amd64.deb",
        "sources",
    ]


def test_nobody_gets_anything_where_no_bundle_is_given() -> None:
    with pytest.raises(ProtocolError, match="there is none"):
        serving.hand_out(messages.Listing(type="listing"), None, FACTS, lambda data: None)


def test_the_bandwidth_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = list[float]()
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    limited = Bandwidth(1000.0)
    for _ in range(3):
        limited.take(500)
    assert waited == [0.0, 0.5, 1.0]


def test_a_key_that_hosts_would_fetch_comes_with_the_plan(shelf: Shelf, repository: AptRepository) -> None:
    source = AptSource(
        name="vendor",
        uri=repository.url,
        suite="stable",
        components=("main",),
        architecture=None,
        key="https://vendor.invalid/gpg",
        fingerprint=repository.fingerprint,
    )
    [stage] = shelf.with_keys([Stage("role", (source,))])
    [changed] = stage.resources
    assert isinstance(changed, AptSource)
    assert changed.key == repository.key_asc


def test_a_binary_key_travels_as_text() -> None:
    text = armored(bytes(range(128, 228)))
    assert text.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\ngIGC")
    assert text.endswith("\n-----END PGP PUBLIC KEY BLOCK-----\n")


def test_a_bundle_that_is_none_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no bundle"):
        Shelf(tmp_path)


def test_what_only_bundles_need_travels_only_with_them() -> None:
    assert len(loader.block({}, bundle=True)) > len(loader.block({})) + 5000
    for name in loader.ONLY_WITH_A_BUNDLE:
        assert (Path(loader.__file__).parent / "agent" / (name.replace(".", "/") + ".py")).is_file()
