"""The verb schema: the JSON Schema of inventories, for editors."""

import json

from provision.cli.lines import show
from provision.cli.options import Asked
from provision.cli.roles import known
from provision.report.text import Line


def schema(asked: Asked, variables: bool) -> int:
    """The JSON Schema of inventories, or of files of variables."""
    from provision.inventory.schema import schema as schema_of

    text = json.dumps(schema_of(known(asked, ()), variables=variables), indent=2)
    return show(map(Line, text.splitlines()))
