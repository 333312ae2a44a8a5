"""ansible.cfg and ANSIBLE_*: found where Ansible finds it, and below all that the inventory says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import inventory
from provision.errors import InputError
from provision.inventory import ansible_config
from provision.inventory.ansible_config import Config

Write = Callable[..., Path]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user stands: with a home of his own, and nothing of Ansible in the environment."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "here"


def read(environ: dict[str, str] | None = None) -> Config:
    return ansible_config.read(environ or {})


def values(config: Config) -> dict[str, Any]:
    return {name: value for level in config.levels for name, value in level.variables.items()}


def test_the_first_file_that_there_is_counts_alone(here: Path) -> None:
    def wrote(path: Path, name: str) -> Path:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"[defaults]\nremote_user = {name}\n")
        return path

    assert read() == Config()
    wrote(here.parent / "home/.ansible.cfg", "home")
    assert values(read()) == {"ansible_user": "home"}
    wrote(here / "ansible.cfg", "here")
    assert values(read()) == {"ansible_user": "here"}
    named = wrote(here.parent / "there/ansible.cfg", "there")
    for name in (str(named), str(named.parent)):
        assert values(read({"ANSIBLE_CONFIG": name})) == {"ansible_user": "there"}
    assert values(read({"ANSIBLE_CONFIG": "/no/such/file"})) == {"ansible_user": "here"}
    assert values(read({"ANSIBLE_CONFIG": "/dev/null"})) == {}


def test_a_file_where_everyone_can_write_is_not_read(here: Path) -> None:
    (here / "ansible.cfg").write_text("[defaults]\nremote_user = evil\n")
    here.chmod(0o777)
    assert values(read()) == {}
    assert read().warnings == ("ansible.cfg is not read: everyone can write in this directory",)


def test_settings_become_variables_with_their_places(here: Path) -> None:
    (here / "ansible.cfg").write_text("""[defaults]
# the fleet
remote_user = ubuntu   ; not root
private_key_file = keys/id
timeout: 7
forks = 50
inventory = hosts, ../more.yml
interpreter_python = auto_silent

[privilege_escalation]
become = True
become_method = sudo
become_ask_pass = no
[ssh_connection]
timeout = 8
ssh_args = -o ControlMaster=auto -o ProxyJump=bastion
""")
    found = read({"ANSIBLE_REMOTE_USER": "env", "ANSIBLE_REMOTE_PORT": "2222"})
    file, environment = found.levels
    assert (file.owner, environment.owner) == ("ansible.cfg", "environment")
    assert {name: (value, str(file.variables.values_at[name])) for name, value in file.variables.items()} == {
        "ansible_ssh_private_key_file": (f"{here}/keys/id", "ansible.cfg:4:1"),
        "ansible_python_interpreter": ("auto_silent", "ansible.cfg:8:1"),
        "ansible_become": (True, "ansible.cfg:11:1"),
        "ansible_become_method": ("sudo", "ansible.cfg:12:1"),
        "ansible_timeout": (8, "ansible.cfg:15:1"),
        "ansible_ssh_args": ("-o ControlMaster=auto -o ProxyJump=bastion", "ansible.cfg:16:1"),
    }
    assert {
        name: (value, str(environment.variables.values_at[name])) for name, value in environment.variables.items()
    } == {
        "ansible_user": ("env", "ANSIBLE_REMOTE_USER"),
        "ansible_port": (2222, "ANSIBLE_REMOTE_PORT"),
    }
    assert (found.forks, found.inventory) == (50, (f"{here}/hosts", f"{here.parent}/more.yml"))


def test_the_inventory_wins_under_its_older_names_too(here: Path, write: Write) -> None:
    (here / "ansible.cfg").write_text("[defaults]\nremote_user=cfg\ntimeout=7\n[privilege_escalation]\nbecome=true\n")
    folder = write(
        {"hosts.ini": "a\nb ansible_user=own\nc ansible_ssh_user=old ansible_become=no ansible_timeout='{{ 2*10 }}'\n"}
    )
    found = inventory.load(str(folder), config=read())
    hosts = {host.name: host.target for host in found.resolve(found.hosts, role_path=[])}
    assert {name: (host.user, host.become, host.connect_timeout) for name, host in hosts.items()} == {
        "a": ("cfg", True, 7),
        "b": ("own", True, 7),
        "c": ("old", False, 20),
    }
    rows = {row.variable: (row.value, row.origin, row.level) for row in found.explain("b", role_path=[])}
    assert rows["ansible_become"] == (True, "ansible.cfg:5:1", "ansible.cfg")
    assert rows["ansible_user"][0] == "own"


def test_passwords_are_files_or_asked_for(here: Path, write: Write) -> None:
    (here / "pw").write_text("from-file\n")
    (here / "ansible.cfg").write_text(
        "[defaults]\nconnection_password_file = pw\n[privilege_escalation]\nbecome_ask_pass = true\n"
    )
    folder = write({"hosts.ini": "a\n"})
    asked: list[str] = []
    found = inventory.load(str(folder), config=read())
    [host] = found.resolve(["a"], role_path=[], ask=lambda question: asked.append(question) or "typed")
    assert asked == ["sudo password"]
    assert host.target.password is not None
    assert host.target.become_password is not None
    assert (host.target.password.reveal(), host.target.become_password.reveal()) == ("from-file", "typed")


def test_where_vault_passwords_are(here: Path) -> None:
    (here / "ansible.cfg").write_text("[defaults]\nvault_password_file=~/pw\nvault_identity_list = dev@d , prod@p\n")
    assert read().vault_ids == ("dev@d", "prod@p", f"{here.parent}/home/pw")
    assert read({"ANSIBLE_VAULT_PASSWORD_FILE": "x", "ANSIBLE_ASK_VAULT_PASS": "1"}).vault_ids == (
        "dev@d",
        "prod@p",
        f"{here}/x",
        "prompt",
    )


def test_what_has_no_effect_is_told_once(here: Path) -> None:
    (here / "ansible.cfg").write_text("""[defaults]
