"""`remove`: which stages take a role from a host, and what the verb says before it connects."""

from pathlib import Path

import pytest

from provision import role, shipped
from provision.events import Outcome, ResourceDone
from provision.facts import Facts
from provision.plan import RefusedByRole, Removal, Stage, removal
from provision.resources import DockerLive, DockerService, File, JsonKeys
from provision.role import Role, Settings
from tests.unit.played import Fleet, Played
from tests.unit.test_cli import ROLE, run
from tests.unit.test_daemon_fold import facts as docker_facts


def loaded(*names: str) -> list[Role]:
    return [role.load(name, [shipped.ROLES]) for name in names]


def stages(removed: tuple[str, ...], staying: tuple[str, ...] = (), facts: Facts | None = None, **settings: object):
    roles = loaded(*staying)
    typed: dict[str, Settings] = {
        item.name: item.settings.model_validate(settings.get(item.name, {})) for item in roles
    }
    return removal(Removal(removed, daemon=True, loaded=tuple(loaded(*removed))), roles, typed, facts or docker_facts())


def keys(stage: Stage) -> JsonKeys:
    return next(item for item in stage.resources if isinstance(item, JsonKeys))


def test_the_daemon_comes_first_and_the_roles_go_the_last_first() -> None:
    found = stages(("docker_engine", "docker_users", "docker_daemon"))
    assert [(stage.role, stage.remove) for stage in found] == [
        ("docker_daemon", True),
        ("docker_users", True),
        ("docker_engine", True),
    ]
    assert (keys(found[0]).keys, keys(found[0]).roles) == ((), ("docker_engine", "docker_users", "docker_daemon"))
    assert found[0].transaction


def test_a_daemon_that_goes_itself_is_not_restarted_first() -> None:
    restarted = (DockerService, DockerLive)
    assert not [item for item in stages(("docker_engine", "docker_daemon"))[0].resources if isinstance(item, restarted)]
    assert len([item for item in stages(("docker_daemon",))[0].resources if isinstance(item, restarted)]) == 2


def test_what_the_roles_that_stay_want_of_the_daemon_stays() -> None:
    first, second = stages(("apt_proxy",), ("docker_daemon",), docker_daemon={"bip": "192.168.127.1/24"})
    assert [key.path for key in keys(first).keys] == [("bip",)]
    assert keys(first).roles == ("apt_proxy",)
    assert (first.remove, second.role, second.remove) == (False, "apt_proxy", True)


@pytest.mark.parametrize("staying", [(), ("container_images",)])
def test_what_the_daemons_own_role_left_stays_though_the_inventory_does_not_ask_for_it(
    staying: tuple[str, ...],
) -> None:
    known = docker_facts(configured={"bip": "192.168.127.1/24"}, written={"bip": ("docker_daemon",)})
    first, *_ = stages(("nvidia_docker",), staying, facts=known)
    assert (first.role, keys(first).roles) == ("docker", ("nvidia_docker",))
    assert not [item for item in first.resources if isinstance(item, File)]
    assert [item for item in first.resources if isinstance(item, DockerService)]
    first, *_ = stages(("nvidia_docker", "docker_daemon"), staying, facts=known)
    assert (first.role, first.remove) == ("docker_daemon", True)


def test_roles_without_a_say_in_the_daemon_leave_it_alone() -> None:
    found = removal(Removal(("docker_users", "site"), daemon=False), [], {}, docker_facts())
    assert [stage.role for stage in found] == ["site", "docker_users"]


def test_our_keys_go_from_a_host_whose_docker_is_gone() -> None:
    (first, *_) = stages(("docker_daemon",), facts=docker_facts(version=None))
    assert (keys(first).path, keys(first).keys) == ("/etc/docker/daemon.json", ())


def test_a_host_whose_daemon_cannot_be_changed_is_refused() -> None:
    broken = docker_facts(config_problem="/etc/docker/daemon.json is not JSON")
    with pytest.raises(RefusedByRole, match="is not JSON"):
        stages(("docker_daemon",), facts=broken)


# -- the verb

INVENTORY = """\
all:
  vars: {roles: [greeting, other]}
  hosts: {web1: {}, web2: {roles: [other]}}
"""


class Hosts(Fleet):
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.removed: dict[str, tuple[str, ...]] = {}

    def play(self, session: Played) -> None:
        self.removed[session.name] = session.planner.__self__.removed.roles
        outcome = Outcome.WOULD_CHANGE if session.run.check else Outcome.CHANGED
        session.sink(ResourceDone(session.name, "greeting", "file", "/etc/greeting", outcome))


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    return Hosts(monkeypatch)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "roles").mkdir()
    for name in ("greeting", "other"):
        (tmp_path / "roles" / f"{name}.py").write_text(ROLE)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    return tmp_path / "hosts.yml"


def test_hosts_are_told_which_roles_go_in_the_order_of_the_inventory(site: Path, hosts: Hosts) -> None:
    result = run("remove", "other", "gone_from_disk", "greeting", "-i", site)
    assert result.exit_code == 0, result.output
    assert hosts.removed == {
        "web1": ("gone_from_disk", "greeting", "other"),
        "web2": ("gone_from_disk", "greeting", "other"),
    }
    assert "warning: the inventory still asks for greeting on web1: the next apply would put it back" in result.stderr


def test_a_check_of_a_removal_changes_nothing(site: Path, hosts: Hosts) -> None:
    assert run("remove", "greeting", "-i", site, "--check").exit_code == 3


def test_a_misspelt_role_is_no_role_that_is_gone(site: Path, hosts: Hosts) -> None:
    result = run("remove", "greetin", "-i", site)
    assert (result.exit_code, result.stderr) == (2, "no role is called 'greetin'; did you mean 'greeting'?\n")
    assert not hosts.removed


def test_a_removal_names_at_least_one_role(site: Path) -> None:
    assert run("remove", "-i", site).exit_code == 2
