"""Host ranges expand as Ansible's do, and are bounded."""

import re

import pytest

from provision.inventory.ranges import expand


@pytest.mark.parametrize(
    ("name", "hosts"),
    [
        ("web1", ["web1"]),
        ("dgx[1:3]", ["dgx1", "dgx2", "dgx3"]),
        ("dgx[01:03].example.com", ["dgx01.example.com", "dgx02.example.com", "dgx03.example.com"]),
        ("dgx[8:11]", ["dgx8", "dgx9", "dgx10", "dgx11"]),
        ("dgx[008:010]", ["dgx008", "dgx009", "dgx010"]),
        ("n[1:9:4]", ["n1", "n5", "n9"]),
        ("n[:2]", ["n0", "n1", "n2"]),
        ("n[5:5]", ["n5"]),
        ("r[a:c]", ["ra", "rb", "rc"]),
        ("r[A:E:2]", ["rA", "rC", "rE"]),
        ("r[a:b]n[1:2]", ["ran1", "ran2", "rbn1", "rbn2"]),
        ("[1:2]x", ["1x", "2x"]),
    ],
)
def test_expands(name: str, hosts: list[str]) -> None:
    assert expand(name) == hosts


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("n[3:1]", "the first end must not be after the last"),
        ("n[01:100]", "both ends need as many digits"),
        ("n[1:z]", "no range"),
        ("n[aa:bb]", "no range"),
        ("n[é:z]", "no range"),
        ("n[1]", "holds [ or ]"),
        ("n[1:3", "holds [ or ]"),
        ("n1:3]", "holds [ or ]"),
        ("n[1:9:0]", "step"),
        ("n[1:9:x]", "step"),
        ("n[1:9:]", "step"),
        ("n[0:999999999]", "more than 100000 hosts"),
        ("n[0:9999999999999999999999]", "more than 100000 hosts"),
        ("n[0:9999][0:9999]", "more than 100000 hosts"),
        ("n[²:3]", "no range"),
    ],
)
def test_refuses(name: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        expand(name)
