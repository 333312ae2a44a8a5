"""What a site's own kind (kinds/NAME.py beside the inventory) imports: `from provision.agent.kind import Resource`.

Such a file is read on the controller for its fields, and sent to the hosts for what it does: docs/roles.md.
"""

from .engine.resource import Resource
from .host.errors import Failed, Unknown

__all__ = ["Failed", "Resource", "Unknown"]
