"""The questions that a host is asked before anything is changed on it, and only where something would change.

The law: reads only. Each question gets one answer, within a time limit: one that breaks or hangs is `unknown`, which
keeps the host out as a `fail` does. What the change at hand does not touch is `n/a`. A thread that hangs in the kernel
is left behind: the agent's end is not its.
"""

import threading
import time

from ..host.errors import Failed, Unknown
from . import of_docker, of_host, of_packages, of_sources

LIMIT = 20.0
"""Seconds for one question."""
TOGETHER = 60.0
QUESTIONS = (
    ("disk", of_host.disk),
    ("engines", of_docker.engines),
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
ENGINE_ROLES = ("docker_engine", "docker_daemon", "nvidia_docker")


class Change:
    """What is about to be done here: the resources that would change, and what the controller adds to that."""

    def __init__(self, wanted, found):
        self.wanted = wanted
        self._found = found  # (role, item, result)
        self.offers = None  # what apt could install once the sources of this run are there: see of_sources.py

    def of(self, *kinds):
        """(fields, result) of the resources of these kinds that would change."""
        return [(item["fields"], result) for _, item, result in self._found if item["kind"] in kinds]

    def brings(self, kinds):
        """Would a role that is not about the engine change something of these kinds?"""
        return any(item["kind"] in kinds and role not in ENGINE_ROLES for role, item, _ in self._found)

    @property
    def packages(self):
        """{name: (what is there, what is asked)} of packages that would come, go or change their version."""
        changes = {}
        for fields, result in self.of("packages"):
            names = [package["name"] for package in fields["packages"]] + list(fields["replace"])
            for item in result["diff"]:
                if item["key"] in names and item["after"] != "{}, held".format(item["before"]):
                    changes[item["key"]] = (item["before"], item["after"])
        return changes

    @property
    def apt(self):
        """Will apt or dpkg be at work?"""
        return bool(self.of("packages", "deb", "apt_source"))

    @property
    def engine(self):
        """Is anything of the container engine about to change?"""
        services = [fields for fields, _ in self.of("service") if fields["name"] == "docker"]
        roles = [role for role, _, _ in self._found if role in ENGINE_ROLES]
        return bool(services or roles or self.wanted["deferred"])


def answers(system, wanted, found):
    """The answers, as the wire takes them."""
    change = Change(wanted, found)
    end = time.monotonic() + TOGETHER
    questions = QUESTIONS
    if system.bundle is not None:
        from . import of_bundle

        questions = of_bundle.instead(QUESTIONS)
    return [_asked(name, question, system, change, min(LIMIT, end - time.monotonic())) for name, question in questions]


def _asked(name, question, system, change, limit):
    box = []
    thread = threading.Thread(target=_ask, args=(question, system, change, box), daemon=True)
    thread.start()
    thread.join(max(0.1, limit))
    if not box:
        fix = "look at the host: a hung disk or network file system, or one that is overloaded"
        box.append(("unknown", "no answer within {:.0f} s".format(limit), fix))
    verdict, text, fix = box[0]
    return {"question": name, "verdict": verdict, "text": text, "fix": fix}


def _ask(question, system, change, box):
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
