"""Names, paths, directories, programs, and what ansible-inventory has to read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import inventory, shipped
from provision.errors import InputError
from provision.inventory import sources

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
    assert sources.find("local", tmp_path) == tmp_path / "local.yml"
    assert sources.find("dgx", tmp_path) == tmp_path / "dgx"
    assert sources.find(str(tmp_path / "local.yml"), tmp_path / "no") == tmp_path / "local.yml"
    with pytest.raises(InputError, match=r"no inventory is called 'lcal' in .*; did you mean 'local'"):
        sources.find("lcal", tmp_path)
    with pytest.raises(InputError, match="there are: dgx, local; or give a path"):
        sources.find("zzz", tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        sources.find("./zzz.yml", tmp_path)


def test_ones_own_inventory_wins_over_a_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sources.find("dgx") == shipped.INVENTORIES / "dgx.yml"
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories" / "dgx.yml").write_text("")
    assert sources.find("dgx").resolve() == tmp_path / "inventories" / "dgx.yml"


def test_a_file_has_the_variables_beside_it(write: Write) -> None:
    folder = write({"prod.yml": "all: {hosts: {a: }}", "host_vars/a.yml": "ansible_port: 1", "test.yml": "["})
    found = inventory.load(str(folder / "prod.yml"))
    assert found.resolve(["a"], role_path=[])[0].target.port == 1
    assert found.directory == folder


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"readme": "x"}, "holds no hosts.yml"),
        ({"hosts.yml": "all:", "hosts.yaml": "all:"}, "holds hosts.yml and hosts.yaml; keep one of them"),
        (
            {"hosts.yml": "all: {hosts: {a: }}", "group_vars/all.yml": "[a]"},
            "group_vars/all.yml:1:1: a file of variables",
        ),
        (
            {"hosts.yml": "all: {hosts: {a: }}", "host_vars/a.yml": "x: 01"},
            "host_vars/a.yml:1:4: 01 has a leading zero",
        ),
        ({"hosts.yml": b"\xff\xfeall:"}, "is UTF-16"),
        ({"hosts.yml": "\t"}, "hosts.yml:1:1: a tab"),
    ],
)
def test_directories_that_cannot_be_read(write: Write, files: dict[str, str | bytes], problem: str) -> None:
    assert problem in error(str(write(files)))


def test_mistakes_of_all_files_at_once(write: Write) -> None:
    text = error(
        str(
            write({"hosts.yml": "all: {hosts: {a: }}", "group_vars/all.yml": "a: 01", "host_vars/a.yml": "b: 02\nb: 3"})
        )
    )
    assert len(text.splitlines()) == 3


def test_odd_directories_are_warned_about(write: Write) -> None:
    folder = write(
        {
            "hosts.yml": "all: {hosts: {web: }, children: {dgx: , web: }}",
            "more.yml": "",
            "group_vars/dgxx.yml": "a: 1",
            "group_vars/other_inventory.yml": "a: 1",
        }
    )
    warnings = "\n".join(inventory.load(str(folder)).warnings).replace(f"{folder}/", "")
    assert "more.yml is not read: the inventory is hosts.yml" in warnings
    assert "group_vars/dgxx.yml belongs to no group: did you mean dgx?" in warnings
    assert "web is the name of a group and of a host" in warnings
    assert "other_inventory" not in warnings


def test_a_directory_with_one_inventory_of_another_name(write: Write) -> None:
    assert inventory.load(str(write({"ansible_inventory.yml": "all: {hosts: {a: }}"}))).hosts == ("a",)


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
    ini = tmp_path / "hosts.ini"
    ini.write_text("[web]\na\n")
    program(tmp_path / "bin", f"touch {mark}", "ansible-inventory")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert "--no-exec forbids to run it" in error(str(ini), no_exec=True)
    assert not mark.exists()


def test_yaml_that_happens_to_be_executable_is_read_and_not_run(write: Write) -> None:
    folder = write({"hosts.yml": "all: {hosts: {a: }}"})
    (folder / "hosts.yml").chmod(0o755)
    assert inventory.load(str(folder), no_exec=True).hosts == ("a",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hosts.ini", "a"),
        ("hosts", "[web]\na ansible_host=1\n"),
        ("hosts", "a\n"),
        ("aws.yml", "plugin: amazon.aws.aws_ec2"),
    ],
)
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


def test_json_is_yaml(write: Write) -> None:
    text = json.dumps({"all": {"hosts": {"a": {"ansible_port": 22}}}}, indent="\t")
    assert inventory.load(str(write({"x.json": text}) / "x.json")).hosts == ("a",)
