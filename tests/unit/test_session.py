"""The conversation with one host, against a channel that follows a script and forgives nothing."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from provision import loader
from provision.agent.wire import MARKER, encode
from provision.errors import ConnectionLost, HostError, HostTimeout, ProtocolError, Refused
from provision.events import (
    Answered,
    Event,
    HostFacts,
    Notice,
    Outcome,
    Preflight,
    Progress,
    ResourceDone,
    RoleSkipped,
    Verdict,
)
from provision.login import NoPython
from provision.plan import Stage
from provision.preflight import AskedSettings
from provision.questions.status import AskStatus
from provision.resources import Directory, File
from provision.run import Run, TimeLimits
from provision.secrets import Secret
from provision.session import Interrupted, Session
from provision.target import Target

FACTS = {"os": {"id": "debian"}, "architecture": "amd64", "init": "systemd"}
HELLO = encode({"type": "hello", "protocol": 1, "facts": FACTS, "interrupted": None})
BYE = encode({"type": "bye"})
PLAN = [Stage("r", (Directory(path="/x"),))]


class Channel:
    """Plays a script: bytes are received, callables look at what was sent so far, exceptions are raised."""

    def __init__(self, *script: Any, status: int | None = 0, failure: HostError | None = None) -> None:
        self.script = list(script)
        self.sent = b""
        self.status = status
        self.explained = failure
        self.closed = False

    def send(self, data: bytes) -> None:
        self.sent += data

    def receive(self, timeout: float) -> bytes:
        while self.script and callable(self.script[0]) and not isinstance(self.script[0], type):
            self.script.pop(0)(self)
        if not self.script:
            return b""
        if self.script[0] is TimeoutError:
            raise TimeoutError
        item = self.script.pop(0)
        if isinstance(item, Exception):
            raise item
        assert isinstance(item, bytes)
        return item

    def close_input(self) -> None: ...

    def exit_status(self, timeout: float) -> int | None:
        return self.status

    def failure(self) -> HostError | None:
        return self.explained

    def close(self) -> None:
        self.closed = True


class Connection:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.command = ""

    def open(self, command: str) -> Channel:
        self.command = command
        return self.channel

    def close(self) -> None: ...


def hold(
    channel: Channel,
    *,
    target: Target | None = None,
    check: bool = False,
    planner: Any = lambda facts: [],
    **limits: float,
):
    """Hold a session; return (events, connection)."""
    events: list[Event] = []
    connection = Connection(channel)
    run = Run("r1", "me@here", check, limits=TimeLimits(**limits))
    target = target or Target("h1", "h1")
    try:
        Session(target, connection, planner, run, events.append, threading.Event()).execute()
    finally:
        assert channel.closed
    return events, connection


def result(**changes: Any) -> bytes:
    message = {
        "type": "result", "role": "r", "kind": "directory", "name": "/x", "stage": 0, "position": 0,
        "outcome": "changed",
        "diff": [{"key": "mode", "before": "0600", "after": "0644"}], "note": "", "error": None, "seconds": 0.1,
    }  # fmt: skip
    return encode({**message, **changes})


def test_a_whole_conversation_behind_a_noisy_login() -> None:
    events, _ = hold(
        Channel(b"Welcome!\n", b"noise" + MARKER + HELLO[:5], HELLO[5:], result(), BYE),
        planner=lambda facts: [Stage("r", (Directory(path="/x"),))],
    )
    assert isinstance(events[0], HostFacts)
    done = events[1]
    assert isinstance(done, ResourceDone)
    assert (done.role, done.name, done.outcome) == ("r", "/x", Outcome.CHANGED)
    assert done.diff[0]["before"] == "0600"


def test_without_a_sudo_password_the_source_is_sent_at_once_and_the_plan_after_hello() -> None:
    seen = []
    channel = Channel(
        lambda c: seen.append(len(c.sent)), MARKER + HELLO, lambda c: seen.append(b'"plan"' in c.sent), BYE
    )
    hold(channel)
    assert seen[0] > 1000
    assert seen[1] is True


def sudo_target() -> Target:
    return Target("h1", "h1", user="alice", become=True, become_password=Secret("hunter2"))


def prompt_of(connection: Connection) -> bytes:
    return connection.command.split("-p ", 1)[1].split(" ", 1)[0].encode()


def test_a_sudo_password_goes_out_only_after_the_prompt_and_the_source_only_after_the_marker() -> None:
    steps: list[bytes] = []
    channel = Channel()
    connection = Connection(channel)

    def ask(c: Channel) -> None:
        steps.append(c.sent)
        c.script.insert(0, b"[sudo] We trust you have received the usual lecture\n" + prompt_of(connection))

    channel.script = [
        b"motd\n",
        ask,
        lambda c: steps.append(c.sent),
        MARKER,
        lambda c: steps.append(c.sent),
        HELLO,
        BYE,
    ]
    run = Run("r1", "me@here", False)
    Session(sudo_target(), connection, lambda facts: [], run, lambda event: None, threading.Event()).execute()
    assert steps[0] == b""
    assert steps[1] == b"hunter2\n"
    assert steps[2].startswith(b"hunter2\n")
    assert len(steps[2]) > 1000
    assert "hunter2" not in connection.command


def test_a_nopasswd_host_never_gets_the_password() -> None:
    channel = Channel(MARKER + HELLO, BYE)
    hold(channel, target=sudo_target())
    assert b"hunter2" not in channel.sent


def test_a_second_prompt_ends_it_after_one_attempt() -> None:
    channel = Channel()
    connection = Connection(channel)

    def ask(c: Channel) -> None:
        c.script.insert(0, prompt_of(connection))

    def ask_again(c: Channel) -> None:
        c.script.insert(0, b"Sorry, try again.\n" + prompt_of(connection))

    channel.script = [ask, ask_again]
    with pytest.raises(Refused, match="did not take the password of alice"):
        Session(sudo_target(), connection, None, Run("r", "me", False), lambda e: None, threading.Event()).execute()
    assert channel.sent == b"hunter2\n"


@pytest.mark.parametrize(
    ("noise", "kind", "words"),
    [
        (b"provision: no python3\n", NoPython, "no python3"),
        (b"provision: python3 is -minimal: No module named 'json'\n", NoPython, "minimal"),
        (
            b"provision: python is too old: 3.5.2 in /usr/bin/python3\n",
            Refused,
            "3.5.2 in /usr/bin/python3 is older than 3.6",
        ),
        (b"sudo: a password is required\n", Refused, "give -K or ansible_become_password"),
        (b"alice is not in the sudoers file.\n", Refused, "not in the sudoers"),
        (b"sudo: sorry, you must have a tty to run sudo\n", Refused, "requiretty"),
        (b"sh: 1: sudo: not found\n", Refused, "no sudo on this host"),
        (b"sudo: Command not found.\n", Refused, "no sudo on this host"),  # tcsh
        (b"zsh:1: command not found: sudo\n", Refused, "no sudo on this host"),
        (b"fish: Unknown command: sudo\n", Refused, "no sudo on this host"),
        (b"sudo-rs: interactive authentication is required\n", Refused, "give -K or ansible_become_password"),
        (b"sudo: interactive authentication is required\n", Refused, "give -K or ansible_become_password"),
        (b"sudo-rs: I'm sorry carol. I'm afraid I can't do that\n", Refused, "the login user may not run .*sudoers"),
        (b"sudo: I'm sorry carol. I'm afraid I can't do that\n", Refused, "the login user may not run .*sudoers"),
        (b"sudo-rs: Maximum 1 incorrect authentication attempts reached\n", Refused, "correct ansible_become_pass"),
        (b"This account is currently not available.\n", Refused, "ended with status 1 .*not available"),
    ],
)
def test_a_login_that_leads_nowhere_is_one_sentence(noise: bytes, kind: type[HostError], words: str) -> None:
    with pytest.raises(kind, match=words):
        hold(Channel(noise, status=1))


def test_what_the_transport_knows_of_an_early_end_comes_first() -> None:
    with pytest.raises(ConnectionLost, match="it knows"):
        hold(Channel(b"noise", failure=ConnectionLost("it knows")))


def test_a_login_that_prints_without_end_is_refused() -> None:
    with pytest.raises(Refused, match="prints without end"):
        hold(Channel(*[b"x" * 65536] * 40))


def test_a_login_that_never_starts_is_named() -> None:
    with pytest.raises(HostTimeout, match="did not start our loader"):
        hold(Channel(TimeoutError), login=0.05)


def test_the_time_that_it_takes_to_connect_is_not_the_logins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind `openssh` connects in `open`, and may wait there for its turn at a jump host."""
    now = [1000.0]
    monkeypatch.setattr("provision.session.time", SimpleNamespace(monotonic=lambda: now[0]))

    class Queue(Connection):
        def open(self, command: str) -> Channel:
            now[0] += 61
            return super().open(command)

    channel = Channel(TimeoutError(), MARKER + HELLO, BYE)
    run = Run("r1", "me@here", False, limits=TimeLimits(login=60, host=60))
    Session(Target("h1", "h1"), Queue(channel), lambda facts: [], run, lambda event: None, threading.Event()).execute()
    assert channel.script == []


