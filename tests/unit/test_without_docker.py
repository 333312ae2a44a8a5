"""The comparison with nvidia-smi on a machine with GPUs: the same number in its own spelling."""

import pytest

from tests.gpu.without_docker import _spelled


@pytest.mark.parametrize(("size", "said"), [(644939776, "616"), (616 << 20, "616"), (80 << 30, "81920"), (0, "0")])
def test_sizes_are_rounded_up_as_nvidia_smi_does(size: int, said: str) -> None:
    assert _spelled("memory.reserved", size) == said
