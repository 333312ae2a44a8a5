"""container_images: names of images, and what a mirror calls them."""

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from provision import role
from provision.facts import Facts
from provision.resources import Image, ImageMirror

ROLE = role.load("container_images", [Path(__file__).parents[3] / "roles"])
MODULE = sys.modules[ROLE.resources.__module__]
FACTS = Facts.model_validate({"os": {"id": "debian"}, "architecture": "amd64", "init": "systemd"})
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nvcr.io/nvidia/cuda:12.4.1", ("nvcr.io", "nvidia/cuda", "12.4.1", "")),
        ("localhost/x:1", ("localhost", "x", "1", "")),
        ("r.corp:5000/a/b:1", ("r.corp:5000", "a/b", "1", "")),
        ("ubuntu:22.04", ("", "ubuntu", "22.04", "")),
        ("library/ubuntu@" + DIGEST, ("", "library/ubuntu", "", DIGEST)),
        ("a:1@" + DIGEST, ("", "a", "1", DIGEST)),
    ],
)
def test_references_are_split_as_docker_splits_them(text: str, parts: tuple[str, ...]) -> None:
    assert tuple(MODULE.split(text)) == parts


@pytest.mark.parametrize(
    "text", ["", "A:1", "a:", "a@", "a@sha256:1", "a b:1", "-a:1", "a//b:1", "r.corp:5000/:1", "a:-1"]
)
def test_what_is_no_image(text: str) -> None:
    with pytest.raises(ValidationError):
        ROLE.settings.model_validate({"images": [text]})


@pytest.mark.parametrize("text", ["nvcr.io/nvidia/cuda", "nvcr.io/nvidia/cuda:latest", "r.corp:5000/cuda"])
def test_latest_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValidationError, match="a local latest may be another image"):
        ROLE.settings.model_validate({"images": [text]})


def test_each_image_is_pulled_and_then_mirrored() -> None:
    settings: dict[str, Any] = {
        "images": ["nvcr.io/nvidia/cuda:12.4.1", "ubuntu:22.04"],
        "mirror_to": "r.corp:5000/nvidia",
    }
    found = list(ROLE.resources(FACTS, ROLE.settings.model_validate(settings)))
    assert [item.kind for item in found] == ["image", "image_mirror"] * 2
    assert isinstance(found[0], Image)
    targets = [item.target for item in found if isinstance(item, ImageMirror)]
    assert targets == ["r.corp:5000/nvidia/cuda:12.4.1", "r.corp:5000/nvidia/ubuntu:22.04"]


@pytest.mark.parametrize(
    "settings",
    [
        {"images": ["a:1", "b/a:1"], "mirror_to": "r.corp:5000/x"},
        {"images": ["a@" + DIGEST], "mirror_to": "r.corp:5000/x"},
        {"images": ["a:1"], "mirror_to": "nvidia"},
        {"images": ["a:1"], "mirror_to": "r.corp:5000/x:1"},
    ],
)
def test_a_mirror_that_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ROLE.settings.model_validate(settings)
