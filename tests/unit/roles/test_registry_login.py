"""registry_login: proof before login, certificates by path or text, and names of registries."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from provision import role
from provision.facts import Facts
from provision.resources import File, RegistryLogin, RegistryProof, Resource

ROLE = role.load("registry_login", [Path(__file__).parents[3] / "roles"])
FACTS = Facts.model_validate({"os": {"id": "debian"}, "architecture": "amd64", "init": "systemd"})
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
LOGIN: dict[str, Any] = {"username": "$oauthtoken", "password": "a-key"}


def resources(registries: dict[str, Any], directory: Path | None = None) -> list[Resource]:
    context = {"directory": directory} if directory else None
    return list(ROLE.resources(FACTS, ROLE.settings.model_validate({"registries": registries}, context=context)))


def test_certificate_then_proof_then_logins() -> None:
    found = resources({"registry.corp:5000": {**LOGIN, "users": ["root", "alice"], "ca_certificate": PEM}})
    kinds = ["directory", "directory", "directory", "file", "registry_proof", "registry_login", "registry_login"]
    assert [item.kind for item in found] == kinds
    assert isinstance(found[3], File)
    assert (found[3].path, found[3].content) == ("/etc/docker/certs.d/registry.corp:5000/ca.crt", PEM)
    assert isinstance(found[4], RegistryProof)
    assert found[4].ca_certificate == PEM
    assert [item.user for item in found if isinstance(item, RegistryLogin)] == ["root", "alice"]
    assert "a-key" not in repr(found)


def test_the_user_name_is_taken_literally_and_root_is_the_default() -> None:
    login = resources({"nvcr.io": LOGIN})[-1]
    assert isinstance(login, RegistryLogin)
    assert (login.username, login.user) == ("$oauthtoken", "root")


def test_a_proof_can_be_left_out() -> None:
    assert [item.kind for item in resources({"nvcr.io": {**LOGIN, "prove": False}})] == ["registry_login"]


def test_a_certificate_is_found_beside_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "ca.pem").write_text(PEM)
    [file] = [
        item
        for item in resources({"r.corp": {**LOGIN, "ca_certificate": "files/ca.pem"}}, tmp_path)
        if isinstance(item, File)
    ]
    assert file.content == PEM


@pytest.mark.parametrize("text", ["files/none.pem", "-----BEGIN PRIVATE KEY-----\nA\n-----END PRIVATE KEY-----"])
def test_what_is_no_certificate(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        resources({"r.corp": {**LOGIN, "ca_certificate": text}}, tmp_path)


@pytest.mark.parametrize("name", ["https://nvcr.io", "nvcr.io/nvidia", "a b", "", "host:port", "../etc"])
def test_a_name_that_is_no_registry(name: str) -> None:
    with pytest.raises(ValidationError):
        resources({name: LOGIN})


@pytest.mark.parametrize("wrong", [{"username": "a:b"}, {"username": ""}, {"password": "two\nlines"}, {"usrs": ["x"]}])
def test_what_is_wrong_is_told_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        resources({"nvcr.io": {**LOGIN, **wrong}})
    assert "two\nlines" not in str(caught.value.errors(include_input=False))


def test_docker_hub_has_one_login() -> None:
    with pytest.raises(ValidationError, match="Docker Hub"):
        resources({"docker.io": LOGIN, "https://index.docker.io/v1/": LOGIN})


def test_docker_hubs_own_key_makes_no_path_of_its_slashes() -> None:
    with pytest.raises(ValidationError, match="system"):
        resources({"https://index.docker.io/v1/": {**LOGIN, "ca_certificate": PEM}})
