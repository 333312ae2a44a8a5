"""The question about a bundle: has it all that this host lacks?

The law: apt itself is asked, with what the bundle says that it has; nothing of it is received for that, so nothing is
verified yet. This file travels only where there is a bundle.
"""

from ..host.errors import Failed
from ..packages import bundled
from ..packages.install import Packages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Tuple

    from ..host.system import System
    from .change import Change, Judgement

    Question = Tuple[str, Callable[[System, Change], Judgement]]

LIMIT = 15
"""Seconds that apt has for one set of packages."""


REMAKE = "make the bundle again with this inventory: provision bundle -i INVENTORY --out DIR"


def bundle(system: "System", change: "Change") -> "Judgement":
    """Packages with all that they need, and images."""
    packages, images = change.of("packages"), change.of("image")
    if not packages and not images:
        return "n/a", "nothing is taken from the bundle here", ""
    try:
        listing = system.bundle.listing
        with bundled.trial(system) as where:
            for fields, result in packages:
                diff = {item["key"]: (item["before"], item["after"]) for item in result["diff"]}
                Packages(**fields).rehearse(system, diff, where, LIMIT)
    except Failed as error:
        return "fail", "not with this bundle: {}".format(error.cause), REMAKE
    missing = [fields["reference"] for fields, _ in images if fields["reference"] not in listing["images"]]
    if missing:
        return "fail", "the bundle has no image {}".format(", ".join(missing)), REMAKE
    return "pass", "the bundle has what this host lacks", ""


def instead(questions: "Tuple[Question, ...]") -> "Tuple[Question, ...]":
    """The questions of a host that is given a bundle: what its own sources have is no matter."""
    kept = tuple(pair for pair in questions if pair[0] not in ("sources", "versions"))
    return kept[:-1] + (("bundle", bundle),) + kept[-1:]
