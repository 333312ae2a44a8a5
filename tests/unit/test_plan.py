"""Stages: order, skips, deferral, and the one owner of the Docker daemon."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provision import plan as planning
from provision.errors import RoleFault
from provision.facts import Docker, Facts, Os
from provision.plan import RefusedByRole, Stage, plan
from provision.resources import DaemonOption, Directory, DockerCurrent, Resource
from provision.role import Deferred, Refuse, Role, Settings, Skip

FACTS = Facts(os=Os(id="debian"), architecture="amd64", init="systemd")


def role(name: str, *produced: Any, provides: Any = None) -> Role:
    def resources(facts: Facts, settings: Settings) -> Iterable[Resource]:
        for item in produced:
            if isinstance(item, Exception):
                raise item
            yield item(facts) if callable(item) else item

    installs = "docker" if name == "docker_engine" else ""
    needs = ("docker_engine",) if name == "docker_daemon" else ()
    return Role(name, "", Path(), Settings, resources, provides, daemon=True, needs=needs, installs=installs)


def staged(*roles: Role, in_run: Any = None) -> tuple[Stage, ...]:
    return plan(roles, {item.name: Settings() for item in roles}, FACTS, in_run)


@pytest.fixture(autouse=True)
def fold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real fold has tests of its own; here a directory named after each option stands for it."""

    def fold(options, environment, facts, in_run, templates):
        if facts.docker.version is None:
            raise Deferred("docker_engine")
        return [Directory(path=f"/{role}/{option.key[0]}") for role, option in options]

    monkeypatch.setattr(planning.daemon, "merge_options", fold)


def installed(facts: Facts, settings: Settings) -> Facts:
    return facts.model_copy(update={"docker": Docker(version="26.1.5")})


def option(key: str) -> DaemonOption:
    return DaemonOption(key=(key,), value=1)


def test_a_stage_is_a_role_and_the_order_is_the_hosts() -> None:
    a, b = Directory(path="/a"), Directory(path="/b")
    assert staged(role("one", a), role("two", b, a)) == (Stage("one", (a,)), Stage("two", (b, a)))


def test_a_skip_keeps_its_reason() -> None:
    assert staged(role("gpu", Skip("no NVIDIA GPU"))) == (Stage("gpu", skipped="no NVIDIA GPU"),)


def test_a_refusal_names_the_role_and_ends_the_planning() -> None:
    with pytest.raises(RefusedByRole, match="overlaps") as caught:
        staged(role("fine"), role("net", Refuse("bip overlaps a route", "take another")))
    assert (caught.value.role, caught.value.fix) == ("net", "take another")


def test_a_later_role_sees_what_an_earlier_one_will_have_made() -> None:
    later = role("later", lambda facts: Directory(path=f"/v{facts.docker.version}"))
    assert staged(role("engine", provides=installed), later)[1].resources == (Directory(path="/v26.1.5"),)


def test_daemon_options_come_after_the_last_that_has_any_and_before_what_needs_docker() -> None:
    stages = staged(
        role("engine", provides=installed),
        role("docker_daemon", option("bip")),
        role("nvidia", Directory(path="/n"), option("runtimes")),
        role("users", Directory(path="/u")),
    )
    assert [stage.role for stage in stages] == ["engine", "nvidia", "docker_daemon", "users"]
    assert [item.path for item in stages[2].resources] == ["/docker_daemon/bip", "/nvidia/runtimes"]


def test_the_daemon_is_deferred_until_the_engine_is_known() -> None:
    stages = staged(role("docker_engine"), role("docker_daemon", option("bip")))
    assert stages[1] == Stage("docker_daemon", deferred="docker_engine", needs=("docker_engine",))


def test_a_role_outside_the_run_has_no_stage_but_keeps_its_options() -> None:
    stages = staged(
        role("engine", provides=installed),
        role("docker_daemon", option("bip")),
        role("nvidia", option("runtimes")),
        in_run=["docker_daemon"],
    )
    assert [stage.role for stage in stages] == ["docker_daemon"]
    assert [item.path for item in stages[0].resources] == ["/docker_daemon/bip", "/nvidia/runtimes"]


def test_what_no_role_of_the_host_asks_for_is_not_needed_by_any() -> None:
    """A change that waits there for a role that was taken off the host would hold the others up for ever."""
    alone = staged(role("docker_daemon", Directory(path="/d")), in_run=["docker_daemon"])
    assert (alone[0].needs, alone[0].host_roles) == ((), ("docker_daemon",))
    roles = (role("docker_engine", provides=installed), role("docker_daemon", option("bip")), role("nvidia"))
    stages = staged(*roles, in_run=["docker_daemon"])
    assert (stages[0].needs, stages[0].host_roles) == (("docker_engine",), ("docker_daemon", "docker_engine", "nvidia"))
    assert "host_roles" not in stages[0].wired(None), "the plan has it, once"


