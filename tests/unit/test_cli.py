"""The command line in process: options, exit statuses and what stands where; hosts are played."""

import json
import platform
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from provision import __version__, cli
from provision.cli import verbs
from provision.events import HostFacts, Notice, Outcome, ResourceDone
from tests.unit.inventory import vaults
from tests.unit.played import Fleet, Played

ROOT = Path(__file__).parents[2]
ROLE = '''
"""A greeting, kept in one file."""
from provision import role
from provision.resources import File
from provision.secrets import Secret

class Settings(role.Settings):
    path: str = "/etc/greeting"
    """Where it goes."""
    text: str | Secret = "hello"

def resources(facts, settings):
    yield File(path=settings.path, content=settings.text)
'''

INVENTORY = """\
all:
  vars:
    ansible_password: !secret env:TEST_PASSWORD
    roles: [greeting, other, daemonic]
  children:
    web:
      hosts:
        web[1:2]:
    db:
      hosts:
        far:
"""


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PROVISION_INVENTORY", raising=False)
    monkeypatch.setenv("TEST_PASSWORD", "s3cret-word")
    roles = tmp_path / "roles"
    roles.mkdir()
    (roles / "greeting.py").write_text(ROLE)
    (roles / "other.py").write_text(ROLE)
    (roles / "daemonic.py").write_text(ROLE)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    return tmp_path


class Hosts(Fleet):
    """What each host says."""

    unreachable = ("far",)

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.outcomes: dict[str, Outcome] = {}
        self.jobs: dict[str, Any] = {}
        self.accept_new: bool | None = None
        self.limit = 0.0

    def pool(self, *, accept_new_host_keys: bool, on_host_key: Any) -> Fleet:
        self.accept_new = accept_new_host_keys
        return self

    def play(self, session: Played) -> None:
        name, sink = session.name, session.sink
        self.limit = session.run.limits.host
        if session.planner is not None:
            self.jobs[name] = session.planner.__self__
        sink(HostFacts(name, {"os": {"id": "debian", "version_id": "12"}, "init": "systemd"}))
        sink(Notice("the password is s3cret-word", name))
        outcome = self.outcomes.get(name, Outcome.OK)
        diff = ({"key": "mode", "before": "0600", "after": "0644", "text": None},)
        sink(ResourceDone(name, "greeting", "file", "/etc/greeting", outcome, diff if outcome != "ok" else ()))


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    return Hosts(monkeypatch)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.provision, [str(word) for word in words], catch_exceptions=False)


def web(verb: str, inventory: Path, *words: str) -> Result:
    return run(verb, "-i", inventory, "--limit", "web", "--forks", "1", *words)


# -- exit statuses


@pytest.mark.parametrize(
    ("verb", "outcome", "status"),
    [
        ("apply", Outcome.OK, 0),
        ("apply", Outcome.CHANGED, 0),
        ("apply", Outcome.PENDING, 3),
        ("apply", Outcome.FAILED, 1),
        ("apply", Outcome.UNKNOWN, 1),
        ("check", Outcome.OK, 0),
        ("check", Outcome.WOULD_CHANGE, 3),
        ("facts", Outcome.OK, 0),
    ],
)
def test_exit_status(verb: str, outcome: Outcome, status: int, inventory: Path, hosts: Hosts) -> None:
    hosts.outcomes["web2"] = outcome
    assert web(verb, inventory).exit_code == status


@pytest.mark.parametrize("verb", ["apply", "check", "facts"])
def test_an_unreachable_host_is_exit_1_and_the_others_go_on(verb: str, inventory: Path, hosts: Hosts) -> None:
    result = run(verb, "-i", inventory)
    assert result.exit_code == 1
    assert "1 host: far: no route to far; look at the cable" in result.stdout
    assert "2 ok" in result.stdout.splitlines()[-1]


def test_apply_with_check_is_check(inventory: Path, hosts: Hosts) -> None:
    hosts.outcomes["web1"] = Outcome.WOULD_CHANGE
    result = web("apply", inventory, "--check", "--diff")
    assert result.exit_code == 3
    assert result.stdout.startswith("check on 2 hosts")
    assert "    mode: 0600 -> 0644\n" in result.stdout


# -- bad input


