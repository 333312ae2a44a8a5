"""Which sources a host has, and which lists its signed Releases name."""

from pathlib import Path

import pytest

from provision.bundle import release_file, stand_in
from provision.bundle.files import below, mirrored
from provision.bundle.needs import assumed, named
from provision.bundle.sources import sources
from provision.errors import InputError

KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"
STANZAS = b"""\
Types: deb deb-src
URIs: http://s http://t
Suites: x x-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off
Suites: y
"""
LINES = b"""\
# old
deb http://user:pw@mirror/debian/ bookworm main contrib # ours
deb-src http://x y z
"""
ONE_LINE = b"deb [arch=arm64] http://arm/ x main\ndeb [signed-by=/k.gpg arch=amd64] http://v ./\n"
FILES = {
    KEYRING: b"archive",
    "etc/apt/trusted.gpg.d/site.asc": b"site",
    "etc/apt/sources.list": LINES,
    "etc/apt/sources.list.d/a.list": ONE_LINE,
    "etc/apt/sources.list.d/b.sources": STANZAS,
    "etc/apt/sources.list.d/c.save": b"deb http://saved x main\n",
    "k.gpg": b"k",
}


def test_sources_are_those_that_apt_would_read() -> None:
    found = sources(FILES, "amd64")
    assert [(source.uri, source.suite, source.components) for source in found] == [
        ("http://mirror/debian", "bookworm", ("main", "contrib")),
        ("http://v", "./", ()),
        ("http://s", "x", ("main",)),
        ("http://s", "x-updates", ("main",)),
        ("http://t", "x", ("main",)),
        ("http://t", "x-updates", ("main",)),
    ]
    assert [name for name, _ in found[0].keys] == ["etc/apt/trusted.gpg.d/site.asc", KEYRING]
    assert found[1].keys == (("k.gpg", b"k"),)
    assert found[2].keys == ((KEYRING, b"archive"),)


def test_a_key_in_the_source_itself_is_unfolded() -> None:
    text = b"Types: deb\nURIs: http://s\nSuites: x\nComponents: main\n"
    text += b"Signed-By:\n -----BEGIN PGP\n .\n abc\n -----END PGP\n"
    [source] = sources({"etc/apt/sources.list.d/a.sources": text}, "amd64")
    assert source.keys == (("signed-by.asc", b"-----BEGIN PGP\n\nabc\n-----END PGP\n"),)


RELEASE = f"""\
Architectures: all amd64 arm64
SHA256:
 {"a" * 64}   10 main/binary-amd64/Packages
 {"b" * 64}    5 main/binary-amd64/Packages.xz
 {"c" * 64}    6 main/binary-amd64/Packages.gz
 {"d" * 64}    7 main/binary-all/Packages.xz
 {"e" * 64}    8 main/i18n/Translation-en.xz
"""


def test_lists_are_taken_in_the_quickest_compression() -> None:
    assert release_file.lists(RELEASE, ("main",), "amd64") == [
        "main/binary-amd64/Packages.gz",
        "main/binary-all/Packages.xz",
    ]
    assert release_file.digests(RELEASE)["main/binary-amd64/Packages.gz"] == ("c" * 64, 6)


@pytest.mark.parametrize(
    "line", ["Architectures: amd64 arm64", "Architectures: all amd64\nNo-Support-for-Architecture-all: Packages"]
)
def test_packages_of_all_architectures_are_where_the_release_says(line: str) -> None:
    text = RELEASE.replace("Architectures: all amd64 arm64", line)
    assert release_file.lists(text, ("main",), "amd64") == ["main/binary-amd64/Packages.gz"]


def test_only_the_signed_part_counts() -> None:
    data = b"evil\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: x\n- -dash\n"
    data += b"-----BEGIN PGP SIGNATURE-----\n\nx\n"
    assert release_file.signed(data) == "Origin: x\n-dash"
    assert release_file.signed(b"Origin: x\n") == ""


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("http://deb.debian.org/debian", "mirror/deb.debian.org/debian"),
        ("https://u:p@h:8080/a//b/", "mirror/h_8080/a/b"),
        ("http://h/../../x", "mirror/h/x"),
        ("http://h/%2e%2e/x", "mirror/h/x"),
    ],
)
def test_a_mirror_stays_in_the_bundle(uri: str, place: str) -> None:
    assert mirrored(uri) == place


@pytest.mark.parametrize("name", ["../x", "a/../../b", "/..", ""])
def test_a_name_that_leaves_its_repository_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a file in a repository"):
        below(name)


def test_a_release_is_named_by_number_or_codename() -> None:
    assert named("debian:13/arm64") == named("debian:trixie/arm64")
    system, architecture = named("ubuntu:24.04/amd64")
    assert (system.id, system.version_id, system.codename, architecture) == ("ubuntu", "24.04", "noble", "amd64")


@pytest.mark.parametrize("text", ["debian", "debian:potato/amd64", "fedora:40/amd64", "debian:trixie"])
def test_an_unknown_release_names_those_that_are_known(text: str) -> None:
    with pytest.raises(InputError, match=r"--for .*: is no release that is known here; one of debian:buster"):
        named(text)


def test_another_release_of_ones_own_distribution_comes_from_ones_own_mirror(tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    facts = assumed(*named("debian:trixie/amd64"))
    [source] = sources(stand_in.files_of(facts, tmp_path), "amd64")
    assert (source.uri, source.suite) == ("http://mirror/debian", "trixie")
    assert [data for _, data in source.keys] == [b"site", b"archive"]


def test_another_distribution_needs_its_keyring(tmp_path: Path) -> None:
    facts = assumed(*named("ubuntu:24.04/arm64"))
    with pytest.raises(InputError, match="no keyring of that distribution's archive; apt-get install ubuntu-keyring"):
        stand_in.files_of(facts, tmp_path)
    (tmp_path / "usr/share/keyrings").mkdir(parents=True)
    (tmp_path / "usr/share/keyrings/ubuntu-archive-keyring.gpg").write_bytes(b"ubuntu")
    found = sources(stand_in.files_of(facts, tmp_path), "arm64")
    assert [(source.uri, source.suite) for source in found] == [
        ("http://ports.ubuntu.com/ubuntu-ports", suite) for suite in ("noble", "noble-updates", "noble-security")
    ]
