"""Tests on hosts where no hosts can be made: a skip that says why, and a failure with CI=true."""

import os

import pytest

from tests.lab import machine


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("lab") is None or (reason := machine.lacking()) is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(f"NO HOSTS: {reason}")
