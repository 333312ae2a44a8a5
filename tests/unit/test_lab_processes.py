"""The lab's daemons outlive what started them, and nothing is said of that."""

import gc
import subprocess
import sys
from pathlib import Path

from tests.lab.processes import Daemon

STARTS = """
import gc, sys, warnings
from pathlib import Path
from tests.lab.processes import Daemon
warnings.simplefilter("error")
daemon = Daemon("sleeper", Path(sys.argv[1]) / "record", Path(sys.argv[1]) / "log")
daemon.start(["sleep", "60"])
gc.collect()
"""


def test_a_daemon_outlives_its_starter_without_a_warning(tmp_path: Path) -> None:
    """With warnings as errors, as pytest has them: the one of a forgotten Popen would be written to stderr."""
    daemon = Daemon("sleeper", tmp_path / "record", tmp_path / "log")
    try:
        words = [sys.executable, "-c", STARTS, str(tmp_path)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, cwd=Path(__file__).parents[2])
        assert (done.returncode, done.stderr) == (0, "")
        assert daemon.running()
    finally:
        daemon.stop()
    gc.collect()
    assert not daemon.running()
