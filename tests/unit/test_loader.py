"""How the agent travels: its sources without docstrings, and otherwise as they are, line by line."""

import ast
import zlib
from pathlib import Path

import pytest

from provision import loader

AGENT = Path(loader.__file__).with_name("agent")
FILES = sorted(AGENT.rglob("*.py"))


def shape(text: str) -> list[tuple[str, int]]:
    """Each node of the code with its line, and the values of its constants but for docstrings."""
    tree = ast.parse(text)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (
            ast.dump(node) if isinstance(node, ast.Constant) and id(node) not in docs else type(node).__name__,
            getattr(node, "lineno", 0),
        )
        for node in ast.walk(tree)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(AGENT)))
def test_only_docstrings_stay_behind(path: Path) -> None:
    text = path.read_text("utf-8")
    travels = loader.without_docstrings(text)
    assert len(travels.splitlines()) == len(text.splitlines())
    assert not ast.get_docstring(ast.parse(travels))
    assert shape(travels) == shape(text)


def test_sources_travel_by_name() -> None:
    block = loader.block({})
    parts = zlib.decompress(block[16 + int(block[:8], 16) :]).decode("utf-8").split("\0")
    sent = dict(zip(parts[::2], parts[1::2], strict=True))
    assert "start(" in sent["agent.main"]
    assert not {"agent.boot", "agent.types", *(f"agent.{name}" for name in loader.ONLY_WITH_A_BUNDLE)} & set(sent)


def test_a_text_in_the_code_travels_whole() -> None:
    code = 'PROGRAM = """\\\nimport os\n"""\n\n\ndef f():\n    """{}"""\n    return """x"""\n'
    text = '"""A module\nof ours."""\n\n' + code.format("It does.")
    assert loader.without_docstrings(text) == '"""\n"""\n\n' + code.format("")
