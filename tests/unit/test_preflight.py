"""What the controller asks of all hosts before the first change: pure, from facts and settings."""

from pathlib import Path
from typing import Any

import pytest

from provision import preflight, role
from provision.events import Outcome, Preflight, Verdict
from provision.preflight import AskedSettings, Candidate, Seen, judge, subnets, verdict, wanted

ROLES = [Path(__file__).parents[2] / "roles"]
NOW = 1_700_000_000.0


def settings(**daemon: Any) -> dict[str, role.Settings]:
    found = role.load("docker_daemon", ROLES).settings.model_validate(daemon)
    return {"docker_daemon": found}


def facts(**found: Any) -> dict[str, Any]:
    plain = {"os": {"id": "debian", "version_id": "12", "name": "Debian 12"}, "architecture": "amd64"}
    return plain | {"kernel": "6.1", "init": "systemd", "time": NOW, "docker": {}} | found


def seen(**found: Any) -> Seen:
    return Seen(facts(**found), NOW)


def host(*addresses: str, routes: tuple[str, ...] = (), interface: str = "eth0", **more: Any) -> Seen:
    return seen(
        addresses=[{"address": item, "interface": interface} for item in addresses],
        routes=[{"network": item, "interface": interface} for item in routes],
        **more,
    )


def candidate(name: str, roles: dict[str, role.Settings]) -> Candidate:
    return Candidate(name, list(roles), roles.get("docker_daemon"), "docker_engine" in roles)


def ask(question: str, name: str, roles: dict[str, role.Settings], fleet: dict[str, Seen], **given: str) -> Preflight:
    found = judge([candidate(name, roles)], fleet, given)[name]
    [answer] = [item for item in found if item.question == question]
    return answer


# -- clocks and systems


@pytest.mark.parametrize(
    ("skew", "expected", "words"),
    [
        (0, "pass", "right"),
        (29, "pass", "right"),
        (31, "warn", "31 s ahead of"),
        (-31, "warn", "31 s behind"),
        (301, "fail", "301 s ahead of"),
        (-9999, "fail", "9999 s behind"),
    ],
)
def test_a_clock_that_is_wrong(skew: float, expected: str, words: str) -> None:
    answer = ask("clock", "a", {}, {"a": seen(time=NOW + skew)})
    assert (answer.verdict, words in answer.text) == (expected, True)
    assert bool(answer.fix) == (expected != "pass")


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("debian", "12", "pass"),
        ("debian", "10", "pass"),
        ("debian", "9", "warn"),
        ("debian", "", "pass"),
        ("ubuntu", "18.04", "pass"),
        ("ubuntu", "16.04", "warn"),
        ("arch", "", "warn"),
    ],
)
def test_a_system_that_nobody_has_tried(name: str, version: str, expected: str) -> None:
    answer = ask("system", "a", {}, {"a": seen(os={"id": name, "version_id": version, "name": name})})
    assert answer.verdict == expected


def test_a_host_that_could_not_be_looked_at_is_warned_of() -> None:
    found = judge([candidate("a", settings(bip="10.9.0.1/24"))], {"b": host("10.9.0.7/24")}, {})["a"]
    assert [(item.question, item.verdict) for item in found] == [("python", "warn"), ("subnets", "fail")]


# -- subnets

BIP = settings(bip="10.9.0.1/24")


def test_a_subnet_that_nobody_needs_passes_and_one_that_nobody_asks_for_does_not_apply() -> None:
    fleet = {"a": host("10.0.0.1/24", routes=("0.0.0.0/0",)), "b": host("10.0.0.2/24", routes=("10.0.0.0/24",))}
    assert ask("subnets", "a", BIP, fleet).verdict == "pass"
    assert ask("subnets", "a", settings(), fleet).verdict == "n/a"


def test_a_subnet_with_another_hosts_address_in_it_cuts_that_host_off() -> None:
    answer = ask("subnets", "a", BIP, {"a": host("10.0.0.1/24"), "b": host("10.9.0.7/24", routes=("10.9.0.0/24",))})
    assert (answer.verdict, answer.text) == (
        "fail",
        "bip 10.9.0.1/24 contains 10.9.0.7, an address of b, which this host could not reach any more",
    )


