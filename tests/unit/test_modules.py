"""Modules that only some hosts need travel with the plan that needs them, once; and plans that are made anew twice."""

import ast
import base64
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from provision import loader
from provision.agent.gpu.speed import MODULES, PROGRAM, kind
from provision.agent.wire import MARKER, Decoder, encode
from provision.events import HostFacts
from provision.plan import Stage
from provision.resources import Directory, GpuProof, GpuSpeed
from tests.unit.test_session import BYE, FACTS, HELLO, Channel, hold, result

REPLAN = {"type": "replan", "facts": FACTS}


def said(channel: Channel) -> list[dict[str, Any]]:
    """What was sent after the agent's own source."""
    rest = channel.sent
    for _ in range(2):
        rest = rest[8 + int(rest[:8], 16) :]
    messages: list[dict[str, Any]] = Decoder().feed(rest)
    return messages


def test_a_module_is_the_file_itself() -> None:
    [text] = loader.modules(("pynvml",)).values()
    spec = find_spec("pynvml")
    assert spec is not None
    assert zlib.decompress(base64.b64decode(text)) == Path(str(spec.origin)).read_bytes()
    assert len(text) < 100_000


def test_pynvml_is_sent_once_and_only_with_a_plan_that_needs_it() -> None:
    stages = [Stage("a", (Directory(path="/a"),)), Stage("b", (GpuProof(),))]
    first, second = result(role="a", name="/a"), result(role="b", kind="gpu_proof", name="gpu", stage=1)
    channel = Channel(MARKER + HELLO, first, encode({**REPLAN, "stage": 1}), second, BYE)
    hold(channel, planner=lambda facts: stages)
    told, again = said(channel)
    assert list(told["modules"]) == ["pynvml"]
    assert again["modules"] == {}
    channel = Channel(MARKER + HELLO, first, BYE)
    hold(channel, planner=lambda facts: stages[:1])
    assert said(channel)[0]["modules"] == {}


def test_a_second_new_plan_has_all_stages_that_are_still_to_come() -> None:
    stages = [Stage(name, (Directory(path=f"/{name}"),)) for name in "abcd"]
    told = [result(role=name, name=f"/{name}", stage=stage) for stage, name in enumerate("abcd")]
    replans = [encode({**REPLAN, "stage": stage}) for stage in (1, 2)]
    channel = Channel(MARKER + HELLO, told[0], replans[0], told[1], replans[1], *told[2:], BYE)
    hold(channel, planner=lambda facts: stages)
    plans = [[stage["role"] for stage in message["stages"]] for message in said(channel)]
    assert plans == [["a", "b", "c", "d"], ["b", "c", "d"], ["c", "d"]]


def test_facts_alone_ask_nvml_only_where_a_driver_is_loaded() -> None:
    driver = {**FACTS, "nvidia": {"driver_loaded": "550.54.15"}}
    hello = encode({"type": "hello", "protocol": 1, "facts": driver, "interrupted": None})
    answer = {**FACTS, "nvidia": {"nvml": {"driver": "550.54.15"}}}
    channel = Channel(MARKER + hello, encode({**REPLAN, "stage": 0, "facts": answer}), BYE)
    events, _ = hold(channel, planner=None)
    assert [message["type"] for message in said(channel)] == ["nvml", "end"]
    assert [event.facts for event in events if isinstance(event, HostFacts)][-1] == answer
    channel = Channel(MARKER + HELLO, BYE)
    hold(channel, planner=None)
    assert [message["type"] for message in said(channel)] == ["end"]


def test_the_program_for_the_speed_travels_only_where_it_is_asked_for() -> None:
    assert not [name for name in loader._sources() if name.startswith("gpu.speed.program")]
    assert GpuSpeed.modules == MODULES
    told = loader.modules(GpuSpeed.modules)
    assert sum(map(len, told.values())) < 40_000
    files = Path(str(kind.__file__)).with_name("program").glob("*.py")
    assert {name.removeprefix(PROGRAM).removeprefix(".") for name in told} == {
        path.stem.removeprefix("__init__") for path in files
    }


def test_what_the_agent_imports_travels() -> None:
    sent = loader._sources()
    for name, text in sent.items():
        path = Path(str(find_spec(f"provision.agent.{name}".rstrip(".")).origin))  # type: ignore[union-attr]
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = [part for part in package[: len(package) + 1 - node.level] if part] + (node.module or "").split(".")
            below = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            modules = [each.name for each in node.names if (below / each.name).with_suffix("").exists()]
            modules += [each.name for each in node.names if (below / f"{each.name}.py").exists()]
            for module in modules:
                assert ".".join([*filter(None, base), module]) in sent, f"{name}: line {node.lineno}"
