"""A question of the controller, in place of a plan: one answer, and the run is over.

The law: an answer holds plain JSON types, and no value that may be secret. `status` and `why` read only; no question
takes the lock, for it is asked while a run holds it. Shipped to all, loaded only where something is asked.
"""

import os
from importlib import import_module

from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System

QUESTIONS = ("status", "why", "unlock")


def answer(system: "System", question: str, arguments: "dict[str, Any]") -> "dict[str, Any]":
    """The answer as a dict of JSON types. Raises Failed where the host cannot tell."""
    if question not in QUESTIONS:
        raise ValueError("nobody answers the question {!r}".format(question))
    if os.geteuid() != 0:
        raise Failed("not root on this host", "set ansible_become: true, or ansible_user: root")
    found: "dict[str, Any]" = import_module("." + question, __package__).answer(system, arguments)
    return found
