"""Names, paths, programs, and what ansible-inventory has to read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import inventory, shipped
from provision.errors import InputError
from provision.inventory import places

Write = Callable[..., Path]
A = "all: {hosts: {a: }}"
LISTING = {
    "_meta": {"hostvars": {"a": {"ansible_host": "10.0.0.1"}, "b": {"docker_daemon": {"mtu": 1}}}},
    "all": {"children": ["ungrouped", "web"], "vars": {"roles": ["docker_daemon"]}},
    "web": {"hosts": ["a", "b"], "vars": {"docker_daemon": {"bip": "x"}}, "children": ["inner"]},
    "inner": ["c"],
}


def program(folder: Path, answer: str, name: str = "dyn") -> str:
    file = folder / name
    folder.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{answer}\n")
    file.chmod(0o755)
    return str(file)


def error(source: str, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        inventory.load(source, **options)
    return str(caught.value)


def test_a_name_is_looked_for_in_the_folders(tmp_path: Path) -> None:
    (tmp_path / "local.yml").write_text("")
    (tmp_path / "dgx").mkdir()
    assert places.find("local", tmp_path) == tmp_path / "local.yml"
    assert places.find("dgx", tmp_path) == tmp_path / "dgx"
    assert places.find(str(tmp_path / "local.yml"), tmp_path / "no") == tmp_path / "local.yml"
    with pytest.raises(InputError, match=r"no inventory is called 'lcal' in .*; did you mean 'local'"):
        places.find("lcal", tmp_path)
    with pytest.raises(InputError, match="there are: dgx, local; or give a path"):
        places.find("zzz", tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        places.find("./zzz.yml", tmp_path)


def test_ones_own_inventory_wins_over_a_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert places.find("dgx") == shipped.INVENTORIES / "dgx.yml"
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories" / "dgx.yml").write_text("")
    assert places.find("dgx").resolve() == tmp_path / "inventories" / "dgx.yml"


def test_a_file_has_the_variables_beside_it(write: Write) -> None:
    folder = write({"prod.yml": "all: {hosts: {a: }}", "host_vars/a.yml": "ansible_port: 1", "test.yml": "["})
    found = inventory.load(str(folder / "prod.yml"))
    assert found.resolve(["a"], role_path=[])[0].target.port == 1
    assert found.directory == folder


def test_a_directory_with_one_inventory_of_another_name(write: Write) -> None:
    assert inventory.load(str(write({"ansible_inventory.yml": "all: {hosts: {a: }}"}))).hosts == ("a",)


def test_bare_hosts_before_a_section_are_an_inventory(write: Write) -> None:
    folder = write({"hosts": "[web]\nw1\n", "10-more": "# more\nw1 v=more\nw2\n\n[db]\nd1\n"})
    found = inventory.load(str(folder))
    assert set(found.hosts) == {"w1", "w2", "d1"}
    assert (found.variable("w1", "v"), found.members("db")) == ("more", ("d1",))


@pytest.mark.parametrize("name", ["inventory", "inventory.ini", "hosts.ini", "staging", "01-web.ini"])
def test_a_directory_with_one_ini_inventory_of_any_name(write: Write, name: str) -> None:
    assert inventory.load(str(write({name: "[web]\na\n"}))).hosts == ("a",)


@pytest.mark.parametrize(
    ("files", "values"),
    [
        ({"group_vars/g/a.yml": "a: dir", "group_vars/g.yml": "{a: file, b: file}"}, {"a": "dir"}),
        ({"group_vars/g.yml": "a: yml", "group_vars/g.yaml": "{a: yaml, b: yaml}"}, {"a": "yml"}),
        ({"group_vars/g.yaml": "a: yaml", "group_vars/g.json": '{"b": 1}'}, {"a": "yaml"}),
        ({"group_vars/g/a": "a: 1", "group_vars/g/a~": "a: old"}, {"a": 1}),
        ({"group_vars/g/a": "a: 1", "group_vars/g/.git/config": "[core]\n\tx = 1"}, {"a": 1}),
        ({"group_vars/g/a": "a: 1", "group_vars/g/x.d/b": "[", "group_vars/g/x/b.yml": "b: 2"}, {"a": 1, "b": 2}),
        ({"host_vars/h/a.yml": "a: dir", "host_vars/h.yaml": "{a: file, b: file}"}, {"a": "dir"}),
    ],
)
def test_which_files_of_variables_count(write: Write, files: dict[str, str | bytes], values: dict[str, Any]) -> None:
    found = inventory.load(str(write({"hosts.yml": "g: {hosts: {h: }}", **files})))
    assert {name: value for name in "ab" if (value := found.variable("h", name)) is not None} == values


def test_a_file_of_variables_that_another_hides_is_told(write: Write) -> None:
    folder = write({"hosts.yml": "g: {hosts: {h: }}", "group_vars/g/a.yml": "", "group_vars/g.yml": "a: 1"})
    told = [text.replace(f"{folder}/", "") for text in inventory.load(str(folder)).warnings]
    assert told == ["group_vars/g.yml is not read: group_vars/g is"]


def test_links_of_variable_folders_are_followed(write: Write) -> None:
    folder = write({"hosts.yml": "g: {hosts: {h: }}", "shared/a.yml": "a: 1", "group_vars/g/b.yml": "b: 2"})
    shared = folder.parent / "shared"
    (folder / "shared").rename(shared)
    (folder / "group_vars/g/sub").symlink_to(shared)
    found = inventory.load(str(folder))
    assert (found.variable("h", "a"), found.variable("h", "b")) == (1, 2)
    (shared / "again").symlink_to(folder / "group_vars/g")
    assert "group_vars/g/sub/again: this link leads back to a folder that holds it" in error(str(folder))


def test_a_program_answers_list(tmp_path: Path, roles: list[Path]) -> None:
    source = program(tmp_path / "p", f"test \"$1\" = --list && echo '{json.dumps(LISTING)}'")
    (tmp_path / "p/group_vars").mkdir()
    (tmp_path / "p/group_vars/inner.yml").write_text("docker_daemon: {bip: file}")
    found = inventory.load(source)
    assert found.hosts == ("a", "b", "c")
    assert found.members("inner") == ("c",)
    hosts = found.resolve(["a", "c"], role_path=roles)
    settings: Any = [host.settings["docker_daemon"] for host in hosts]
    assert [one.bip for one in settings] == ["x", "file"]
    assert hosts[0].target.address == "10.0.0.1"
    with pytest.raises(InputError, match=r"p/dyn: host b: docker_daemon.mtu: should be greater"):
        found.resolve(["b"], role_path=roles)


def test_an_old_program_is_asked_for_each_host(tmp_path: Path) -> None:
    answer = 'case $1 in --list) echo \'{"web": ["a"]}\';; --host) echo "{\\"ansible_user\\": \\"u$2\\"}";; esac'
    found = inventory.load(program(tmp_path / "p", answer))
    assert found.resolve(["a"], role_path=[])[0].target.user == "ua"


def test_the_same_mistake_in_every_hosts_variables_is_one(tmp_path: Path, roles: list[Path]) -> None:
    hostvars = {f"h{n}": {"roles": ["docker_daemon"], "docker_daemon": {"mtu": 1}} for n in range(100)}
    found = inventory.load(program(tmp_path / "p", f"echo '{json.dumps({'_meta': {'hostvars': hostvars}})}'"))
    with pytest.raises(InputError) as caught:
        found.resolve(found.hosts, role_path=roles)
    assert len(caught.value.problems) == 1
    assert "host h0 and 99 more: docker_daemon.mtu" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("echo no", "--list does not print JSON"),
        ("echo []", "--list must print a JSON object of groups"),
        ("echo bad >&2; exit 7", "ended with status 7: bad"),
        ("echo '{\"a\": 1}'", "group a must be an object"),
        ('echo \'{"a": {"hosts": "b"}}\'', "group a must be an object"),
        ('echo \'{"a": {"hosts": ["b c"]}}\'', "'b c' cannot be the name of a host"),
        ('echo \'{"a": {"hosts": [1]}}\'', "the name of a host must be text"),
        ('echo \'{"a": [], "a": []}\'', "duplicate key 'a'"),
        ('echo \'{"_meta": {"hostvars": {"a": []}}}\'', "the variables of host a must be an object"),
        ("echo '{\"_meta\": []}'; exit 0", ""),
        ("printf '\\377'", "not UTF-8"),
        ('echo \'{"a": {"children": ["b"]}, "b": {"children": ["a"]}}\'', "groups hold one another"),
    ],
)
def test_programs_that_answer_nonsense(tmp_path: Path, answer: str, problem: str) -> None:
    source = program(tmp_path / "p", answer)
    if problem:
        assert problem in error(source)
    else:
        assert inventory.load(source).hosts == ()


def test_a_program_in_an_inventory_that_has_an_interpreter_missing(tmp_path: Path) -> None:
    file = tmp_path / "dyn"
    file.write_text("#!/no/such/interpreter\n")
    file.chmod(0o755)
    assert "does not run: No such file or directory" in error(str(file))


def test_no_exec_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "ran"
    assert "--no-exec forbids to run it" in error(program(tmp_path / "p", f"touch {mark}"), no_exec=True)
    ini = tmp_path / "hosts.toml"
    ini.write_text("[web.hosts.a]\n")
    program(tmp_path / "bin", f"touch {mark}", "ansible-inventory")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert "--no-exec forbids to run it" in error(str(ini), no_exec=True)
    assert not mark.exists()


def test_yaml_that_happens_to_be_executable_is_read_and_not_run(write: Write) -> None:
    folder = write({"hosts.yml": "all: {hosts: {a: }}"})
    (folder / "hosts.yml").chmod(0o755)
    assert inventory.load(str(folder), no_exec=True).hosts == ("a",)


@pytest.mark.parametrize(("name", "text"), [("hosts.toml", "[web.hosts.a]"), ("aws.yml", "plugin: amazon.aws.aws_ec2")])
def test_what_ansible_has_to_read(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    folder = write({name: text})
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    told = error(str(folder / name))
    assert "read through ansible-inventory, which is not installed here; install ansible-core" in told
    arguments = tmp_path / "arguments"
    program(tmp_path / "bin", f"echo \"$@\" >{arguments}; echo '{json.dumps(LISTING)}'", "ansible-inventory")
    assert inventory.load(str(folder / name)).hosts == ("a", "b", "c")
    assert arguments.read_text() == f"-i {folder / name} --list --export\n"
    password = tmp_path / "pw"
    inventory.load(str(folder / name), vault_password_file=password)
    assert arguments.read_text() == f"-i {folder / name} --list --export --vault-id default@{password}\n"


def test_with_a_plugin_ansible_reads_all_inventories_but_no_variable_files(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(
        {"hosts": "[x]\nx1\n", "z.yml": "plugin: constructed", "key": "-----BEGIN", "group_vars/web.yml": "v: file"}
    )
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    arguments = tmp_path / "arguments"
    answer = f'echo "$@" "vars=$ANSIBLE_VARS_ENABLED." >{arguments}; echo \'{json.dumps(LISTING)}\''
    program(tmp_path / "bin", answer, "ansible-inventory")
    found = inventory.load(str(folder))
    assert arguments.read_text() == f"-i {folder}/hosts -i {folder}/z.yml --list --export vars=.\n"
    assert (found.hosts, found.variable("a", "v")) == (("a", "b", "c"), "file")


def test_a_plugin_that_wants_the_files_of_variables_is_refused(write: Write) -> None:
    folder = write({"hosts": "a\n", "z.yml": "plugin: constructed\nuse_vars_plugins: true\n"})
    told = "z.yml:2:1: use_vars_plugins: files of group_vars and host_vars are not given to plugins here; write what"
    assert told in error(str(folder))


def test_json_is_yaml(write: Write) -> None:
    text = json.dumps({"all": {"hosts": {"a": {"ansible_port": 22}}}}, indent="\t")
    assert inventory.load(str(write({"x.json": text}) / "x.json")).hosts == ("a",)
