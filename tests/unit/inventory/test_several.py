"""Several inventories are one, in their order; lists of hosts; programs that lie in a directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import inventory
from provision.errors import InputError

Write = Callable[..., Path]


def test_group_vars_of_a_later_inventory_beat_those_of_deeper_groups(write: Write) -> None:
    folder = write(
        {
            "a/hosts.yml": "web: {hosts: {h: {u: host}}, children: {low: {hosts: {h: }}}, vars: {v: in, t: in}}",
            "a/group_vars/all.yml": "{v: all-a, w: all-a, x: all-a}",
            "a/group_vars/low.yml": "{v: low-a, w: low-a}",
            "a/host_vars/h.yml": "{u: file-a, s: file-a}",
            "b/hosts.ini": "[web]\nh u=late\n[other]\no\n",
            "b/group_vars/all.yml": "{x: all-b, w: all-b}",
            "b/group_vars/web.yml": "v: web-b",
            "b/host_vars/h.yml": "s: file-b",
        }
    )
    found = inventory.load(str(folder / "a"), str(folder / "b"))
    assert found.hosts == ("h", "o")
    values = {name: found.variable("h", name) for name in "stuvwx"}
    assert values == {"s": "file-b", "t": "in", "u": "file-a", "v": "web-b", "w": "low-a", "x": "all-b"}
    turned = inventory.load(str(folder / "b"), str(folder / "a"))
    assert [turned.variable("h", name) for name in "vx"] == ["low-a", "all-a"]


def test_two_files_of_one_directory_and_an_inventory_between_them(write: Write) -> None:
    folder = write(
        {
            "a/one.ini": "h\n",
            "a/two.ini": "i\n",
            "a/group_vars/all.yml": "v: a",
            "b/hosts.ini": "h\n",
            "b/group_vars/all.yml": "v: b",
        }
    )
    named = [str(folder / name) for name in ("a/one.ini", "b/hosts.ini", "a/two.ini")]
    assert inventory.load(*named).variable("h", "v") == "a"
    assert inventory.load(*named[:2]).variable("h", "v") == "b"


def test_hosts_may_be_named_on_the_command_line(write: Write) -> None:
    folder = write({"hosts.ini": "[web]\nw1\n", "group_vars/all.yml": "ansible_user: u"})
    found = inventory.load("w1, new:2222,[2001:db8::1]:22,", str(folder))
    assert found.hosts == ("new", "2001:db8::1", "w1")
    assert found.members("ungrouped") == ("new", "2001:db8::1")
    targets = {host.name: (host.target.port, host.target.user) for host in found.resolve(found.hosts, role_path=[])}
    assert targets == {"new": (2222, "u"), "2001:db8::1": (22, "u"), "w1": (None, "u")}
    for wrong, problem in [("w[1:3],", "-i w[1:3],: w[1:3] is a range"), ("a b,", "cannot be the name of a host")]:
        with pytest.raises(InputError) as caught:
            inventory.load(wrong)
        assert problem in str(caught.value)


def test_what_is_relative_counts_from_its_own_inventory(write: Write, roles: list[Path]) -> None:
    secret = "registry_login: {token: !secret file:pw}"
    login = f"all: {{vars: {{roles: [registry_login], {secret}}}, hosts: {{a: }}}}"
    folder = write(
        {
            "a/hosts.yml": login,
            "a/pw": "one",
            "b/hosts.yml": f"g: {{vars: {{{secret}}}, hosts: {{b: {{ansible_private_key_file: key}}}}}}",
            "b/pw": "two",
            "b/key": "-----BEGIN",
        }
    )
    found = inventory.load(str(folder / "a"), str(folder / "b"))
    hosts: dict[str, Any] = {host.name: host for host in found.resolve(found.hosts, role_path=roles)}
    tokens = {name: host.settings["registry_login"].token.reveal() for name, host in hosts.items()}
    assert tokens == {"a": "one", "b": "two"}
    assert hosts["b"].target.private_key_file == str(folder / "b/key")


HOOK = "#!/bin/sh\nscontrol update nodename=x state=drain\ntouch {mark}\n"


@pytest.mark.parametrize("where", ["drain", "hooks/drain.sh"])
def test_a_program_beside_the_inventory_that_is_none_is_never_run(write: Write, tmp_path: Path, where: str) -> None:
    mark = tmp_path / "ran"
    folder = write({"hosts.yml": "all: {hosts: {a: }}", where: HOOK.format(mark=mark)})
    (folder / where).chmod(0o755)
    with pytest.raises(InputError) as caught:
        inventory.load(str(folder))
    assert str(caught.value) == (
        f"{folder}/{where}: is a program that knows no --list, so no inventory, and is not run; move it elsewhere, or "
        "into a folder whose name begins with a dot; if it is an inventory, name it with -i"
    )
    assert not mark.exists()
    (folder / where).rename(folder / ".drain")
    assert inventory.load(str(folder)).hosts == ("a",)


def test_a_program_that_hands_on_its_arguments_is_run_when_it_is_named(write: Write) -> None:
    folder = write({"hosts.yml": "all: {hosts: {a: }}", "real": '#!/bin/sh\necho \'{"g": ["b"]}\' # --list --host\n'})
    (folder / "real").rename(folder / ".real")
    (folder / "wrapper").write_text(f'#!/bin/sh\nexec {folder}/.real "$@"\n')
    for name in (".real", "wrapper"):
        (folder / name).chmod(0o755)
    assert inventory.load(str(folder / "wrapper")).hosts == ("b",)
    assert inventory.load(str(folder), str(folder / "wrapper")).hosts == ("a", "b")


def test_a_program_of_a_directory_runs_where_the_user_stands(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = '#!/bin/sh\ntest "$1" = --list && echo "{\\"g\\": [\\"$(basename $PWD)\\"], \\"_meta\\": {}}"\n'
    folder = write({"hosts.yml": "all: {hosts: {a: }}", "dyn": script})
    (folder / "dyn").chmod(0o755)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert inventory.load(str(folder)).hosts == ("a", "here")