def test_where_a_host_is_connected_to_counts_even_if_it_does_not_answer() -> None:
    assert ask("subnets", "a", BIP, {"a": host("10.0.0.1/24")}, b="10.9.0.8", c="name").verdict == "fail"
    own = ask("subnets", "a", BIP, {"a": host("10.0.0.1/24")}, a="10.9.0.8")
    assert own.verdict == "pass", "its own addresses are for its role to judge"


def test_from_where_the_controller_comes_to_others() -> None:
    answer = ask("subnets", "a", BIP, {"a": host("10.0.0.1/24"), "b": host("10.0.0.2/24", ssh_client="10.9.0.200")})
    assert answer.verdict == "fail"
    assert "10.9.0.200, from where the controller reaches b" in answer.text


def test_a_network_that_only_another_host_has_a_route_to() -> None:
    storage = host("10.0.0.2/24", routes=("10.8.0.0/15",))
    answer = ask("subnets", "a", BIP, {"a": host("10.0.0.1/24"), "b": storage, "c": storage})
    assert answer.verdict == "warn"
    assert answer.text.endswith(
        "overlaps 10.8.0.0/15, which b reaches by eth0 and this host could not reach any more (and 1 more)"
    )


@pytest.mark.parametrize(
    "interface", ["lo", "docker0", "br-0123456789ab", "virbr0", "cni0", "veth12", "docker_gwbridge"]
)
def test_networks_that_end_at_their_host_are_nobodys_way(interface: str) -> None:
    other = host("10.9.0.1/24", routes=("10.9.0.0/24",), interface=interface)
    assert ask("subnets", "a", BIP, {"a": host("10.0.0.1/24"), "b": other}).verdict == "pass"


def test_pools_count_as_bip_does_and_hosts_may_differ() -> None:
    fleet = {"a": host("10.0.0.1/24"), "b": host("10.0.0.2/24")}
    pools = settings(default_address_pools=[{"base": "10.0.0.0/16", "size": 24}])
    found = judge([candidate("a", BIP), candidate("b", pools)], fleet, {})
    verdicts = {
        name: next(item.verdict for item in items if item.question == "subnets") for name, items in found.items()
    }
    assert verdicts == {"a": "pass", "b": "fail"}


def test_dockers_own_choice_is_foreseen_on_a_host_without_docker() -> None:
    engine = {"docker_engine": role.load("docker_engine", ROLES).settings()}
    fleet = {"a": host("10.0.0.1/24"), "b": host("172.17.4.4/24")}
    answer = ask("subnets", "a", engine, fleet)
    assert answer.verdict == "warn"
    assert answer.text.startswith("Docker's own choice contains 172.17.4.4, an address of b")
    fleet["a"] = host("10.0.0.1/24", docker={"version": "20.10.24"})
    assert ask("subnets", "a", engine, fleet).verdict == "n/a"


def test_what_a_host_says_that_is_no_address_is_nothing() -> None:
    odd = seen(addresses=[{"address": "x", "interface": 3}, 7], routes="no", ssh_client="fe80::1")
    fleet = subnets.HostNetworks({"b": odd.facts, "c": {}}, {"b": "name"})
    assert list(fleet.findings("a", [("bip", subnets.FIRST)])) == []


# -- flags

UNIT = {"path": "/lib/systemd/system/docker.service", "exec_start_from": "/etc/x.conf"}


def engine(configured: dict[str, Any], *words: str, version: str = "26.1.5", **more: Any) -> dict[str, Seen]:
    unit = UNIT | {"exec_start": ("/usr/bin/dockerd", *words)}
    return {"a": seen(docker={"version": version, "unit": unit, "configured": configured} | more)}


def test_an_option_that_stands_twice_keeps_docker_from_starting() -> None:
    answer = ask("flags", "a", settings(), engine({"hosts": ["unix://"], "mtu": 9000, "debug": True}, "-H", "fd://"))
    assert answer.verdict == "fail"
    assert answer.text.startswith("hosts in /etc/docker/daemon.json stands as a flag of the daemon, too")
    assert "/etc/x.conf" in answer.fix


