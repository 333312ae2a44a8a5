"""The text under a field of a class, which documents it: read from the source, since Python keeps none of it."""

import ast
import inspect
from itertools import pairwise


def under_fields(source: str, name: str) -> dict[str, str]:
    """{field: the text under it} of the class of that name."""
    classes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))
    body = next((node.body for node in classes if node.name == name), [])
    return {
        field.target.id: inspect.cleandoc(under.value.value)
        for field, under in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(under, ast.Expr) and isinstance(under.value, ast.Constant) and isinstance(under.value.value, str)
    }
