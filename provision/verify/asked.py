"""How tests say what differs: the setting, what the inventory asks, and what was found on the host."""

from collections.abc import Mapping
from typing import Any

import pytest


def agree(found: Mapping[str, tuple[Any, Any]]) -> None:
    """Fail the test with every setting whose (asked, found) differ, in one sentence."""
    __tracebackhide__ = True
    wrong = [
        f"{name}: asked for {asked!r}, found {there!r}" for name, (asked, there) in found.items() if asked != there
    ]
    if wrong:
        pytest.fail("; ".join(wrong), pytrace=False)


def skip_unless(asked: Any, setting: str) -> None:
    """Skip the test of a setting that the inventory does not give."""
    if asked is None or asked in ({}, []):
        pytest.skip(f"{setting} is not set")


def fresh_login(host: Any, user: str, command: str, timeout: float = 60.0) -> Any:
    """Run a command as somebody who has just logged in would: with the groups that the account has by now."""
    return host.run("su -s /bin/sh %s -c %s", user, command, timeout=timeout)