def test_everything_that_is_wrong_comes_at_once_before_any_connection(
    inventory: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_PASSWORD")
    text = INVENTORY.replace("roles: [greeting,", "greeting: {pth: /x}\n    roles: [gretting,")
    (inventory / "hosts.yml").write_text(text)
    result = web("apply", inventory)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 3
    for part in ("'pth'", "did you mean 'greeting'?", "TEST_PASSWORD", "hosts.yml:4:"):
        assert part in result.stderr
    assert hosts.accept_new is None, "a pool was made"


def test_a_wrong_limit_comes_with_the_other_errors(inventory: Path, hosts: Hosts) -> None:
    (inventory / "hosts.yml").write_text(INVENTORY.replace("roles: [greeting,", "roles: [gretting,"))
    result = run("apply", "-i", inventory, "--limit", "webb")
    assert result.exit_code == 2
    assert "'webb'" in result.stderr
    assert "'gretting'" in result.stderr


def test_wrong_options_come_with_the_inventorys_errors(inventory: Path, hosts: Hosts) -> None:
    (inventory / "hosts.yml").write_text(INVENTORY.replace("    roles: [", "    greeting: {pth: /x}\n    roles: ["))
    words = ["--limit", "webb", "--roles", "gretting", "--set", "othr.path=/x", "--set", "other"]
    result = run("apply", "-i", inventory, *words)
    assert result.exit_code == 2
    for part in ("'webb'", "--roles: no role is called 'gretting'", "'othr'", "--set other: not ROLE.KEY", "'pth'"):
        assert part in result.stderr
    assert len(result.stderr.splitlines()) == 5


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            'docker_engine: {version: "20.10.23*"}',
            "docker_engine.version: should be present, latest or a version such as 26.1.5, without wildcards",
        ),
        (
            "docker_users: {users: {Al ice: {}}}",
            "hosts.yml:4:28: all: docker_users.users.Al ice: is no name of a user: letters, digits and _ . @ + - only",
        ),
        ("docker_users: {users: [alice]}", "docker_users.users: should be a mapping; write a mapping: alice: {}"),
        ('docker_daemon: {live_restore: "maybe"}', "docker_daemon.live_restore: should be true or false"),
    ],
)
def test_a_wrong_spelling_says_what_to_write(tmp_path: Path, settings: str, problem: str) -> None:
    role = settings.partition(":")[0]
    text = f"all:\n  vars:\n    roles: [{role}]\n    {settings}\n  hosts: {{h: }}\n"
    (tmp_path / "hosts.yml").write_text(text)
    result = run("inventory", "-i", tmp_path)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_vault_password_file_that_is_not_there_is_told(inventory: Path, hosts: Hosts) -> None:
    result = run("check", "-i", inventory, "--vault-password-file", "nowhere")
    assert result.exit_code == 2
    assert result.stderr.strip() == "--vault-password-file: there is no file nowhere; correct its path"


