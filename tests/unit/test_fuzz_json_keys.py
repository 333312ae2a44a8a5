"""Any daemon.json and any wish: foreign keys, values and their order survive, and the result is what was asked."""

import grp
import json
import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.agent.docker.daemon_json import JsonKeys, _plain
from provision.agent.engine.resource import converge
from provision.agent.host.system import ReadOnly, System

FUZZ = settings(max_examples=100, deadline=None)
NAMES = st.sampled_from(["bip", "mtu", "runtimes", "default-ulimits", "log-opts", "labels", "proxies", "x", "", "é"])
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=4)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=6)
PATHS = st.tuples(NAMES) | st.tuples(st.sampled_from(["runtimes", "default-ulimits", "log-opts"]), NAMES)
WISHES = st.dictionaries(PATHS, VALUES.filter(lambda value: value is not None), max_size=4).filter(
    lambda wishes: not any((path[0],) in wishes for path in wishes if len(path) == 2)
)
JUNK = VALUES.map(lambda value: json.dumps(value).encode()).flatmap(
    lambda text: st.tuples(st.integers(0, len(text)), st.binary(max_size=3)).map(
        lambda cut: text[: cut[0]] + cut[1] + text[cut[0] :]
    )
)
ME = {"owner": pwd.getpwuid(os.geteuid())[0], "group": grp.getgrgid(os.getegid())[0]}


class Host:
    """A daemon.json and a state directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "daemon.json"
        self.state = str(folder / "state")

    def converge(
        self, wishes: dict[Any, Any], role: str = "ours", roles: tuple[str, ...] = ("ours",), check: bool = False
    ) -> Any:
        keys = [{"path": list(path), "value": value, "role": role, "secret": False} for path, value in wishes.items()]
        fields = {"absent": [], "roles": list(roles), "mode": "0644", "sensitive": False, "validate_with": None} | ME
        resource = JsonKeys(path=str(self.path), keys=keys, **fields)
        system = (ReadOnly if check else System)(state=self.state)
        result = converge(resource, system, check)
        if result["outcome"] in ("ok", "changed") and not check:
            resource.settled(system)
        return result

    def document(self) -> Any:
        return json.loads(self.path.read_text("utf-8", "surrogatepass"))


@contextmanager
def host(document: dict[str, Any]) -> Iterator[Host]:
    """Each example has its own."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        found = Host(Path(folder))
        found.path.write_bytes(json.dumps(document).encode())
        yield found


def touch(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Is one of the paths the other, or in it?"""
    return one[: len(other)] == other or other[: len(one)] == one


def get(document: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def equal(path: tuple[str, ...], found: Any, asked: Any) -> bool:
    """As Docker reads both: 1 and true are not the same, and a runtime has several spellings."""
    return json.dumps(_plain(path, found), sort_keys=True) == json.dumps(_plain(path, asked), sort_keys=True)


def foreign(document: dict[str, Any], wishes: dict[Any, Any]) -> list[Any]:
    """What nobody of ours asks for, in its order, an entry of a map each."""
    found = list[Any]()
    for key, value in document.items():
        if (key,) in wishes:
            continue
        if isinstance(value, dict) and any(path[0] == key for path in wishes):
            found += [((key, name), json.dumps(item)) for name, item in value.items() if (key, name) not in wishes]
        else:
            found.append(((key,), json.dumps(value)))
    return found


@FUZZ
@given(document=DOCUMENTS, wishes=WISHES)
def test_what_is_asked_is_there_and_all_that_is_foreign_stays_in_its_order(document: Any, wishes: Any) -> None:
    with host(document) as found:
        before = found.path.read_bytes()
        result = found.converge(wishes, check=True)
        assert found.path.read_bytes() == before, "check writes nothing"
        result = found.converge(wishes)
        if result["outcome"] == "failed":
            blocked = [path[0] for path in wishes if len(path) == 2 and not isinstance(document.get(path[0], {}), dict)]
            assert any(f"{name} is not an object" in result["error"]["cause"] for name in blocked), result
            assert found.path.read_bytes() == before
            return
        after = found.document()
        for path, value in wishes.items():
            assert equal(path, get(after, path), value), path
        assert foreign(after, wishes) == foreign(document, wishes)
        assert [key for key in after if key in document] == [key for key in document if key in after]
        assert found.converge(wishes)["outcome"] == "ok"


@FUZZ
@given(document=DOCUMENTS, first=WISHES, second=WISHES, others=WISHES)
def test_what_is_asked_no_more_goes_and_nothing_else(document: Any, first: Any, second: Any, others: Any) -> None:
    others = {path: value for path, value in others.items() if not any(touch(path, ours) for ours in [*first, *second])}
    if any(touch(one, two) for one in first for two in second if one != two):
        return
    with host(document) as found:
        if found.converge(others, "theirs", ("theirs",))["outcome"] == "failed":
            return
        if found.converge(first)["outcome"] == "failed" or found.converge(second)["outcome"] == "failed":
            return
        after = found.document()
        for path in first.keys() - second.keys():
            assert get(after, path) is None
        for path, value in {**others, **second}.items():
            assert equal(path, get(after, path), value), path
        assert foreign(after, {**others, **first, **second}) == foreign(document, {**others, **first, **second})


@FUZZ
@given(data=st.binary(max_size=40) | JUNK, wishes=WISHES.filter(bool))
def test_any_bytes_in_the_file_are_taken_or_told_and_left(data: bytes, wishes: Any) -> None:
    with host({}) as found:
        found.path.write_bytes(data)
        result = found.converge(wishes)
        assert result["outcome"] in ("ok", "changed", "failed")
        if result["outcome"] == "failed":
            assert str(found.path) in result["error"]["cause"]
            assert result["error"]["fix"], result
            assert found.path.read_bytes() == data
        else:
            assert isinstance(found.document(), dict)


@pytest.mark.parametrize(("there", "asked"), [(1, True), (0, False), (True, 1), (1.0, 1), ([1], [True])])
def test_what_python_calls_equal_and_docker_does_not_is_a_difference(there: Any, asked: Any) -> None:
    """`"debug": 1` is true to Python, and to dockerd no boolean: it does not start."""
    with host({"x": there}) as found:
        assert found.converge({("x",): asked}, check=True)["outcome"] == "would-change"
        assert found.converge({("x",): asked})["outcome"] == "changed"
        assert json.dumps(found.document()["x"]) == json.dumps(asked)