@pytest.mark.parametrize(
    ("asked", "configured", "words", "version"),
    [
        ({}, {"mtu": 9000}, ("-H", "fd://"), "26.1.5"),
        ({"mtu": 9000}, {"mtu": 9000}, ("--mtu=1500",), "26.1.5"),
        ({}, {"runtimes": {}}, ("--add-runtime=a=b",), "26.1.5"),
        ({}, {"mtu": 9000}, ("--mtu=1500",), "1.12.6"),
    ],
)
def test_what_is_no_conflict_or_is_moved(asked: Any, configured: Any, words: Any, version: str) -> None:
    assert ask("flags", "a", settings(**asked), engine(configured, *words, version=version)).verdict == "pass"


@pytest.mark.parametrize(
    ("writers", "expected"),
    [
        (["docker_daemon"], "pass"),
        (["apt_proxy", "docker_daemon"], "fail"),
        (["site_role"], "fail"),
        ([], "fail"),
    ],
)
def test_a_key_that_this_run_takes_away_is_in_nobodys_way(writers: list[str], expected: str) -> None:
    fleet = engine({"hosts": ["unix://"]}, "-H", "fd://", written={"hosts": writers})
    assert ask("flags", "a", settings(), fleet).verdict == expected


def test_flags_in_variables_of_the_unit_count() -> None:
    fleet = engine({"mtu": 9000}, "$DOCKER_NETWORK_OPTIONS")
    assert ask("flags", "a", settings(), fleet).verdict == "pass"
    fleet["a"].facts["docker"]["unit"]["variables"] = {"DOCKER_NETWORK_OPTIONS": ["--mtu=1400"]}
    assert ask("flags", "a", settings(), fleet).verdict == "fail"


def test_docker_opts_count_where_they_are_read() -> None:
    read = engine({"mtu": 1}, "$DOCKER_OPTS", default_options=("--mtu=2",))
    read["a"].facts["docker"]["unit"]["environment_files"] = ("-/etc/default/docker",)
    assert ask("flags", "a", settings(), read).verdict == "fail"
    assert ask("flags", "a", settings(), engine({"mtu": 1}, default_options=("--mtu=2",))).verdict == "pass"
    assert ask("flags", "a", {}, read).verdict == "n/a"


# -- what it comes to


def test_a_fail_counts_before_an_unknown_and_a_warning_lets_go_on() -> None:
    def said(*verdicts: Verdict) -> Any:
        answers = [Preflight("a", f"q{number}", item, "found", "do") for number, item in enumerate(verdicts)]
        return verdict(answers)

    assert said(Verdict.PASS, Verdict.WARN, Verdict.NOT_APPLICABLE) is None
    outcome, error = said(Verdict.UNKNOWN, Verdict.FAIL)
    assert outcome is Outcome.FAILED
    assert str(error) == "preflight: q1: found (and 1 more); nothing was changed; do"
    assert said(Verdict.WARN, Verdict.UNKNOWN)[0] is Outcome.UNKNOWN


def test_what_travels_with_the_plan() -> None:
    assert wanted(None) == AskedSettings()
    extra = {"features": {"containerd-snapshotter": True}}
    found = wanted(settings(storage_driver="overlay2", data_root="/raid/docker/", extra=extra)["docker_daemon"])
    assert found == AskedSettings("overlay2", True, "/raid/docker")


def test_a_bug_with_what_one_host_says_is_that_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    def clock(host: str, *given: Any) -> Preflight:
        return Preflight(host, "clock", Verdict.PASS, str(1 / (host != "a")))

    monkeypatch.setattr(preflight, "_clock", clock)
    found = judge([Candidate("a", ()), Candidate("b", ())], {"a": seen(), "b": seen()}, {})
    assert [(item.question, item.verdict) for item in found["a"]] == [("facts", "unknown")]
    assert "ZeroDivisionError" in found["a"][0].text
    assert len(found["b"]) == 4


def test_each_candidate_gets_each_question_once() -> None:
    found = judge([candidate("a", BIP)], {"a": seen()}, {"a": "10.0.0.1"})["a"]
    assert [item.question for item in found] == ["system", "clock", "subnets", "flags"]
    assert preflight.judge([], {}, {}) == {}
