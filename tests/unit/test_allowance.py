"""What one host may cost the controller: the most that is said in earnest goes through, and floods of each kind end."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from threading import Event as Flag
from threading import Lock
from typing import Any

import pytest

from provision.agent.wire import MARKER, encode
from provision.allowance import Allowance
from provision.errors import Garbled, HostError, ProtocolError
from provision.events import Event, HostFacts
from provision.rollout.masking import masked
from provision.run import Run
from provision.secrets import HIDDEN, Mask, Secret
from provision.session import Session
from provision.target import Target
from tests.unit.test_session import BYE, FACTS, HELLO, PLAN, Channel, Connection, hold, result

ROUTES = [{"network": f"10.{n // 250}.{n % 250}.0/24", "interface": "eth0"} for n in range(5000)]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def allowance(clock: Clock) -> Allowance:
    return Allowance(lambda: "a step", clock)


def until_refused(say: Callable[[], None], most: int) -> int:
    """How often it may be said."""
    said = list[None]()
    with pytest.raises(Garbled, match="more than we take from one host, in the step 'a step'"):
        said.extend(say() for _ in range(most))
    return len(said)


def test_a_long_run_of_a_host_with_many_routes_is_taken(allowance: Allowance) -> None:
    difference = {"key": "content", "before": None, "after": None, "text": "+ a line of a file\n" * 200}
    message = {"type": "replan", "stage": 1, "facts": FACTS | {"routes": ROUTES}}
    for _ in range(5):
        allowance.received(encode(message))
        allowance.heard(message)
    for _ in range(100):
        allowance.heard({"type": "result", "diff": [difference], "error": None, "note": "n", "role": "r"})


def test_beats_come_as_long_as_a_host_takes(allowance: Allowance, clock: Clock) -> None:
    beat = {"type": "beat", "step": "s", "seconds": 1.0, "text": ""}
    for _ in range(100_000):
        clock.now += 5
        allowance.received(encode(beat))
        allowance.heard(beat)


@pytest.mark.parametrize(
    ("message", "most"),
    [
        ({"type": "beat", "step": "s", "seconds": 1.0, "text": ""}, 20_000),
        ({"type": "result", "diff": [{"key": "k", "before": 0, "after": 1}] * 1000}, 40),
        ({"type": "result", "note": "x" * 1_000_000}, 10),
        ({"type": "result", "note": "x\n" * 10_000}, 10),
        ({"type": "result", "proof": {"x" * 1_000_000: 1}}, 10),
        ({"type": "replan", "facts": {"routes": ROUTES}}, 20),
        ({"type": "confirm", "seconds": 7}, 10),
    ],
)
def test_what_costs_the_controller_much_ends(allowance: Allowance, message: dict[str, Any], most: int) -> None:
    assert until_refused(lambda: allowance.heard(message), most) > 0


def test_bytes_one_by_one_end(allowance: Allowance) -> None:
    assert until_refused(lambda: allowance.received(b"x"), 10_000) > 1000


def test_pieces_of_a_bundle_without_end_end(allowance: Allowance) -> None:
    assert until_refused(lambda: allowance.pieces(64), 1000) > 100


def test_a_login_that_drips_is_refused() -> None:
    with pytest.raises(HostError, match="prints without end"):
        hold(Channel(*[b"x"] * 6000, MARKER + HELLO, BYE))


def test_a_marker_in_pieces_is_found() -> None:
    noise = b"motd" + MARKER
    assert hold(Channel(*(noise[at : at + 1] for at in range(len(noise))), HELLO, BYE))[0]


def test_the_record_of_an_earlier_part_of_a_run_is_short() -> None:
    changed = [f"r: directory /{number}" for number in range(2000)]
    earlier = {"changed": changed, "failed": []}
    hello = {"type": "hello", "protocol": 1, "facts": FACTS, "interrupted": None, "earlier": earlier}
    with pytest.raises(ProtocolError, match="malformed: earlier"):
        hold(Channel(MARKER + encode(hello)))


def test_a_long_cause_is_cut_before_it_is_told_everywhere() -> None:
    error = {"cause": "c" * 100_000, "fix": "f", "output": "", "trace": ""}
    events, _ = hold(Channel(MARKER + HELLO, result(outcome="failed", error=error), BYE), planner=lambda facts: PLAN)
    assert max(len(event.error.cause) for event in events if getattr(event, "error", None)) < 30_000


def test_a_secret_that_a_host_has_as_a_key_is_hidden() -> None:
    heard = list[Event]()
    tell = masked(heard.append, Mask([Secret('s3cret "of" me')]), Lock())
    inside = {"a": [{'x s3cret "of" me': [1]}], "b": ['s3cret "of" me', "fine"]}
    tell(HostFacts("h1", inside))
    tell(HostFacts("h1", {"a": ["fine"]}))
    assert heard[0] == HostFacts("h1", {"a": [{f"x {HIDDEN}": [1]}], "b": [HIDDEN, "fine"]})
    assert heard[1] == HostFacts("h1", {"a": ["fine"]})


class Shelf:
    """A bundle of ten bytes."""

    size = 10

    def told(self, facts: Any) -> dict[str, Any]:
        return {"problem": None}

    def with_keys(self, stages: Any) -> Any:
        return list(stages)

    def piece(self, sha256: str, offset: int, length: int) -> Iterator[bytes]:
        yield b"x" * length


def test_a_host_does_not_get_a_bundle_again_and_again() -> None:
    fetch = encode({"type": "fetch", "pieces": [["0" * 64, 0, 10]]})
    for times, words in ((2, ""), (3, "again and again")):
        run = Run("r1", "me@here", check=False, bundle=Shelf())  # type: ignore[arg-type]
        channel = Channel(MARKER + HELLO, fetch * times, result(), BYE)
        session = Session(Target("h1", "h1"), Connection(channel), lambda facts: PLAN, run, lambda e: None, Flag())
        with pytest.raises(ProtocolError, match=words) if words else nullcontext():
            session.execute()
