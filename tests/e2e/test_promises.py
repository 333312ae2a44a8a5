"""What check says and what apply then does, over states that other people's hosts are in: the one as the other said.

A state is made by a script on a host and judged with a role's settings. Where something keeps it from being changed,
check says what, apply says the same, and the host's package sources are as they were; else apply does what check named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.promises import broken, said
from tests.e2e.runner import HostSpec, Lab, settle
from tests.lab.host import LabHost
from tests.lab.machine import program
from tests.lab.processes import call
from tests.lab.repository import AptRepository

pytestmark = pytest.mark.lab
OLD, NEW = HOSTS = ("bookworm", "trixie")
ROLE = '''
"""Packages from a source of the site's own."""
from provision import role
from provision.resources import AptSource, Package, Packages


class Settings(role.Settings):
    source: dict[str, str]
    packages: dict[str, str | None] = {}


def resources(facts, settings):
    yield AptSource(name="site", components=("main",), architecture=None, **settings.source)
    if settings.packages:
        yield Packages(packages=tuple(Package(name=name, version=v) for name, v in settings.packages.items()))
'''
PIN = r"Package: site-*\nPin: release *\nPin-Priority: -1\n"


@dataclass(frozen=True)
class State:
    """`told`: by release, what keeps the host from being changed; a release that is not in it is changed."""

    told: Mapping[str, str]
    script: str = "true"
    undo: str = "true"
    packages: Mapping[str, str | None] = field(default_factory=lambda: {"site-agent": None})
    source: Mapping[str, str] = field(default_factory=dict)
    sha1: bool = False


def both(text: str) -> dict[str, str]:
    return dict.fromkeys(HOSTS, text)


STATES = {
    "a version that no source has": State(
        both("site-agent has no version 9 in the sources"), packages={"site-agent": "9"}
    ),
    "a package that no source has": State(
        both("no source of this host has a package site-none"), packages={"site-none": None}
    ),
    "a dependency that nobody has": State(
        both("the packages' dependencies cannot be met"), packages={"site-broken": None}
    ),
    "a preference": State(
        both("a preference of apt keeps site-agent out: /etc/apt/preferences.d/site"),
        f"printf '{PIN}' >/etc/apt/preferences.d/site",
        "rm /etc/apt/preferences.d/site",
    ),
    "a dependency that somebody holds": State(
        both("apt would have to change site-lib, which somebody holds"),
        "apt-get install -qy site-lib=1 && apt-mark hold site-lib",
        "apt-get purge -qy --allow-change-held-packages site-lib",
        packages={"site-top": None},
    ),
    "a dependency that a preference keeps out": State(
        both("a preference of apt keeps site-lib out: /etc/apt/preferences.d/site"),
        f"printf '{PIN}' | sed s/site-./site-lib/ >/etc/apt/preferences.d/site",
        "rm /etc/apt/preferences.d/site",
        packages={"site-top": None},
    ),
    "a wrong suite": State(both("has no signed Release file"), source={"suite": "nosuch"}),
    "a key that is not there": State(both("answers 404"), source={"key": "{uri}/none.asc"}),
    "another key": State(both("is asked"), source={"fingerprint": "A" * 40}),
    "a key of old": State({NEW: "SHA1 is not considered secure"}, sha1=True, undo="apt-get purge -qy site-agent"),
    "the source in a list without a key": State(
        {OLD: "z-site.list has the source"},
        "echo 'deb {uri} stable main' >/etc/apt/sources.list.d/z-site.list",
        "rm /etc/apt/sources.list.d/z-site.list; apt-get purge -qy site-agent",
    ),
    "nothing": State({}),
}


@dataclass(frozen=True)
class Site:
    """The lab, and its repositories: one with a key of today, one with a key of old."""

    lab: Lab
    good: AptRepository
    old: AptRepository


def deb(folder: Path, name: str, depends: str = "", version: str = "1") -> Path:
    """An empty package."""
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: lab <lab@lab.invalid>\n"
    control += "Description: a stand-in\n"
    root = folder / name / "DEBIAN"
    root.mkdir(parents=True)
    (root / "control").write_text(control + (f"Depends: {depends}\n" if depends else ""))
    call([program("dpkg-deb"), "--root-owner-group", "-b", str(folder / name), str(folder)])
    return folder / f"{name}_{version}_all.deb"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("promises")
    needs = {"site-agent": "", "site-broken": "nobody-has-this", "site-top": "site-lib (>= 2)"}
    debs = [deb(folder / "debs", name, depends) for name, depends in needs.items()]
    debs.append(deb(folder / "new", "site-lib", version="2"))
    with Lab.up("promises", [HostSpec(release, release) for release in HOSTS], folder / "lab") as lab:
        (lab.directory / "roles").mkdir()
        (lab.directory / "roles" / "site_packages.py").write_text(ROLE)
        for host in lab.hosts:
            base = [deb(folder / host.name, name) for name in ("site-base", "site-lib")]
            only(host, lab.apt_repository("base", base))
        yield Site(lab, lab.apt_repository("site", debs), lab.apt_repository("old", debs, sha1=True))


def only(host: LabHost, base: AptRepository) -> None:
    """Let `base` be the host's only source: apt is quick with it."""
    host.run("rm /etc/apt/sources.list.d/*")
    host.write("/usr/share/keyrings/base.asc", base.key_asc)
    host.write("/etc/apt/sources.list", f"deb [signed-by=/usr/share/keyrings/base.asc] {base.source}\n")
    host.run("apt-get update -q")


@pytest.mark.parametrize("name", STATES)
def test_apply_does_what_check_said(site: Site, name: str) -> None:
    state = STATES[name]
    repository = site.old if state.sha1 else site.good
    source = {"uri": repository.url, "suite": "stable", "key": "{uri}/key.asc", "fingerprint": repository.fingerprint}
    source = {key: value.format(uri=repository.url) for key, value in (source | dict(state.source)).items()}
    settings = {"roles": ["site_packages"], "site_packages": {"source": source, "packages": dict(state.packages)}}
    for host in site.lab.hosts:
        host.run(state.script.replace("{uri}", repository.url))
    before = {host.name: host.run("ls -lR --full-time /etc/apt").stdout for host in site.lab.hosts}
    run = settle(site.lab, settings)
    check, apply = run.check(), run.apply()
    assert broken(check, apply) == []
    for host in site.lab.hosts:
        ended, told = apply.host(host.name), state.told.get(host.name)
        if told is None:
            assert ended["outcome"] == "changed", apply.explain()
            continue
        assert ended["outcome"] == "failed"
        assert told in ended["error"]
        assert any(told in text for text in said(check, host.name)), str(check.of("preflight", host=host.name))
        if check.host(host.name)["outcome"] == "failed":
            assert host.run("ls -lR --full-time /etc/apt").stdout == before[host.name]
    for host in site.lab.hosts:
        host.run(f"{state.undo}; rm -f /etc/apt/sources.list.d/site.sources /etc/apt/keyrings/site.gpg")
