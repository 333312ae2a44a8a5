"""Between Docker's installation and its configuration: a drop-in that keeps Docker from starting by itself.

The law: pure. It is on disk before the packages are, and goes with the change that configures the daemon, as one of its
files: so it comes back where that change is undone, and whatever stops a run, Docker does not start at the next boot on
a network that nobody asked for.
"""

from provision.daemon.layout import DROP_INS
from provision.facts import Facts
from provision.resources import Directory, File, Resource

GATE = f"{DROP_INS}/00-provision-not-configured.conf"
CONTENT = f"""\
# Docker is installed and not configured yet, and would start on a network that nobody asked for.
# provision takes this file away when it configures Docker. To start Docker without that, remove it.
[Unit]
AssertPathExists=!{GATE}
"""


def closed(facts: Facts) -> list[Resource]:
    """For the role that installs Docker: the gate, on a host that has no Docker yet, or has not opened it since."""
    installed = facts.docker.daemon is not None or facts.docker.version is not None
    if facts.init != "systemd" or (installed and not is_closed(facts)):
        return []
    return [Directory(path=DROP_INS), File(path=GATE, content=CONTENT)]


def opened(facts: Facts) -> list[Resource]:
    """For the daemon's own change, right before its start."""
    return [File(path=GATE, content=None)] if is_closed(facts) else []


def is_closed(facts: Facts) -> bool:
    """Is the gate there?"""
    return facts.docker.unit is not None and GATE in facts.docker.unit.drop_ins
