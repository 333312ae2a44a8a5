"""What verify quotes of a `docker login` that failed: its cause, and not that it would then ask for another login."""

import pytest

from tests.verify.registry_login import cause

ASKS = "Error: Cannot perform an interactive login from a non TTY device"
DENIED = "Login did not succeed, error: permission denied while trying to connect to the Docker daemon socket"


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        (f"Authenticating with existing credentials...\n{DENIED}\n{ASKS}\n", DENIED),
        (f"Stored credentials invalid or expired\n{ASKS}\n", "Stored credentials invalid or expired"),
        (f"{ASKS}\n", ASKS),
        ("", "nothing was said"),
    ],
)
def test_the_cause_is_quoted(said: str, quoted: str) -> None:
    assert cause(said) == quoted
