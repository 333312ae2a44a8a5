"""The tests of nvidia_docker from outside, on a host that lacks what they look at."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

HERE = Path(__file__).parents[2] / "verify" / "nvidia_docker.py"


class Package:
    """A package as testinfra sees it, which fails where it is asked for the version of one that is not installed."""

    def __init__(self, version: str | None) -> None:
        self.is_installed = version is not None
        self._version = version

    @property
    def version(self) -> str:
        assert self._version is not None, "dpkg-query: no packages found"
        return self._version


def ask_for_versions(**there: str | None) -> None:
    spec = importlib.util.spec_from_file_location("nvidia_docker_from_outside", HERE)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    host = SimpleNamespace(package=lambda name: Package(there[name]))
    module.test_they_have_the_asked_version(host, {"version": "1.20.0-1"}, tuple(there))


def test_the_asked_version_is_found() -> None:
    ask_for_versions(toolkit="1.20.0-1", base="1.20.0-1")


@pytest.mark.parametrize(("version", "found"), [("1.18.1-1", "'1.18.1-1'"), (None, "None")])
def test_another_version_or_no_package_is_one_sentence(version: str | None, found: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=rf"nvidia_docker.version \(base\): asked for .*({found})"):
        ask_for_versions(toolkit="1.20.0-1", base=version)
