"""Tests on hosts: the files that take longest come first; where no hosts can be made, a skip says why (a failure with
CI=true)."""

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


LONGEST = ["test_roles_gpu", "test_offline", "test_remove", "test_converge", "test_unconfigured", "test_site_daemon"]
"""A worker takes a whole file: one of these at the end would leave the others idle. By time, not by number of tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))
