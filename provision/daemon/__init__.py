"""The Docker daemon's configuration has one owner (law 7): options of all roles in, resources for one host out."""

from provision.daemon.gate import closed
from provision.daemon.merge_options import STAGE, DaemonRoles, merge_options

__all__ = ["STAGE", "DaemonRoles", "closed", "merge_options"]