def test_a_silent_agent_is_named_with_its_step() -> None:
    beat = encode({"type": "beat", "step": "docker_engine: packages docker.io", "seconds": 5, "text": ""})
    with pytest.raises(HostTimeout, match=r"went silent in the step 'docker_engine: packages docker\.io'"):
        hold(Channel(MARKER + HELLO + beat, TimeoutError), silence=0.05)


def test_a_host_past_its_limit_is_named_with_its_step() -> None:
    started = encode({"type": "started", "role": "r", "kind": "service", "name": "docker", "stage": 0, "position": 0})
    with pytest.raises(HostTimeout, match="service docker"):
        hold(Channel(MARKER + HELLO + started, TimeoutError), host=0.05)


def test_a_connection_that_dies_names_the_step() -> None:
    with pytest.raises(ConnectionLost, match="in the step 'facts'"):
        hold(Channel(MARKER + encode({"type": "beat", "step": "facts", "seconds": 1, "text": ""})))


def test_a_connection_whose_loss_the_transport_notices_names_the_step_as_well() -> None:
    def lose(_: Any) -> None:
        raise ConnectionLost("the connection to x was lost", "look at sshd")

    beat = encode({"type": "beat", "step": "facts", "seconds": 1, "text": ""})
    with pytest.raises(
        ConnectionLost, match=r"to x was lost in the step 'facts'.*ends that step by itself.*look at sshd"
    ):
        hold(Channel(MARKER + beat, lose))


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Segmentation fault", "Segmentation"),
        (encode({"type": "nonsense"}), "nonsense"),
        (BYE, "said 'bye' in the state 'waiting for hello'"),
        (encode({"type": "hello", "protocol": 2, "facts": {}, "interrupted": None}), "protocol"),
        (encode({"type": "hello", "protocol": 1, "facts": nested(60), "interrupted": None}), "nested too deeply"),
        (HELLO + HELLO, "said 'hello' in the state 'working'"),
        (HELLO + result(outcome="fine"), "outcome"),
        (HELLO + result(seconds="x"), "seconds"),
        (HELLO + encode({"type": "replan", "stage": 7, "facts": FACTS}), "stage 7 of 0"),
        (encode({"type": "hello", "protocol": 1, "facts": {"os": 3}, "interrupted": None}), "facts are malformed"),
        (encode({"type": "crash", "trace": "Traceback\nZeroDivisionError: x"}), "ZeroDivisionError"),
    ],
)
def test_a_host_that_lies_is_a_protocol_error(data: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        hold(Channel(MARKER + data))


def test_a_refusal_of_the_agent_is_the_hosts() -> None:
    with pytest.raises(Refused, match="another run holds this host"):
        hold(Channel(MARKER + encode({"type": "refused", "cause": "another run holds this host", "fix": "wait"})))


def stages_by_round(*rounds: list[Stage]):
    left = list(rounds)
    return lambda facts: left.pop(0)


def test_after_a_change_the_rest_is_planned_with_fresh_facts() -> None:
    first = [Stage("a", (Directory(path="/a"),)), Stage("b", deferred="a"), Stage("c", skipped="no GPU")]
    second = [Stage("a", (Directory(path="/a"),)), Stage("b", (Directory(path="/b"),)), Stage("c", skipped="no GPU")]
    replan = encode({"type": "replan", "stage": 1, "facts": FACTS})
    told = [result(role=role, name=f"/{role}", stage=stage) for stage, role in enumerate("ab")]
    channel = Channel(MARKER + HELLO, told[0], replan, told[1], BYE)
    events, _ = hold(channel, planner=stages_by_round(first, second))
    last_plan = channel.sent.rsplit(b'"plan"', 1)[1]
    assert b"/b" in last_plan
    assert b"/a" not in last_plan
    assert [event for event in events if isinstance(event, RoleSkipped)] == [
        RoleSkipped("h1", "c", Outcome.SKIPPED, "no GPU")
    ]


def test_a_role_that_is_still_unknown_when_its_turn_comes_is_a_refusal() -> None:
    deferred = [Stage("b", deferred="an engine")]
    with pytest.raises(Refused, match="b needs an engine in place"):
        hold(
            Channel(MARKER + HELLO, encode({"type": "replan", "stage": 0, "facts": FACTS})),
            planner=stages_by_round(deferred, deferred),
        )


def test_in_check_a_deferred_role_would_change() -> None:
    channel = Channel(MARKER + HELLO, BYE)
    events, _ = hold(channel, check=True, planner=lambda facts: [Stage("b", deferred="docker_engine")])
    done = next(event for event in events if isinstance(event, ResourceDone))
    assert (done.role, done.outcome, done.note) == ("b", Outcome.WOULD_CHANGE, "known after docker_engine")
    assert b'"replan":true' not in channel.sent


# -- a question in place of a plan


STATUS: dict[str, Any] = {
    "time": "", "pending": [], "unfinished": None, "last_run": None, "proof": None, "unmanaged": [], "lock": None,
    "reboot": None, "interrupted": None,
}  # fmt: skip
ANSWER = encode({"type": "answer", "answer": STATUS})


def test_a_question_goes_out_after_hello_and_its_answer_is_the_only_event() -> None:
    channel = Channel(MARKER + HELLO, ANSWER, BYE)
    events, _ = hold(channel, planner=AskStatus(["r"]))
    assert b'"type":"ask","question":"status","arguments":{"roles":["r"]}' in channel.sent
    assert [event for event in events if not isinstance(event, Progress)] == [
        Answered("h1", "status", Outcome.OK, STATUS)
    ]


@pytest.mark.parametrize(
    ("script", "planner", "words"),
    [
        ([BYE], AskStatus([]), "said 'bye' in the state 'answering a question'"),
        ([ANSWER, ANSWER], AskStatus([]), "said 'answer' in the state 'waiting for bye'"),
        ([ANSWER], lambda facts: [], "said 'answer' in the state 'working'"),
        ([ANSWER], None, "said 'answer' in the state 'waiting for bye'"),
        ([encode({"type": "answer", "answer": STATUS | {"lock": 3}})], AskStatus([]), "malformed: lock"),
        ([encode({"type": "answer", "answer": [1]})], AskStatus([]), "malformed: answer"),
        ([encode({"type": "replan", "stage": 0, "facts": FACTS})], AskStatus([]), "said 'replan' in the state"),
    ],
)
def test_an_agent_that_does_not_answer_as_it_was_asked_is_a_protocol_error(
    script: list[bytes], planner: Any, words: str
) -> None:
    with pytest.raises(ProtocolError, match=words):
        hold(Channel(MARKER + HELLO, *script), planner=planner)


def test_what_a_run_is_for_goes_to_the_agent_only_where_it_was_said() -> None:
    assert Run("r1", "me", False, comment="rollout").options()["run"] == {"id": "r1", "by": "me", "comment": "rollout"}
    assert Run("r1", "me", False).options()["run"] == {"id": "r1", "by": "me"}


def test_an_interrupted_run_is_told() -> None:
    story = {"run": {"id": "r0", "by": "x@y"}, "role": "r", "step": "packages docker.io", "error": None}
    hello = encode({"type": "hello", "protocol": 1, "facts": FACTS, "interrupted": story})
    events, _ = hold(Channel(MARKER + hello, BYE))
    notice = next(event for event in events if isinstance(event, Notice))
    assert "run r0 of x@y was cut off in the step 'packages docker.io'" in notice.text


def test_a_run_that_died_without_a_word_is_told() -> None:
    story = {"run": {"id": "r0", "by": "x@y"}, "role": None, "step": None, "error": None}
    hello = encode({"type": "hello", "protocol": 1, "facts": FACTS, "interrupted": story})
    events, _ = hold(Channel(MARKER + hello, BYE))
    assert "run r0 of x@y died on this host" in next(event for event in events if isinstance(event, Notice)).text


@pytest.mark.parametrize(
    ("undone", "words"),
    [
        ({"undone": "nobody confirmed: the files are as they were"}, "was put back: nobody confirmed: the files are"),
        ({"undone": "left as it is, because somebody …", "left": True}, "was left as it is, because somebody …"),
        ({"undone": "left as it is, because somebody …"}, "was left as it is, because somebody …"),
        ({"undone": "not put back: no room", "left": True}, "was not put back: no room"),
    ],
    ids=["put back", "left", "left, told by an earlier release", "failed"],
)
def test_what_became_of_a_change_that_nobody_ended_is_told_as_it_is(undone: dict[str, Any], words: str) -> None:
    story = {"run": {"id": "r0", "by": "x@y"}, "role": None, "step": None, "error": None, **undone}
    hello = encode({"type": "hello", "protocol": 1, "facts": FACTS, "interrupted": story})
    events, _ = hold(Channel(MARKER + hello, BYE))
    text = next(event for event in events if isinstance(event, Notice)).text
    assert f"a change of run r0 of x@y {words}" in text


def test_progress_is_passed_on() -> None:
    beat = encode({"type": "beat", "step": "s", "seconds": 5.0, "text": "waiting for apt"})
    events, _ = hold(Channel(MARKER + HELLO + beat + BYE))
    assert Progress("h1", "s", 5.0, "waiting for apt") in events


class Ended(Channel):
    """Its process has ended by itself when the answer to a beat, or a cancel, is sent; its last words lie unread."""

    def send(self, data: bytes) -> None:
        if b'"heard"' in data or b'"cancel"' in data:
            raise ConnectionLost("the process ended with status 0", "run it again")
        super().send(data)


BEAT = encode({"type": "beat", "step": "facts", "seconds": 5.0, "text": ""})


def test_a_late_answer_to_a_beat_does_not_hide_the_end() -> None:
    """A controller under load reads beats of an agent that has long said all there is to say, and gone."""
    events, _ = hold(Ended(MARKER + HELLO, BEAT + BEAT + result(), BYE), planner=lambda facts: PLAN)
    assert [event.outcome for event in events if isinstance(event, ResourceDone)] == [Outcome.CHANGED]


def test_a_beat_of_a_process_that_died_without_a_bye_is_an_early_end() -> None:
    with pytest.raises(ConnectionLost, match=r"the connection ended in the step 'facts'"):
        hold(Ended(MARKER + HELLO, BEAT))


def test_a_cancel_that_comes_after_the_end_does_not_hide_it() -> None:
    flag = threading.Event()
    channel = Ended(MARKER + HELLO, lambda c: flag.set(), result(), BYE)
    session = Session(Target("h1", "h1"), Connection(channel), lambda facts: PLAN, Run("r1", "me", False), print, flag)
    with pytest.raises(Interrupted):
        session.execute()


def test_a_cancel_is_passed_on_once_and_the_step_in_hand_ends() -> None:
    cancel = threading.Event()
    channel = Channel(MARKER + HELLO, lambda c: cancel.set(), result(), b"")
    session = Session(
        Target("h1", "h1"), Connection(channel), lambda f: PLAN, Run("r", "me", False), lambda e: None, cancel
    )
    with pytest.raises(Interrupted):
        session.execute()
    assert channel.sent.count(b'"cancel"') == 1


def test_a_secret_in_a_plan_travels_only_on_the_wire() -> None:
    channel = Channel(MARKER + HELLO, result(kind="file"), BYE)
    stage = Stage("r", (File(path="/x", content=Secret("hunter2")),))
    events, connection = hold(channel, planner=lambda facts: [stage])
    assert b"hunter2" in channel.sent
    assert b'"sensitive":true' in channel.sent
    assert "hunter2" not in connection.command + repr(events) + repr(stage)


def test_the_command_line_survives_other_shells() -> None:
    command = loader.command("/opt/my python/bin/python3", "prompt:")
    assert not set("\n!\\") & set(command)
    assert len(command) < 3000


# -- the questions before a change

ANSWERS = encode(
    {"type": "preflight", "answers": [{"question": "disk", "verdict": "warn", "text": "it is nearly full", "fix": "x"}]}
)


TWO = [Stage("r", (Directory(path="/x"), Directory(path="/y")))]


def look(channel: Channel, planner: Any = lambda facts: PLAN) -> list[Event]:
    events: list[Event] = []
    run = Run("r1", "me@here", check=True, preflight=AskedSettings(data_root="/raid"), settle=True)
    Session(Target("h1", "h1"), Connection(channel), planner, run, events.append, threading.Event()).execute()
    return events


def test_the_answers_of_a_host_are_events_and_what_it_cannot_know_comes_with_the_plan() -> None:
    channel = Channel(MARKER + HELLO, result(outcome="would-change"), ANSWERS, BYE)
    [answer] = [event for event in look(channel) if isinstance(event, Preflight)]
    assert answer == Preflight("h1", "disk", Verdict.WARN, "it is nearly full", "x")
    assert b'"preflight":{' in channel.sent.replace(b" ", b"")
    assert b'"data_root":"/raid"' in channel.sent.replace(b" ", b"")


@pytest.mark.parametrize("outcome", ["ok", "failed"])
def test_a_host_with_nothing_to_change_or_a_failure_need_not_answer(outcome: str) -> None:
    second = result(outcome=outcome, name="/y", position=1)
    look(Channel(MARKER + HELLO, result(outcome="would-change"), second, ANSWERS, BYE), lambda facts: TWO)
    look(Channel(MARKER + HELLO, result(outcome="ok"), BYE))
    look(Channel(MARKER + HELLO, result(outcome="failed"), BYE))


def test_a_host_that_does_not_answer_where_it_has_to_is_our_bug() -> None:
    second = result(outcome="ok", name="/y", position=1)
    with pytest.raises(ProtocolError, match="has not answered"):
        look(Channel(MARKER + HELLO, result(outcome="would-change"), second, BYE), lambda facts: TWO)
    with pytest.raises(ProtocolError, match="has not answered"):
        look(Channel(MARKER + HELLO, BYE), lambda facts: [Stage("r", deferred="docker_engine")])
    with pytest.raises(ProtocolError, match="malformed"):
        look(Channel(MARKER + HELLO, ANSWERS.replace(b'"warn"', b'"well"'), BYE))


CONFIRM = encode({"type": "armed", "seconds": 7}) + encode({"type": "confirm", "seconds": 7})


def asked_to_confirm(*incoming: bytes, reached: bool) -> tuple[Channel, list[float], list[Event]]:
    channel, asked, events = Channel(*incoming), list[float](), list[Event]()

    def ask(seconds: float) -> bool:
        asked.append(seconds)
        return reached

    run = Run("r1", "me@here", check=False, limits=TimeLimits(confirm=7, silence=0.2))
    target = Target("h1", "h1")
    flag = threading.Event()
    session = Session(target, Connection(channel), lambda facts: PLAN, run, events.append, flag, ask)
    session.execute()
    return channel, asked, events


def test_a_host_that_may_be_cut_off_hears_that_it_was_reached_by_the_new_connection_alone() -> None:
    quiet, _, _ = asked_to_confirm(MARKER + HELLO, result(), BYE, reached=True)
    channel, asked, _ = asked_to_confirm(MARKER + HELLO, CONFIRM, result(), BYE, reached=True)
    assert asked == [7]
    # A second word by the old one would lie there where the agent next waits for a plan: it was taken for one.
    assert channel.sent == quiet.sent


def test_a_host_that_was_not_reached_may_still_tell_that_it_went_back() -> None:
    failed = result(outcome="failed", rolled_back=True, error={"cause": "c", "fix": "", "output": "", "trace": ""})
    _, _, events = asked_to_confirm(MARKER + HELLO, CONFIRM, failed, BYE, reached=False)
    done = events[-1]
    assert isinstance(done, ResourceDone)
    assert done.rolled_back


def test_a_host_that_was_cut_off_for_good_is_told_as_such() -> None:
    with pytest.raises(ConnectionLost, match="the change cut this host off") as caught:
        asked_to_confirm(MARKER + HELLO, CONFIRM, reached=False)
    assert "puts the old configuration back by itself" in caught.value.fix


def test_over_the_new_connection_only_the_end_is_waited_for() -> None:
    channel = Channel(MARKER + BYE)
    run = Run("r1", "me@here", check=False, confirms=True)
    Session(Target("h1", "h1"), Connection(channel), None, run, lambda event: None, threading.Event()).execute()
    assert run.options()["confirms"] is True


def test_a_host_that_is_not_heard_any_more_after_its_change_is_looked_for_once_more() -> None:
    armed = encode({"type": "armed", "seconds": 7})
    with pytest.raises(ConnectionLost, match="a new one gets through"):
        asked_to_confirm(MARKER + HELLO, armed, reached=True)
    with pytest.raises(ConnectionLost, match="cut this host off: no new connection reached it within 7 s"):
        asked_to_confirm(MARKER + HELLO, armed, reached=False)


def waits(seconds: float) -> bytes:
    return encode({"type": "armed", "seconds": seconds}) + encode({"type": "confirm", "seconds": seconds})


@pytest.mark.parametrize(("timeout", "most"), [(3600.0, 7.0), (3.0, 3.0)])
def test_a_host_does_not_say_how_long_we_wait_for_it(timeout: float, most: float) -> None:
    asked = list[float]()
    run = Run("r1", "me@here", check=False, limits=TimeLimits(confirm=7, host=timeout))
    channel = Channel(MARKER + HELLO, waits(1e300), result(), BYE)
    reached = lambda seconds: asked.append(seconds) or True  # noqa: E731
    flag = threading.Event()
    Session(Target("h1", "h1"), Connection(channel), lambda f: PLAN, run, lambda e: None, flag, reached).execute()
    assert most - 1 < asked[0] <= most


@pytest.mark.parametrize("number", [b"-1.25", b"-1e99"])
def test_a_wait_that_is_no_length_of_time_is_our_bug(number: bytes) -> None:
    odd = waits(77.25).replace(b"77.25", number)
    with pytest.raises(ProtocolError, match="armed message is malformed"):
        asked_to_confirm(MARKER + HELLO, odd, BYE, reached=True)


def test_a_host_that_waits_again_and_again_ends_at_its_time_limit() -> None:
    run = Run("r1", "me@here", check=False, limits=TimeLimits(host=0.2))
    channel = Channel(MARKER + HELLO, *[waits(7)] * 5)
    reached = lambda seconds: time.sleep(0.05) is None  # noqa: E731
    flag = threading.Event()
    session = Session(Target("h1", "h1"), Connection(channel), lambda f: PLAN, run, lambda e: None, flag, reached)
    with pytest.raises(HostTimeout, match=r"took longer than 0\.2 s"):
        session.execute()


def earlier(changed: list[str], failed: list[str]) -> bytes:
    told = {"changed": changed, "failed": failed}
    return encode({"type": "hello", "protocol": 1, "facts": FACTS, "interrupted": None, "earlier": told})


def test_what_this_run_changed_before_its_worker_was_lost_is_changed_once() -> None:
    changed = ["r: directory /x", "r: packages curl jq", "r: directory /x"]
    script = MARKER + earlier(changed, []), result(outcome="ok", diff=[]), result(name="/y", position=1), BYE
    events, _ = hold(Channel(*script), planner=lambda facts: TWO)
    done = [(event.kind, event.name, event.outcome) for event in events if isinstance(event, ResourceDone)]
    assert done == [
        ("directory", "/x", Outcome.CHANGED),
        ("packages", "curl jq", Outcome.CHANGED),
        ("directory", "/y", Outcome.CHANGED),
    ]


def test_a_host_on_which_this_run_has_failed_is_not_tried_again() -> None:
    channel = Channel(MARKER + earlier(["r: file /x"], ["r: service docker"]))
    with pytest.raises(Refused, match="this run has failed here already, in 'r: service docker'; run again to see why"):
        hold(channel)
    assert b'"plan"' not in channel.sent