@pytest.mark.parametrize("files", [("first@site", "second"), ("second", "first@site")])
def test_several_vault_password_files_are_all_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text("h\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(vaults.BECOME_FILE)
    (tmp_path / "first@site").write_text(vaults.PASSWORD)
    (tmp_path / "second").write_text("another")
    options = [word for file in files for word in ("--vault-password-file", file)]
    assert run("inventory", "-i", "hosts", *options).exit_code == 0
    assert "no file nowhere" in run("inventory", "-i", "hosts", *options, "--vault-password-file", "nowhere").stderr


def test_an_inventory_without_hosts_names_its_file(inventory: Path, hosts: Hosts) -> None:
    (inventory / "hosts.yml").write_text("all: {vars: {roles: [greeting]}}\n")
    result = run("check", "-i", inventory / "hosts.yml")
    assert result.exit_code == 2
    assert result.stderr.strip() == (
        f"{inventory}/hosts.yml: this inventory names no hosts; "
        "write them under all: as in hosts: {web1.example.com: }"
    )


def test_a_public_key_is_no_private_one(inventory: Path, hosts: Hosts) -> None:
    (inventory / "id.pub").write_text("ssh-ed25519 AAAAC3 me@here\n")
    with_key = INVENTORY.replace("    roles:", "    ansible_ssh_private_key_file: id.pub\n    roles:")
    (inventory / "hosts.yml").write_text(with_key)
    result = web("check", inventory)
    assert result.exit_code == 2
    assert f"{inventory}/id.pub is a public key; name the private key: {inventory}/id" in result.stderr
    (inventory / "hosts.yml").write_text(with_key.replace("    roles:", "    ansible_connection: openssh\n    roles:"))
    assert web("check", inventory).exit_code == 0, "ssh takes it for a key of its agent"


def test_without_an_inventory(hosts: Hosts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PROVISION_INVENTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    result = run("check")
    assert result.exit_code == 2
    assert result.stderr.startswith("no inventory is named; give --inventory")


def test_the_inventory_may_come_from_the_environment(
    inventory: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    spaced = inventory.rename(inventory.parent / "two words")
    monkeypatch.setenv("PROVISION_INVENTORY", str(spaced))
    assert run("check", "--limit", "web").exit_code == 0


def test_several_inventories_are_read_as_one(inventory: Path, hosts: Hosts, tmp_path: Path) -> None:
    more = tmp_path / "more.ini"
    more.write_text("[more]\nweb1 rack=r1\nnew1\n")
    listed = run("check", "-i", inventory, "--inventory", more, "-i", "solo1,solo2", "--list-hosts").stdout.split()
    assert listed == ["solo1", "solo2", "web1", "web2", "far", "new1"]
    assert run("inventory", "-i", "solo1,", "--graph").stdout.splitlines() == [
        "@all:",
        "  |--@ungrouped:",
        "  |  |--solo1",
    ]


def test_ansible_cfg_names_the_inventory_and_the_login(
    inventory: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = tmp_path_factory.mktemp("here")
    monkeypatch.delenv("PROVISION_INVENTORY", raising=False)
    monkeypatch.chdir(here)
    text = f"[defaults]\ninventory = {inventory}\nremote_user = cfg\nforks = 3\nhost_key_checking = False\n"
    (here / "ansible.cfg").write_text(text)
    result = run("check", "--limit", "web")
    assert (result.exit_code, hosts.jobs["web1"].target.user) == (0, "cfg")
    assert result.stderr.count("host_key_checking=false is refused") == 1
    run("check", "--limit", "web", "-u", "typed")
    assert hosts.jobs["web1"].target.user == "typed"
    (here / "group_vars").mkdir()
    assert f"{here}/group_vars is not read: it lies beside no inventory" in run("check", "--limit", "web").stderr
    (here / "ansible.cfg").write_text("[defaults]\nforks = x\n")
    broken = run("check", "--limit", "web")
    assert (broken.exit_code, broken.stderr.strip()) == (2, "ansible.cfg:2:1: forks: 'x' is no number of 1 or more")


def test_all_inventories_that_are_not_there_are_told(hosts: Hosts) -> None:
    result = run("check", "-i", "./nowhere.yml", "-i", "./neither.yml")
    assert result.exit_code == 2
    assert [line.split(";")[0] for line in result.stderr.splitlines()] == [
        "the inventory './nowhere.yml' does not exist",
        "the inventory './neither.yml' does not exist",
    ]


def test_the_default_inventory(inventory: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories" / "default").symlink_to(inventory)
    monkeypatch.chdir(tmp_path)
    assert run("check", "--limit", "web").exit_code == 0


def test_a_name_means_the_users_own_inventories_first(
    inventory: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    wrong = run("check", "-i", "mine")
    assert wrong.exit_code == 2
    assert f"no inventory is called 'mine' in {here}/inventories or {ROOT}/inventories; " in wrong.stderr
    (here / "inventories").mkdir()
    (here / "inventories" / "mine").symlink_to(inventory)
    (here / "inventories" / "dgx").symlink_to(inventory)
    assert run("check", "-i", "mine", "--limit", "web").exit_code == 0
    assert run("check", "-i", "dgx", "--limit", "web").exit_code == 0
    (here / "inventories" / "default").symlink_to(inventory)
    assert run("check", "--limit", "web").exit_code == 0


@pytest.mark.parametrize(
    "words",
    [["aply"], ["apply", "--inv", "x"], ["apply", "--forks", "0"], ["check", "--check"], ["facts", "--roles", "x"],
     ["check", "--roles", ","], ["inventory", "--graph", "--host", "x"], ["inventory", "--graph", "--limit", "x"]],
)  # fmt: skip
def test_usage_errors(words: list[str]) -> None:
    assert run(*words).exit_code == 2


# -- options


def test_options_reach_their_places(inventory: Path, hosts: Hosts) -> None:
    web("apply", inventory, "--accept-new-host-keys", "--timeout", "7", "--set", "greeting.path=/x")
    assert hosts.accept_new is True
    assert hosts.limit == 7
    assert hosts.jobs["web1"].settings["greeting"].path == "/x"


def test_a_run_of_some_roles_keeps_the_daemons_contributors(inventory: Path, hosts: Hosts) -> None:
    (inventory / "roles" / "other.py").write_text("DAEMON = True\n" + ROLE)
    (inventory / "roles" / "daemonic.py").write_text("DAEMON = True\n" + ROLE)
    web("apply", inventory, "--roles", "other")
    job = hosts.jobs["web1"]
    assert [role.name for role in job.roles] == ["other", "daemonic"]
    assert job.in_run == ("other",)


def test_a_run_without_a_say_in_the_daemon_is_of_its_own_roles_alone(inventory: Path, hosts: Hosts) -> None:
    web("apply", inventory, "--roles", "greeting")
    assert [role.name for role in hosts.jobs["web1"].roles] == ["greeting"]


def test_secrets_of_targets_are_masked(inventory: Path, hosts: Hosts) -> None:
    for words in ([], ["--json"]):
        result = web("apply", inventory, *words)
        assert "the password is ********" in result.stdout
        assert "s3cret-word" not in result.output


# -- the one question


class Tty:
    """Standard input and output as a terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "dumb")
        original = CliRunner.isolation

        def isolation(runner: CliRunner, *arguments: Any, **named: Any) -> Any:
            manager = original(runner, *arguments, **named)

            class Isolated:
                def __enter__(self) -> Any:
                    found = manager.__enter__()
                    for stream in (sys.stdin, sys.stdout):
                        monkeypatch.setattr(stream, "isatty", lambda: True)
                    return found

                def __exit__(self, *error: Any) -> Any:
                    return manager.__exit__(*error)

            return Isolated()

        monkeypatch.setattr(CliRunner, "isolation", isolation)


def asked(inventory: Path, answer: str, *words: str) -> Result:
    (inventory / "hosts.yml").write_text(INVENTORY.replace("web[1:2]", "web[1:24]"))
    line = ["apply", "-i", str(inventory), "--limit", "web", *words]
    return CliRunner().invoke(cli.provision, line, input=answer)


def test_many_hosts_are_asked_for_on_a_terminal(inventory: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    Tty(monkeypatch)
    result = asked(inventory, "n\n")
    assert "apply to 24 hosts? [y/N]" in result.stderr
    assert result.exit_code != 0
    assert hosts.jobs == {}
    assert asked(inventory, "y\n").exit_code == 0
    assert len(hosts.jobs) == 24


def test_nobody_is_asked_elsewhere_or_with_yes(inventory: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "[y/N]" not in asked(inventory, "").output
    Tty(monkeypatch)
    assert "[y/N]" not in asked(inventory, "", "--yes").output
    assert "[y/N]" not in asked(inventory, "", "--check").output


# -- output


def test_json_is_all_that_is_on_standard_output(inventory: Path, hosts: Hosts) -> None:
    hosts.outcomes["web1"] = Outcome.CHANGED
    result = run("apply", "-i", inventory, "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[0]["type"] == "run-started"
    assert lines[0]["schema"] == 1
    assert lines[-1]["type"] == "summary"
    assert {name: host["outcome"] for name, host in lines[-1]["hosts"].items()} == {
        "web1": "changed", "web2": "ok", "far": "unreachable"
    }  # fmt: skip
    assert lines[-1]["outcome"] == "unreachable"


def test_ok_is_shown_only_when_asked_for(inventory: Path, hosts: Hosts) -> None:
    assert "ok greeting: file" not in web("apply", inventory).stdout
    assert "web1: ok greeting: file /etc/greeting\n" in web("apply", inventory, "-v").stdout


def test_facts(inventory: Path, hosts: Hosts) -> None:
    assert "web2  debian 12  -     -       -       systemd" in web("facts", inventory).stdout.splitlines()


# -- verbs that only read


def test_inventory_resolves_no_secret(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_PASSWORD")
    result = run("inventory", "-i", inventory)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == "web1  web1        web     greeting,other,daemonic"
    host = json.loads(run("inventory", "-i", inventory, "--limit", "far", "--json").stdout)
    assert (host["host"], host["groups"], host["roles"]) == ("far", ["all", "db"], ["greeting", "other", "daemonic"])


def test_graph(inventory: Path) -> None:
    assert run("inventory", "-i", inventory, "--graph").stdout == (
        "@all:\n  |--@ungrouped:\n  |--@web:\n  |  |--web1\n  |  |--web2\n  |--@db:\n  |  |--far\n"
    )
    tree = json.loads(run("inventory", "-i", inventory, "--graph", "--json").stdout)
    assert [child["group"] for child in tree["children"]] == ["ungrouped", "web", "db"]


def test_where_each_value_comes_from(inventory: Path) -> None:
    result = run("inventory", "-i", inventory, "--host", "web1", "--set", "greeting.path=/x")
    rows = [line.split()[:3] for line in result.stdout.splitlines()]
    assert ["greeting.path", "/x", "--set"] in rows
    assert ["greeting.text", "hello", "default"] in rows
    told = run("inventory", "-i", inventory, "--host", "web1", "--json").stdout.splitlines()
    assert {"variable", "value", "level", "origin"} < set(json.loads(told[0]))
    assert run("inventory", "-i", inventory, "--host", "web9").exit_code == 2


def test_roles_and_schema_know_the_roles_beside_the_inventory(inventory: Path) -> None:
    assert "greeting" in run("roles", "-i", inventory).stdout
    assert (
        'greeting.path: text = "/etc/greeting"\n      Where it goes.'
        in run("roles", "greeting", "-i", inventory).stdout
    )
    schema = json.loads(run("schema", "-i", inventory).stdout)
    assert "greeting" in schema["$defs"]["variables"]["properties"]
    wrong = run("roles", "-i", inventory, "greting", "nothing-like-it")
    assert wrong.exit_code == 2
    assert len(wrong.stderr.splitlines()) == 2


# -- metrics


@pytest.mark.parametrize("verb", ["apply", "check"])
def test_metrics_of_a_run_are_written(verb: str, inventory: Path, hosts: Hosts) -> None:
    path = inventory / "provision.prom"
    assert web(verb, inventory, "--metrics", str(path)).exit_code == 0
    text = path.read_text()
    assert f'provision_hosts{{verb="{verb}",outcome="ok"}} 2\n' in text
    assert f'provision_last_success_timestamp_seconds{{verb="{verb}"}} ' in text


def test_metrics_that_cannot_be_written_are_told_before_the_run_and_nothing_is_touched(
    inventory: Path, hosts: Hosts
) -> None:
    for verb in ("apply", "check", "status", "verify"):
        result = run(verb, "-i", inventory, "--metrics", "no/x.prom")
        assert (result.exit_code, result.stderr) == (2, "--metrics: there is no folder no; make it first\n"), verb
    assert not hosts.jobs


# -- help


@pytest.mark.parametrize("verb", [None, *(verb.name for verb in verbs.VERBS)])
def test_help_fits_a_screen_and_has_an_example(verb: str | None) -> None:
    text = CliRunner().invoke(cli.provision, [verb, "--help"] if verb else ["--help"], terminal_width=80).stdout
    assert len(text.splitlines()) <= 23
    assert max(map(len, text.splitlines())) <= 80
    assert "Example:" in text


@pytest.mark.parametrize("verb", verbs.VERBS, ids=lambda verb: verb.name)
def test_every_option_has_a_help_text(verb: Any) -> None:
    for option in verb.params:
        assert option.param_type_name == "argument" or option.help, option.name


@pytest.mark.parametrize("verb", ["apply", "check"])
def test_a_fault_of_a_role_is_told_before_the_first_connection(verb: str, inventory: Path, hosts: Hosts) -> None:
    (inventory / "roles" / "other.py").write_text(ROLE.replace("content=settings.text", "contents=settings.text"))
    result = web(verb, inventory)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.strip().endswith("roles/other.py:13: File has no 'contents'; did you mean 'content'?")
    assert hosts.accept_new is None, "a pool was made"


# -- Ansible's letters


def test_ansibles_letters_mean_what_they_mean_there(inventory: Path, hosts: Hosts) -> None:
    words = ["-i", inventory, "-l", "web1", "-f", "1", "-e", "greeting.path=/x", "-u", "op", "-b", "-C", "-D", "-vvv"]
    result = run("apply", *words)
    assert result.exit_code == 0, result.stderr
    job = hosts.jobs["web1"]
    assert list(hosts.jobs) == ["web1"]
    assert job.settings["greeting"].path == "/x"
    assert (job.target.user, job.target.become) == ("op", True)
    assert "ok greeting: file /etc/greeting" in result.stdout


def test_the_command_lines_login_wins_over_the_inventorys(
    inventory: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_PASSWORD")
    monkeypatch.setattr("provision.cli.hosts.asker", lambda: lambda question: f"answer to {question}")
    result = run("check", "-i", inventory, "-l", "web", "-k", "-K")
    assert result.exit_code == 0, result.stderr
    target = hosts.jobs["web2"].target
    assert target.password.reveal() == "answer to SSH password"
    assert target.become_password.reveal() == "answer to sudo password"


def test_a_wrong_user_of_the_command_line_is_told_as_such(inventory: Path, hosts: Hosts) -> None:
    result = run("check", "-i", inventory, "-u", "a b")
    assert (result.exit_code, result.stderr.strip()) == (2, "command line: ansible_user: 'a b' is no user name")


def test_list_hosts_names_them_and_touches_nothing(inventory: Path, hosts: Hosts) -> None:
    result = run("apply", "-i", inventory, "-l", "web", "--list-hosts")
    assert (result.exit_code, result.stdout) == (0, "web1\nweb2\n")
    assert hosts.accept_new is None, "a pool was made"


def test_quiet_tells_failures_and_the_summary_only(inventory: Path, hosts: Hosts) -> None:
    hosts.outcomes = {"web1": Outcome.CHANGED, "web2": Outcome.FAILED}
    lines = web("apply", inventory, "-q").stdout.splitlines()
    assert lines
    assert not [line for line in lines if "web1" in line]
    assert [line for line in lines if "web2" in line]
    assert lines[-1].startswith("2 hosts: ")


@pytest.mark.parametrize(
    ("option", "ours"),
    [("-t", "--roles"), ("--extra-vars", "--set ROLE.KEY=VALUE"), ("--private-key", "ansible_ssh_private_key_file")],
)
def test_an_option_of_ansible_names_ours(option: str, ours: str) -> None:
    result = run("apply", "-i", "x", option, "y")
    assert result.exit_code == 2
    assert f"No such option '{option}'; Ansible's is here: {ours}" in result.stderr


def test_an_option_of_ansible_inventory_names_ours() -> None:
    assert "Ansible's is here: the verb inventory, with --json" in run("inventory", "-i", "x", "--list").stderr


def test_check_says_that_it_is_ansibles_check_already(inventory: Path) -> None:
    assert "since this verb changes nothing" in run("check", "-i", inventory, "-C").stderr


@pytest.mark.parametrize("shown", [["--host", "web1"], ["--graph"]])
def test_what_is_shown_of_an_inventory_has_its_warnings(
    inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: list[str]
) -> None:
    (tmp_path / "elsewhere/group_vars").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "it lies beside no inventory" in run("inventory", "-i", inventory, *shown).stderr


def test_an_option_before_the_verb_is_told_so() -> None:
    assert "No such option '-i' before the verb" in run("-i", "x", "check").stderr


def test_version_names_what_a_run_stands_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANSIBLE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    told = run("--version").stdout
    assert told.startswith(f"provision, version {__version__}\n")
    for what in (
        f"Python {platform.python_version()}",
        "cryptography ",
        "ssh: ",
        f"ansible.cfg: {tmp_path}/ansible.cfg",
    ):
        assert what in told
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "ssh: not here" in run("--version").stdout


@pytest.mark.parametrize("number", ["many", "0", "-1", "1.5"])
def test_a_number_of_forks_that_is_none_says_what_to_write(number: str) -> None:
    result = run("check", "-i", "x", "--forks", number)
    assert result.exit_code == 2
    assert f"{number!r} is no number of 1 or more: write a number, as in --forks 32" in result.stderr


def test_workers_elsewhere_take_the_login_from_their_inventory(inventory: Path, hosts: Hosts) -> None:
    result = run("apply", "-i", inventory, "--executor", "dask+local", "-u", "op")
    assert result.exit_code == 2
    assert "--executor does not go with -u, -b, -k and -K; write ansible_user" in result.stderr


def test_kinds() -> None:
    assert "GpuProof" in run("kinds").stdout
    assert "path: text (required)" in run("kinds", "File").stdout
    assert [json.loads(line)["kind"] for line in run("kinds", "--json", "File", "Image").stdout.splitlines()] == [
        "File",
        "Image",
    ]
    wrong = run("kinds", "Fil", "Zzz")
    assert wrong.exit_code == 2
    assert "no kind is called 'Fil'; did you mean 'File'?" in wrong.stderr
    assert "no kind is called 'Zzz'" in wrong.stderr
