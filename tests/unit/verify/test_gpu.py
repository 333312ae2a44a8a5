"""What a container is compared with, and by which way it is given its GPUs."""

from typing import Any, cast

import pytest

from provision.verify.gpu import Gpu, way

FIRST = "GPU-00000000-0000-0000-0000-000000000000"


class Played:
    """A host, or a container on it, with one answer to each command that holds a word."""

    def __init__(self, answers: dict[str, str]) -> None:
        self._answers = answers

    def run(self, command: str, *_: str) -> Any:
        self.rc, self.stderr = 0, ""
        self.stdout = next(text for word, text in self._answers.items() if word in command)
        return self

    def check_output(self, command: str) -> str:
        return str(self.run(command).stdout)


def gpu(inside: str) -> Gpu:
    host = Played({"nvidia-smi -L": f"GPU 0: H200 (UUID: {FIRST})\n", "/dev/nvidia[0-9]*": "node nvidia0\n"})
    return Gpu(cast("Any", host), cast("Any", Played({"": inside})))


def test_uuids_are_compared_where_the_container_has_nvidia_smi() -> None:
    assert gpu(f"GPU 0: H200 (UUID: {FIRST})\n").compared("cdi") == ([FIRST], [FIRST])
    assert gpu("").compared("cdi")[1] == []


def test_device_nodes_are_compared_where_the_container_has_none() -> None:
    assert gpu("no nvidia-smi\nnode nvidia0\n").compared("cdi") == (["nvidia0"], ["nvidia0"])
    assert gpu("no nvidia-smi\n").compared("cdi") == (["nvidia0"], [])


@pytest.mark.parametrize(
    ("asked", "proven", "taken"),
    [
        ([], ["cdi"], "cdi"),
        (["gpus", "cdi"], ["gpus", "cdi"], "gpus"),
        (["gpus"], [], "gpus"),
        ([], ["nvidia-docker"], "runtime"),
    ],
)
def test_the_way_is_the_proof_s(asked: list[str], proven: list[str], taken: str) -> None:
    assert way(asked, {"docker": {"ways": proven}}) == taken
