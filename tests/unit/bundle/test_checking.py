"""`bundle verify`: what was tampered with is named, file by file, whoever also changed the manifest."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.bundle import checking, manifest
from provision.bundle.making import Made
from provision.errors import InputError


@pytest.fixture
def made(make: Callable[..., Made], member: Callable[..., Any]) -> Made:
    return make(member("app"))


def findings(bundle: Path) -> list[str]:
    return checking.findings(bundle, manifest.read(bundle), lambda text: None)


def forge(bundle: Path, path: str, data: bytes) -> None:
    """Put other bytes there, and let the manifest say that this is so."""
    old = hashlib.sha256((bundle / path).read_bytes()).hexdigest()
    (bundle / path).write_bytes(data)
    text = (bundle / manifest.NAME).read_text().replace(old, hashlib.sha256(data).hexdigest())
    document = json.loads(text)

    def resize(item: Any) -> None:
        if isinstance(item, dict) and item.get("path") == path:
            item["size"] = len(data)
        for value in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
            resize(value)

    resize(document)
    (bundle / manifest.NAME).write_text(json.dumps(document))


def test_a_good_bundle_has_no_findings(made: Made, bundle: Path) -> None:
    assert findings(bundle) == []


@pytest.mark.parametrize("which", ["package", "index", "release"])
def test_a_changed_file_is_named(made: Made, bundle: Path, which: str) -> None:
    path = path_of(made, which)
    (bundle / path).write_bytes((bundle / path).read_bytes()[:-1] + b"!")
    assert findings(bundle) == [f"{path} is not what the manifest says: its sha256 is another"]


def path_of(made: Made, which: str) -> str:
    [repository] = made.manifest.repositories
    return {
        "package": made.manifest.packages[0].file.path,
        "index": repository.indices[0].file.path,
        "release": repository.release.path,
    }[which]


def test_a_package_that_the_vendor_does_not_list_is_named(made: Made, bundle: Path) -> None:
    path = path_of(made, "package")
    forge(bundle, path, b"another package")
    assert findings(bundle) == [f"{path} is no package of {path_of(made, 'index')}"]


def test_a_list_that_the_vendor_has_not_signed_is_named(made: Made, bundle: Path) -> None:
    path = path_of(made, "index")
    data = (bundle / path).read_bytes()
    plain = gzip.decompress(data) if path.endswith(".gz") else data
    other = plain.replace(b"Version: 1.0", b"Version: 0.9")
    forge(bundle, path, gzip.compress(other) if path.endswith(".gz") else other)
    assert findings(bundle) == [f"{path} is not the list that {path_of(made, 'release')} signs"]


def test_a_signature_that_does_not_fit_is_named(made: Made, bundle: Path) -> None:
    path = path_of(made, "release")
    forge(bundle, path, (bundle / path).read_bytes().replace(b"Suite: stable", b"Suite: stabil"))
    [finding] = findings(bundle)
    assert finding.startswith(f"{path}: apt does not accept an index: ")


def test_a_missing_file_is_named(made: Made, bundle: Path) -> None:
    path = path_of(made, "package")
    (bundle / path).unlink()
    assert findings(bundle) == [f"{path} cannot be read: No such file or directory"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a//b", ""])
def test_a_manifest_names_nothing_outside(made: Made, bundle: Path, path: str) -> None:
    document = json.loads((bundle / manifest.NAME).read_text())
    document["packages"][0]["file"]["path"] = path
    (bundle / manifest.NAME).write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"packages.0.file.path: Value error, is no path inside of a bundle"):
        manifest.read(bundle)


def test_a_folder_that_is_no_bundle_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no bundle: No such file or directory; make one: provision bundle"):
        manifest.read(tmp_path)
