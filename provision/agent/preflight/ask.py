"""The questions that a host is asked before anything is changed on it, and only where something would change.

The law: reads only. Each question gets one answer, within a time limit: one that breaks or hangs is `unknown`, which
keeps the host out as a `fail` does. What the change at hand does not touch is `n/a`. A thread that hangs in the kernel
is left behind: the agent's end is not its.
"""

import threading
import time

from ..host.errors import Failed, Unknown
from . import of_docker, of_host, of_packages, of_sources
from .change import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Sequence

    from ..host.system import System
    from ..types import Asks, Judged
    from .change import Found, Judgement

    Question = Callable[[System, Change], Judgement]

LIMIT = 20.0
"""Seconds for one question."""
TOGETHER = 60.0
QUESTIONS = (
    ("disk", of_host.disk),
    ("engines", of_docker.engines),
    ("socket", of_docker.socket),
    ("configuration", of_docker.configuration),
    ("orchestrator", of_docker.orchestrator),
    ("images", of_docker.images),
    ("dpkg", of_packages.dpkg_state),
    ("locks", of_packages.locks),
    ("holds", of_packages.holds),
    ("repositories", of_packages.repositories),
    ("sources", of_sources.sources),
    ("versions", of_sources.versions),
    ("reboot", of_host.reboot),
)


def answers(system: "System", wanted: "Asks", found: "Sequence[Found]") -> "list[Judged]":
    """The answers, as the wire takes them."""
    change = Change(wanted, found)
    end = time.monotonic() + TOGETHER
    questions: "tuple[tuple[str, Question], ...]" = QUESTIONS
    if system.bundle is not None:
        from . import of_bundle

        questions = of_bundle.instead(QUESTIONS)
    return [_asked(name, question, system, change, min(LIMIT, end - time.monotonic())) for name, question in questions]


def _asked(name: str, question: "Question", system: "System", change: Change, limit: float) -> "Judged":
    box: "list[Judgement]" = []
    thread = threading.Thread(target=_ask, args=(question, system, change, box), daemon=True)
    thread.start()
    thread.join(max(0.1, limit))
    if not box:
        fix = "look at the host: a hung disk or network file system, or one that is overloaded"
        box.append(("unknown", "no answer within {:.0f} s".format(limit), fix))
    verdict, text, fix = box[0]
    return {"question": name, "verdict": verdict, "text": text, "fix": fix}


def _ask(question: "Question", system: "System", change: Change, box: "list[Judgement]") -> None:
    try:
        answer = question(system, change)
    except Unknown as error:
        answer = ("unknown", str(error), "")
    except Failed as error:
        answer = ("unknown", error.cause, error.fix)
    except OSError as error:
        name = " {}".format(error.filename) if error.filename else ""
        answer = ("unknown", "cannot be told: {}{}".format(error.strerror or error, name), "look at the host")
    except Exception as error:
        what = "{}: {}".format(type(error).__name__, error)
        answer = ("unknown", "cannot be told: {}".format(what), "this is a bug of provision: please report it")
    box.append(answer)
