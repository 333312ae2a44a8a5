"""What every test is kept away from: the records of this machine's own runs, and signals that its starter ignores.

Python 3.6 reads this file too (tests/agent).
"""

import os
import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def state_of_our_own(tmp_path_factory):
    """Runs that tests start are recorded in a folder of the session."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before


# Whoever starts the tests in the background may have made them ignore Ctrl-C, and what they start would inherit that:
# our programs keep a signal ignored that was ignored before them, as nohup's users expect.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)
