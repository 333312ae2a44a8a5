"""What hosts are asked beside their facts: what goes with a question, and what comes of an answer that may be a lie."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision import role
from provision.errors import ProtocolError
from provision.events import Outcome
from provision.facts import Facts
from provision.inventory.explain import Row
from provision.questions import Question
from provision.questions.status import AskStatus
from provision.questions.unlock import AskUnlock
from provision.questions.why import AskWhy, is_known, path_of
from provision.resources import DaemonEnvironment, DaemonOption
from provision.secrets import HIDDEN, Secret

ROLES = Path(__file__).parents[2] / "roles"
FACTS = Facts.model_validate(
    {"os": {"id": "debian"}, "architecture": "amd64", "init": "systemd", "memlock_hard": -1, "can_raise_limits": True}
)
LOCK = {
    "held": True, "pid": 7, "run": "r1", "by": "alice@ctl", "comment": "", "since": "2026-11-25T22:00:00Z", "age": 3.0,
    "orphan": False,
}  # fmt: skip
UNFINISHED = {"run": "r1", "by": "alice@ctl", "since": "2026-11-25T22:00:00Z", "age": 3.0, "deadline": ""}
PENDING = {
    "role": "docker_daemon", "run": "r1", "by": "alice@ctl", "since": "2026-11-25T22:00:00Z", "age": 7200.0,
    "reason": "3 containers use GPUs", "resources": ["service docker"], "staged": [],
}  # fmt: skip
STATUS: dict[str, Any] = {
    "time": "2026-11-25T22:00:03Z", "pending": [], "unfinished": None, "last_run": None, "proof": None,
    "unmanaged": [], "lock": None, "reboot": None, "interrupted": None,
}  # fmt: skip
ENTRY: dict[str, Any] = {
    "path": ["bip"], "in_file": True, "value": "192.168.127.1/24", "elsewhere": [], "process": [],
    "live": "192.168.127.1/24", "agrees": True, "started_with": True, "record": None,
}  # fmt: skip
WHY: dict[str, Any] = {"running": True, "config": "/etc/docker/daemon.json", "problem": "", "entries": [ENTRY]}
OURS = {"role": "docker_daemon", "unchanged": True}
FLAG = {
    "value": "overlay2", "file": "/etc/systemd/system/docker.service.d/docker-override.conf",
    "package": "nv-docker-options", "role": "",
}  # fmt: skip


def daemon(**values: Any) -> tuple[role.Role, role.Settings]:
    found = role.load("docker_daemon", [ROLES])
    return found, found.settings.model_validate(values)


def ask(*path: str, rows: tuple[Row, ...] = (), **values: Any) -> AskWhy:
    found, settings = daemon(**values)
    return AskWhy(path, [found], {found.name: settings}, rows)


def why(question: AskWhy, host: Any = None, **changes: Any) -> dict[str, Any]:
    answer = copy.deepcopy(WHY) | (host or {})
    answer["entries"] = [ENTRY | {"path": list(question.path)} | changes]
    outcome, told = question.answered(FACTS, answer)
    assert outcome is Outcome.OK
    entry: dict[str, Any] = told["entries"][0]
    return entry


# -- status


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, Outcome.OK),
        ({"pending": [PENDING]}, Outcome.PENDING),
        ({"lock": LOCK}, Outcome.OK),
        ({"lock": LOCK, "unfinished": UNFINISHED}, Outcome.OK),
        ({"unfinished": UNFINISHED}, Outcome.PENDING),
        ({"lock": LOCK | {"held": False, "pid": None}, "unfinished": UNFINISHED}, Outcome.PENDING),
    ],
)
def test_a_host_is_pending_while_something_waits_and_nobody_is_at_work_on_it(changes: Any, outcome: Outcome) -> None:
    found, answer = AskStatus(["r"]).answered(FACTS, STATUS | changes)
    assert found is outcome
    assert AskStatus(["r"]).arguments(FACTS) == {"roles": ["r"]}
    assert {key: answer[key] for key in changes} == changes


# -- why


def test_with_the_question_goes_what_the_roles_ask_for() -> None:
    question = ask("default-ulimits", default_ulimits={"memlock": 1024, "stack": 2048})
    assert question.arguments(FACTS) == {
        "path": ["default-ulimits"],
        "map": True,
        "entries": ["memlock", "stack"],
        "flags": ["default-ulimit"],
    }
    assert ask("data-root").arguments(FACTS)["flags"] == ["data-root", "graph"]
    assert ask("something-new").arguments(FACTS)["flags"] == []


ROW = Row("docker_daemon.bip", "192.168.127.1/24", "inventories/dgx.yml:12:5", "all")
BIP = {"bip": "192.168.127.1/24"}
MINE = "bip is set by role docker_daemon (inventories/dgx.yml:12:5), "
VERDICTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (BIP, {"record": OURS}, MINE + "stands in /etc/docker/daemon.json as we wrote it, and is live"),
    (
        BIP,
        {"record": OURS | {"unchanged": False}, "agrees": False, "live": "10.0.0.1/24"},
        MINE + "stands in /etc/docker/daemon.json and was changed by somebody else since our last run; the running"
        " daemon has 10.0.0.1/24: it was not restarted since, or something wins over the file",
    ),
    (
        BIP,
        {"in_file": False, "value": None, "agrees": None},
        MINE + "and is not in /etc/docker/daemon.json: the next apply writes it",
    ),
    (
        {},
        {},
        "bip is in /etc/docker/daemon.json, and is live. It is not ours: an administrator or another tool put it there",
    ),
    (
        {},
        {"record": OURS},
        "bip was written to /etc/docker/daemon.json by role docker_daemon of ours, and is live. Nobody asks for it any"
        " more: the next run of docker_daemon removes it",
    ),
    (
        {},
        {"record": {"role": "site", "unchanged": True}, "agrees": None, "started_with": False},
        "bip was written to /etc/docker/daemon.json by role site of ours; Docker does not tell whether it is live."
        " Nobody asks for it any more: site is not a role of this host any more",
    ),
    ({}, {"in_file": False, "value": None, "live": None}, "bip is set nowhere: Docker's default holds"),
    (
        {},
        {"in_file": False, "value": None, "live": "10.92.0.1/24"},
        "bip is set nowhere: docker0 has 10.92.0.1/24, Docker's own choice or what it remembers of an earlier bip",
    ),
]


@pytest.mark.parametrize(("asked", "found", "sentence"), VERDICTS)
def test_the_verdict_is_one_plain_sentence(asked: Any, found: Any, sentence: str) -> None:
    assert why(ask("bip", rows=(ROW,), **asked), **found)["verdict"] == sentence


def test_a_flag_is_told_with_the_file_that_brings_it() -> None:
    told = why(ask("storage-driver"), in_file=False, value=None, elsewhere=[FLAG], process=["overlay2"])
    assert told["verdict"] == (
        "storage-driver comes from the flag in /etc/systemd/system/docker.service.d/docker-override.conf"
        " (package nv-docker-options), and is live"
    )
    stopped = why(ask("storage-driver"), {"running": False}, in_file=False, value=None, elsewhere=[FLAG])
    assert stopped["verdict"].endswith("; Docker does not run")


def test_a_runtime_of_nobody_is_probably_nvidias() -> None:
    told = why(ask("runtimes", "nvidia"))
    assert "It is not ours: nvidia-ctk or an administrator put it there" in told["verdict"]


def test_a_broken_file_is_the_verdict() -> None:
    told = why(ask("bip"), {"problem": "daemon.json:3: is not JSON"})
    assert told["verdict"] == "bip: nobody can tell, for daemon.json:3: is not JSON"


def test_the_place_of_an_entry_and_of_an_extra_key_is_found() -> None:
    rows = (
        Row("docker_daemon.default_ulimits.stack", 1, "a.yml:1:1", "all"),
        Row("docker_daemon.default_ulimits.memlock", 1, "a.yml:2:2", "group dgx"),
        Row("docker_daemon.extra.max-download-attempts", 7, "a.yml:3:3", "host h1"),
        Row("docker_daemon.dns", [], "", "default"),
    )
    entry = why(ask("default-ulimits", "memlock", rows=rows, default_ulimits={"memlock": 1}))
    assert (entry["asked"]["origin"], entry["asked"]["level"]) == ("a.yml:2:2", "group dgx")
    extra = why(ask("max-download-attempts", rows=rows, extra={"max-download-attempts": 7}))
    assert extra["asked"] == {"role": "docker_daemon", "value": 7, "origin": "a.yml:3:3", "level": "host h1"}
    unknown = why(ask("mtu", rows=rows, mtu=1400))
    assert (unknown["asked"]["origin"], "role docker_daemon," in unknown["verdict"]) == ("", True)


def test_no_secret_shows_in_what_is_asked() -> None:
    options = {
        "log-opts": {"splunk-token": "hunter2", "max-size": "1m"},
        "registry-mirrors": ["https://u:hunter2@mirror"],
        "proxies": {"http-proxy": "http://u:hunter2@p"},
    }
    for key, value in options.items():
        told = _asked(key, value)
        assert "hunter2" not in str(told)
        assert HIDDEN in str(told)


def _asked(key: str, value: Any) -> Any:
    def resources(facts: Any, settings: Any) -> Any:
        yield DaemonOption(key=(key,), value=value)
        yield DaemonEnvironment(name="HTTPS_PROXY", value=Secret("http://u:hunter2@p"))

    played = role.Role("site", "", Path("/x"), role.Settings, resources, None)
    return [item.told() for item in AskWhy((key,), [played], {"site": role.Settings()})._asked(FACTS)]


@pytest.mark.parametrize("raising", [role.Skip("no GPU"), role.Refuse("no"), role.Deferred("docker_engine")])
def test_a_role_that_has_nothing_to_say_here_asks_for_nothing(raising: Exception) -> None:
    def resources(facts: Any, settings: Any) -> Any:
        raise raising
        yield

    played = role.Role("site", "", Path("/x"), role.Settings, resources, None)
    assert AskWhy(("bip",), [played], {"site": role.Settings()}).arguments(FACTS)["entries"] == []


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("bip", ("bip",)),
        ("runtimes.nvidia", ("runtimes", "nvidia")),
        ("log-opts.max-size", ("log-opts", "max-size")),
        ("default_shm_size", ("default-shm-size",)),
        ("--storage-driver", ("storage-driver",)),
        ("add-runtime", ("runtimes",)),
        ("default-ulimit.memlock", ("default-ulimits", "memlock")),
        ("features", ("features",)),
        ("something_new", ("something_new",)),
    ],
)
def test_a_key_may_be_written_as_a_flag_or_a_setting(given: str, path: tuple[str, ...]) -> None:
    assert path_of(given) == path
    assert is_known(path) is (given != "something_new")


# -- any answer


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
ASKED: list[tuple[Question, dict[str, Any]]] = [
    (AskStatus([]), STATUS | {"pending": [PENDING], "unfinished": UNFINISHED, "lock": LOCK, "reboot": ["x"]}),
    (ask("bip"), WHY),
    (AskUnlock(end=True), {"state": "ended", "lock": LOCK}),
]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_an_answer_with_anything_in_any_place_is_taken_or_a_protocol_error(data: Any) -> None:
    question, right = data.draw(st.sampled_from(ASKED))
    answer = copy.deepcopy(right)
    spoiled: Any = answer
    while True:
        key = data.draw(st.sampled_from(list(spoiled) if isinstance(spoiled, dict) else range(len(spoiled))))
        deeper = spoiled[key]
        if isinstance(deeper, dict | list) and deeper and data.draw(st.booleans()):
            spoiled = deeper
            continue
        spoiled[key] = data.draw(JUNK)
        break
    try:
        outcome, told = question.answered(FACTS, answer)
    except ProtocolError:
        return
    assert isinstance(outcome, Outcome)
    assert isinstance(told, dict)


@pytest.mark.parametrize(
    "flood",
    [
        {"pending": [PENDING] * 101},
        {"pending": [PENDING | {"reason": "x" * 2001}]},
        {"pending": [PENDING | {"resources": ["x"] * 1001}]},
        {"reboot": ["x"] * 1001},
        {"more": 1},
    ],
)
def test_an_answer_without_end_is_none(flood: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="the host's answer to status is malformed"):
        AskStatus([]).answered(FACTS, STATUS | flood)
