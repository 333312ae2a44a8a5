"""JUnit: every step and every level of a proof is a case, and nothing that is not as asked has passed."""

from xml.etree import ElementTree

from provision.events import (
    Error,
    Event,
    HostFinished,
    HostStarted,
    Outcome,
    Preflight,
    ResourceDone,
    RunStarted,
    Summary,
    Verdict,
)
from provision.report.junit import junit
from provision.report.record import Record
from tests.unit.report.conftest import NASTY
from tests.unit.report.fleet import proof, recorded


def told(events: list[Event]) -> ElementTree.Element:
    record = Record()
    for event in events:
        record(event)
    return ElementTree.fromstring(junit(record))


def test_a_run(run: list[Event]) -> None:
    top = told(run)
    assert {name: top.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "2", "errors": "1", "skipped": "1"
    }  # fmt: skip
    web1 = top.find("testsuite[@name='web1']")
    assert web1 is not None
    assert [case.get("name") for case in web1] == ["packages docker.io", "file /etc/x", "file /etc/key", "role"]
    failure = top.find("testsuite[@name='db1']/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "apt cannot lock; wait for the other apt"
    assert failure.text == "E: one\nE: two"
    assert top.find("testsuite[@name='far']/testcase[@name='run']/error") is not None


def one(outcome: Outcome, **more: object) -> ElementTree.Element:
    step = ResourceDone("a", "r", "file", "/x", outcome, **more)  # type: ignore[arg-type]
    end = HostFinished("a", outcome, {}, 1.0)
    return told(
        [RunStarted("R", "check", ("a",), True), HostStarted("a"), step, end, Summary("R", outcome, {"a": end})]
    )


def test_drift_has_not_passed() -> None:
    for outcome, count in (
        ("would-change", "failures"),
        ("pending", "failures"),
        ("unknown", "errors"),
        ("ok", "skipped"),
    ):
        assert one(Outcome(outcome)).get(count) == ("0" if outcome == "ok" else "1"), outcome


def test_each_level_of_a_proof_is_a_case() -> None:
    top = one(Outcome.FAILED, proof=proof(5))
    cases = {case.get("name"): case for case in top.iter("testcase")}
    assert list(cases) == ["file /x", "file /x level 0", "file /x level 1"]
    assert cases["file /x level 0"].find("failure") is None
    failure = cases["file /x level 1"].find("failure")
    assert failure is not None
    assert "7 are on the PCI bus" in str(failure.get("message"))


def test_what_xml_has_no_characters_for_is_shown() -> None:
    top = one(Outcome.FAILED, proof={"levels": {NASTY: {"verdict": NASTY, "seconds": "x", "checks": 3}}})
    names = [case.get("name") for case in top.iter("testcase")]
    assert "\\x1b]0;owned\\x07" in str(names[1])


def test_a_fleet_has_one_suite_a_host() -> None:
    top = ElementTree.fromstring(junit(recorded(200)))
    assert len(top) == 200
    assert int(top.get("tests", "0")) > 1500


def test_each_question_of_the_preflight_is_a_case_also_when_the_host_starts_anew() -> None:
    answers = [Preflight("a", str(verdict), verdict, "found", "do") for verdict in Verdict]
    end = HostFinished("a", Outcome.FAILED, {}, 1.0, Error("preflight: fail: found", "do"))
    last = Summary("R", Outcome.FAILED, {"a": end})
    top = told([RunStarted("R", "apply", ("a",), False), HostStarted("a"), *answers, HostStarted("a"), end, last])
    cases = {case.get("name"): [part.tag for part in case] for case in top.iter("testcase")}
    assert cases == {"pass": [], "warn": [], "fail": ["failure"], "unknown": ["error"], "n/a": ["skipped"]}
    failure = top.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "found; do"
