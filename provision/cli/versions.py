"""What `--version` says: the version, and those of what a run stands on.

The law: what is not there is said, and is no error.
"""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from provision import __version__

LIBRARIES = ("click", "cryptography", "fabric", "Jinja2", "paramiko", "pydantic", "PyYAML")


def lines() -> Iterator[str]:
    """One line each: ours first."""
    yield f"provision, version {__version__}"
    yield f"  from {Path(__file__).parents[1]}"
    yield f"  Python {platform.python_version()}, {sys.executable}"
    yield f"  {', '.join(f'{name} {_version(name)}' for name in LIBRARIES)}"
    yield f"  ssh: {_ssh()}"
    yield f"  ansible-inventory, for inventory plugins: {shutil.which('ansible-inventory') or 'not here'}"
    yield f"  ansible.cfg: {_config()}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not here"


def _ssh() -> str:
    try:
        done = subprocess.run(
            ["ssh", "-V"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "not here"
    return " ".join(done.stderr.split()) or "it says no version"


def _config() -> str:
    from provision.inventory import ansible_config

    found = ansible_config.find(os.environ, [])
    return str(found) if found else "none here"