def test_a_run_without_any_role_of_the_daemon_leaves_it_alone() -> None:
    roles = (
        role("engine", provides=installed),
        role("docker_daemon", option("bip")),
        role("users", Directory(path="/u")),
    )
    assert [stage.role for stage in staged(*roles, in_run=["users"])] == ["users"]


def test_a_role_that_refuses_outside_the_run_does_not_stop_it() -> None:
    roles = (role("net", Refuse("no")), role("users", Directory(path="/u")))
    assert [stage.role for stage in staged(*roles, in_run=["users"])] == ["users"]


def test_a_role_with_nothing_asked_still_has_a_stage_so_that_what_it_wrote_can_go() -> None:
    assert staged(role("empty")) == (Stage("empty"),)


def test_planning_is_pure() -> None:
    roles = (role("engine", provides=installed), role("docker_daemon", option("bip")))
    assert staged(*roles) == staged(*roles)


def test_a_role_must_say_that_it_has_a_say_in_the_daemon() -> None:
    silent = replace(role("site", option("mtu")), daemon=False)
    with pytest.raises(RoleFault, match="DAEMON = True"):
        staged(silent)


@pytest.mark.parametrize("others", [(), (role("docker_daemon"),)])
def test_the_daemon_comes_after_the_engine_whoever_asks_for_it_earlier(others: tuple[Role, ...]) -> None:
    proxy = role("apt_proxy", DaemonOption(key=("mtu",), value=1))
    engine = role("docker_engine", Directory(path="/engine"))
    stages = staged(*others, proxy, engine, role("later"))
    assert [stage.role for stage in stages] == ["apt_proxy", "docker_engine", "docker_daemon", "later"]


def test_a_role_says_that_its_resources_stand_or_fall_together_and_what_it_disrupts() -> None:
    class Disrupting(Settings):
        disrupt: str = "never"

    mini = replace(role("mini", Directory(path="/m")), daemon=False, transaction=True, disrupts="mini")
    plain = replace(role("plain", Directory(path="/p")), daemon=False)
    stages = plan((mini, plain), {"mini": Disrupting(), "plain": Settings()}, FACTS)
    assert [stage.transaction for stage in stages] == [True, False]
    policies = {"policies": {"mini": ("never", "mini.disrupt")}, "closed": None}
    assert [stage.wired(None)["disrupt"] for stage in stages] == [policies, policies]


def test_the_daemon_s_own_role_is_the_one_with_a_say_in_it_that_stands_or_falls_together() -> None:
    engine = replace(role("any_engine", provides=installed), installs="docker")
    own = replace(role("any_daemon", option("bip")), transaction=True)
    stages = staged(role("proxy", option("dns")), own, engine)
    assert [stage.role for stage in stages] == ["proxy", "any_engine", "any_daemon"]
    assert (stages[2].transaction, stages[2].needs) == (True, ("any_engine", "proxy"))


@pytest.mark.parametrize(("in_run", "gated"), [(None, True), (("docker_engine",), True), (("docker_daemon",), False)])
def test_docker_is_installed_behind_a_gate_where_the_host_has_a_role_that_configures_it(
    in_run: Any, gated: bool
) -> None:
    engine = role("docker_engine", Directory(path="/packages"), provides=installed)
    own = replace(role("docker_daemon", option("bip")), transaction=True)
    stages = {stage.role: stage for stage in staged(engine, own, in_run=in_run) if stage.role == "docker_engine"}
    assert [len(stage.resources) for stage in stages.values()] == ([3] if gated else [])
    assert [len(stage.resources) for stage in staged(engine)] == [1], "nobody would open it"


@pytest.mark.parametrize(
    ("names", "in_run", "asked"),
    [
        (("docker_engine",), None, True),
        (("docker_engine", "docker_daemon"), ("docker_engine",), True),
        (("site",), None, False),
        (("docker_engine", "docker_daemon"), None, None),
    ],
)
def test_a_run_without_the_daemon_s_stage_asks_whether_an_upgrade_is_live(names: Any, in_run: Any, asked: Any) -> None:
    roles = [replace(role(name, Directory(path="/x")), daemon=name != "site") for name in names]
    host = installed(FACTS, Settings())
    host = host.model_copy(update={"docker": host.docker.model_copy(update={"pid": 7})})
    stages = plan(roles, {name: Settings() for name in names}, host, in_run)
    found = [item for stage in stages for item in stage.resources if isinstance(item, DockerCurrent)]
    assert [item.ours for item in found] == ([] if asked is None else [asked])
    assert [stage.role for stage in staged(*roles, in_run=in_run)].count("docker") == 0, "no Docker runs there"
