"""Patterns mean what they mean to Ansible, and a word that means nothing is an error."""

from collections.abc import Callable
from pathlib import Path

import pytest

from provision.errors import InputError
from provision.inventory import Inventory

HOSTS = """
all:
  hosts:
    lonely:
    2001:db8::7:
  children:
    web: {hosts: {"web[1:3]": }}
    db: {hosts: {"db[1:2]": , web3: }}
    dgx: {hosts: {"dgx[01:04].example.com": }}
    rack1: {hosts: {"dgx[01:02].example.com": , web1: }}
    both: {children: {web: , db: }}
    empty:
"""
DGX = [f"dgx0{n}.example.com" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        (None, ["lonely", "2001:db8::7", "web1", "web2", "web3", "db1", "db2", *DGX]),
        ("all", ["lonely", "2001:db8::7", "web1", "web2", "web3", "db1", "db2", *DGX]),
        ("*", ["lonely", "2001:db8::7", "web1", "web2", "web3", "db1", "db2", *DGX]),
        ("web1", ["web1"]),
        ("2001:db8::7", ["2001:db8::7"]),
        ("ungrouped", ["lonely", "2001:db8::7"]),
        ("web:db", ["web1", "web2", "web3", "db1", "db2"]),
        ("db,web", ["web1", "web2", "web3", "db1", "db2"]),
        ("web, db1", ["web1", "web2", "web3", "db1"]),
        ("both", ["web1", "web2", "web3", "db1", "db2"]),
        ("dgx:&rack1", DGX[:2]),
        ("&rack1:dgx", DGX[:2]),
        ("web:&db", ["web3"]),
        ("&db", ["web3", "db1", "db2"]),
        ("all:!dgx:!web", ["lonely", "2001:db8::7", "db1", "db2"]),
        ("!dgx", ["lonely", "2001:db8::7", "web1", "web2", "web3", "db1", "db2"]),
        ("both:&db:!web3", ["db1", "db2"]),
        ("*.example.com", DGX),
        ("dgx0?.example.com", DGX),
        ("dgx0[12].example.com", DGX[:2]),
        ("w*:d?1", ["web1", "web2", "web3", "db1"]),
        ("dgx[02:03].example.com", DGX[1:3]),
        ("web[1:2]", ["web2", "web3"]),
        ("web[0:1]", ["web1", "web2"]),
        ("web[1:5]", ["web2", "web3"]),
        ("web[1:2]:db1", ["web2", "web3", "db1"]),
        ("dgx[01:02]", DGX[1:3]),
        ("dgx[0]", DGX[:1]),
        ("dgx[-1]", DGX[3:]),
        ("dgx[1:2]", DGX[1:3]),
        ("dgx[1-2]", DGX[1:3]),
        ("dgx[2:]", DGX[2:]),
        ("all[0]", ["lonely"]),
        ("d*[0]", ["db1"]),
        ("db[2]", ["web3"]),
        ("~web[12]", ["web1", "web2"]),
        (r"~dgx\d{2}\.", DGX),
        ("~(web|db)1", ["web1", "db1"]),
        ("all:!web[1:2]:!dgx", ["lonely", "2001:db8::7", "web1", "db1", "db2"]),
        ("~web[12]:db", ["web1", "web2", "web3", "db1", "db2"]),
        ("!~web:!db1:!dgx", ["lonely", "2001:db8::7", "db2"]),
        ("!2001:db8::7,!both,!dgx", ["lonely"]),
        ("all,!~dgx.*,!both", ["lonely", "2001:db8::7"]),
        ("all:!e*:&web", ["web1", "web2", "web3"]),
        ("@failed:r1", ["web2", "db1"]),
        ("@failed:r1,dgx[0]", ["web2", "db1", DGX[0]]),
        ("web,&@failed:r1", ["web2"]),
    ],
)
def test_selects(loaded: Callable[..., Inventory], pattern: str | None, hosts: list[str]) -> None:
    assert loaded(HOSTS).select(pattern, {"r1": ["web2", "db1", "gone"]}.__getitem__) == hosts


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("wbe", "there is no host or group 'wbe'"),
        ("web9", "there is no host or group 'web9'; did you mean 'web"),
        ("dgz", "there is no host or group 'dgz'; did you mean 'dgx'?"),
        ("web:lonley", "there is no host or group 'lonley'; did you mean 'lonely'?"),
        ("all:!dgx05.example.com", "there is no host or group 'dgx05.example.com'; did you mean 'dgx0"),
        ("all:&rack9", "there is no host or group 'rack9'; did you mean 'rack1'?"),
        ("nothing*", "'nothing*' matches no host"),
        ("~nothing", "'~nothing' matches no host"),
        ("~(", "no regular expression"),
        ("empty", "'empty' matches no host"),
        ("web:&dgx", "matches no host"),
        ("web:!web", "matches no host"),
        ("dgx[7]", "dgx has 4 hosts, numbered from 0"),
        ("dgx[-9]", "dgx has 4 hosts"),
        ("dgx[04:05].example.com", "'dgx[04:05].example.com' holds 'dgx05.example.com', which is no host"),
        ("all:!nosuch*", "'nosuch*' matches no host"),
        ("all:!~nosuch", "'~nosuch' matches no host"),
        ("all:!nosuch", "there is no host or group 'nosuch'"),
        ("@failed:", "is no pattern"),
        ("@retry", "'@retry' cannot be read: No such file or directory; write @FILE"),
        ("web:!@retry", "'@retry' is no pattern"),
        ("@failed:empty", "no host of this inventory failed in the run empty"),
        ("", "matches no host"),
        (",", "matches no host"),
        ("!", "there is no host or group ''"),
        ("!!web", "'!web' has more than one sign before it"),
        ("all,!!web1", "'!web1' has more than one sign before it"),
        ("all:&&web", "'&web' has more than one sign before it"),
        ("web:10", "there is no host or group 'web:10'"),
    ],
)
def test_refuses(loaded: Callable[..., Inventory], pattern: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        loaded(HOSTS).select(pattern, {"empty": ["gone"]}.__getitem__)
    assert problem in str(caught.value)
    assert f"--limit {pattern}: " in str(caught.value)


def test_order_is_by_level_of_the_tree(loaded: Callable[..., Inventory]) -> None:
    found = loaded('dgx: {children: {g3: {hosts: {h9: }}}, hosts: {"d[1:2]": }}\nall: {hosts: {a: }}')
    assert found.hosts == ("a", "d1", "d2", "h9")
    assert found.select("all") == ["a", "d1", "d2", "h9"]
    assert [found.select(f"all[{n}]") for n in (0, 1, -1)] == [["a"], ["d1"], ["h9"]]


def test_a_host_with_its_groups_name_is_the_host_but_for_exclusions(loaded: Callable[..., Inventory]) -> None:
    found = loaded("all: {children: {same: {hosts: {same: , other: }}}, hosts: {third: }}")
    assert found.select("same") == ["same"]
    assert found.select("all:!same") == ["third"]


def test_a_subscript_that_may_be_meant_as_a_range_is_warned_about(loaded: Callable[..., Inventory]) -> None:
    found = loaded(HOSTS)
    found.select("web[1:2]")
    assert (
        found.warnings[-1] == "--limit web[1:2]: web is a group, so web[1:2] counts positions in it from 0: web2, web3"
    )
    told = len(found.warnings)
    found.select("dgx[0:1]")
    assert len(found.warnings) == told


def test_a_range_that_is_a_glob_to_ansible_is_refused(loaded: Callable[..., Inventory]) -> None:
    found = loaded('all: {hosts: {"n[1:3].x": }}')
    with pytest.raises(InputError, match=r"'n\[1:3\].x' means n1.x, n3.x to Ansible; list the hosts"):
        found.select("n[1:3].x")


def test_a_file_has_one_pattern_a_line(loaded: Callable[..., Inventory], tmp_path: Path) -> None:
    file = tmp_path / "site.retry"
    file.write_text("web1\n\n db \n!web3\n")
    found = loaded(HOSTS)
    assert found.select(f"@{file}") == ["web1", "db1", "db2"]
    assert found.select(f"lonely,@{file}") == ["lonely", "web1", "db1", "db2"]
    assert found.select(f"@{file}:!db1") == found.select(f"@{file},!db1") == ["web1", "db2"]
    file.write_text("web1\r\n", encoding="utf-8-sig")
    assert found.select(f"@{file}") == ["web1"]
    file.write_text("web1\nnope\n")
    with pytest.raises(InputError, match="there is no host or group 'nope'"):
        found.select(f"@{file}")
    file.write_text("\n")
    with pytest.raises(InputError, match="is empty; write one pattern a line"):
        found.select(f"@{file}")


def test_every_unknown_word_is_told(loaded: Callable[..., Inventory]) -> None:
    with pytest.raises(InputError) as caught:
        loaded(HOSTS).select("nope1:web:!nope2")
    assert len(caught.value.problems) == 2


def test_an_inventory_without_hosts_has_none_to_select(loaded: Callable[..., Inventory]) -> None:
    with pytest.raises(InputError, match="names no hosts"):
        loaded("all:\n").select(None)
