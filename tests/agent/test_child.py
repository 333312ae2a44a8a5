"""A program that runs in a child: where its text comes from."""

import types

from provision.agent.gpu import nvml
from provision.agent.host import child


def test_the_source_of_a_module_is_its_file():
    with open(nvml.__file__, encoding="utf-8") as file:
        assert child.source(nvml) == file.read()


def test_the_source_is_asked_of_a_loader_that_has_it():
    module = types.ModuleType("agent.shipped")
    module.__loader__ = types.SimpleNamespace(get_source=lambda name: "# " + name)
    assert child.source(module) == "# agent.shipped"


def test_a_loader_without_sources_leaves_the_file(tmp_path):
    """As pytest's, which rewrites the package beside whose plugin it runs."""
    module = types.ModuleType("agent.other")
    module.__loader__ = object()
    module.__file__ = str(tmp_path / "other.py")
    (tmp_path / "other.py").write_text("# its file\n")
    assert child.source(module) == "# its file\n"
