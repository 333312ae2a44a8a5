"""Real test hosts on this machine: systemd, sshd and room for a Docker of their own, in containers of an
engine that is the lab's alone.

`Lab.up(name, hosts, directory)` brings hosts up; `python3 -m tests.lab` does the same by hand.
Standard library only: it must work before anything of the project is installed.
"""

from tests.lab.host import LabHost
from tests.lab.image import HostSpec
from tests.lab.lab import Lab, down_all
from tests.lab.processes import LabError

__all__ = ["HostSpec", "Lab", "LabError", "LabHost", "down_all"]
