"""What every test is kept away from: the records of this machine's own runs.

Python 3.6 reads this file too (tests/agent).
"""

import os

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
