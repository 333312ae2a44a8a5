"""The Docker daemon's configuration has one owner (law 7): options of all roles in, resources for one host out."""

from provision.daemon.fold import STAGE, Roles, fold
from provision.daemon.gate import closed

__all__ = ["STAGE", "Roles", "closed", "fold"]
