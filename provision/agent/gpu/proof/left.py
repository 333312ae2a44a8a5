"""What the proof has left on a host: the gate for others, the receipts, and the image that was made for it.

The law: the image can be seen and removed only while Docker runs; otherwise it stays with Docker's other data.
"""

import os

from ...docker.engine_api import Engine, NotRunning
from ...engine.resource import Resource
from ...host import lenient
from . import gate, receipt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...host.system import System
    from ...types import Diff, State

RECEIPTS = (receipt.RECEIPT, receipt.SURVIVAL, receipt.SPEED, receipt.DCGM)


class ProofLeft(Resource):
    """Made on the host itself, for when a role is removed. `gate_only`: it is not the role that proves."""

    gate_only: bool

    def identity(self) -> str:
        return "gate" if self.gate_only else "gate, receipts and image"

    def desired(self) -> "State":
        return {"gate": [], "receipts": [], "images": []}

    def actual(self, system: "System") -> "State":
        """Paths, names in the state directory, and tags, as far as they are there."""
        state: "State" = {
            "gate": [path for path in (gate.PROVEN, gate.VERDICT) if lenient.exists(system, path)],
            "receipts": [],
            "images": [],
        }
        if not self.gate_only:
            names = [name for name in RECEIPTS if system.stat(os.path.join(system.state, name)) is not None]
            state.update(receipts=names, images=_images(system))
        return state

    def apply(self, system: "System", diff: "Diff") -> None:
        """The gate first: others must not be told of a proof that nobody repeats."""
        found = {key: pair[0] for key, pair in diff.items()}
        for path in found.get("gate", ()):
            system.remove(path)
        if lenient.exists(system, gate.FOLDER) and not system.names(gate.FOLDER):
            system.remove(gate.FOLDER)
        for name in found.get("receipts", ()):
            system.remove(os.path.join(system.state, name))
        for tag in found.get("images", ()):
            Engine(system).delete("/images/" + tag)


def _images(system: "System") -> "list[str]":
    from .image import REPOSITORY

    try:
        found = Engine(system).get("/images/json")
    except NotRunning:
        return []
    return sorted(tag for image in found for tag in image.get("RepoTags") or () if tag.startswith(REPOSITORY + ":"))