host_key_checking = False
hash_behaviour = merge
transport = ssh
gathering = smart
stdout_callback = yaml
[inventory]
ignore_extensions = .bak
""")
    told = read({"ANSIBLE_BECOME_EXE": "doas"}).warnings
    assert len(told) == 2
    assert told[0].startswith("ansible.cfg:2:1: host_key_checking=false is refused: whoever answers")
    assert told[1] == (
        "of Ansible's settings hash_behaviour (ansible.cfg:3:1), become_exe (ANSIBLE_BECOME_EXE), "
        "ignore_extensions (ansible.cfg:8:1) have no effect here"
    )


def test_quotes_around_the_text_of_a_file_are_not_part_of_it(here: Path) -> None:
    (here / "ansible.cfg").write_text(
        "[defaults]\nremote_user = \"deploy\"\n[ssh_connection]\nssh_args = '-o A=b'\nssh_common_args = -o X='y'\n"
    )
    (level,) = read().levels
    assert (level.variables["ansible_user"], level.variables["ansible_ssh_args"]) == ("deploy", "-o A=b")
    assert level.variables["ansible_ssh_common_args"] == "-o X='y'"
    (level,) = read({"ANSIBLE_CONFIG": "/dev/null", "ANSIBLE_REMOTE_USER": "'q'"}).levels
    assert level.variables["ansible_user"] == "'q'"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[privilege_escalation]\nbecome = maybe\n", "ansible.cfg:2:1: become: should be true or false"),
        ("[defaults]\nforks = many\n", "ansible.cfg:2:1: forks: 'many' is no number of 1 or more"),
        ("remote_user = x\n", "ansible.cfg:1:1: is no line of the form KEY = VALUE, nor a [section]"),
        ("[defaults]\nforks = 1\nforks = 2\n", "ansible.cfg:3:1: forks stands twice; Ansible does not read it either"),
        ("[defaults]\n[defaults]\n", "ansible.cfg:2:1: [defaults] stands twice"),
        ("[defaults]\nx\n", "ansible.cfg:2:1: is no line of the form"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(here: Path, text: str, problem: str) -> None:
    (here / "ansible.cfg").write_text(text)
    with pytest.raises(InputError) as caught:
        read()
    assert problem in str(caught.value)


def test_a_user_to_become_that_is_not_root_is_told_at_its_line(here: Path, write: Write) -> None:
    (here / "ansible.cfg").write_text("[privilege_escalation]\nbecome=true\nbecome_user=app\n")
    with pytest.raises(InputError) as caught:
        inventory.load(str(write({"hosts.ini": "a\nb\n"})), config=read()).resolve(["a", "b"], role_path=[])
    told = "ansible.cfg:3:1: ansible.cfg (2 hosts): ansible_become_user: 'app' is not supported"
    assert str(caught.value).startswith(told)
