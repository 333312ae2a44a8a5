"""state.json has one table of its sections: each that the agent uses is in it, with an owner that there is."""

import ast
from pathlib import Path

from provision.agent.host import shapes
from provision.agent.host import state as state_module

AGENT = Path(state_module.__file__).parents[1]


def used(path: Path) -> set[str]:
    """Names of sections that a file reads or writes: texts, and constants of its own at the top."""
    tree = ast.parse(path.read_text("utf-8"))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    names = set()
    for call in calls:
        owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if owner.endswith("state_file") and ast.unparse(call.func).rpartition(".")[2] in ("get", "put", "section"):
            first = call.args[0]
            name = first.value if isinstance(first, ast.Constant) else constants.get(ast.unparse(first))
            names |= {str(name)} if name is not None else set()
    return names


def test_each_section_stands_in_the_table() -> None:
    assert set().union(*(used(path) for path in AGENT.rglob("*.py"))) == set(shapes.SECTIONS)


def test_each_owner_uses_its_section() -> None:
    for name, (owner, kept_by, _) in shapes.SECTIONS.items():
        assert name in used(AGENT / owner), name
        assert kept_by
