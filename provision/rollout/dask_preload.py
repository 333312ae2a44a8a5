"""What Dask loads into each worker of a local cluster first: Ctrl-C on the terminal is not for them.

The law: a worker hears of a cancel from its controller, and ends with it.
"""

import os


def dask_setup(worker: object) -> None:
    """Called by Dask. In a process group of its own, a worker is not interrupted by the terminal."""
    os.setpgid(0, 0)
