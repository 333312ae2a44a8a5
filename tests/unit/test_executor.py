"""`--executor`: what it names, what is refused, and what a worker makes of an order. Nothing here needs Dask to run."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from provision import inventory, role
from provision.cli import executor, hosts
from provision.cli.options import Asked
from provision.errors import InputError
from provision.rollout import order
from provision.rollout.order import Order, carry_out, said

ROLE = '''
"""A file."""
from provision import role
from provision.resources import File
from provision.secrets import Secret


class Settings(role.Settings):
    text: str = "hello"
    token: Secret | None = None


def resources(facts, settings):
    yield File(path="/etc/greeting", content=settings.text)
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An inventory of two hosts, with a role of its own."""
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "greeting.py").write_text(ROLE)
    path = tmp_path / "hosts.yml"
    path.write_text("all:\n  vars:\n    roles: [greeting]\n  hosts:\n    a:\n    b:\n")
    return path


@pytest.fixture
def ordered(site: Path) -> Callable[..., Order]:
    """The order that the controller would give for that inventory."""

    def make(**asked: object) -> Order:
        wish = Asked(inventory=(str(site),), **asked)  # type: ignore[arg-type]
        return executor._order(wish, hosts.select(wish, secrets=False), "r1")

    return make


@pytest.fixture(autouse=True)
def no_inventory_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(order.INVENTORY, raising=False)


@pytest.fixture
def dask_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "find_spec", lambda name: True)


@pytest.mark.usefixtures("dask_is_here")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dask+tls://far.example:8786", executor.Workers("tls://far.example:8786")),
        ("dask+tls://[2001:db8::1]:8786", executor.Workers("tls://[2001:db8::1]:8786")),
        ("dask://127.0.0.1:8786", executor.Workers("tcp://127.0.0.1:8786")),
        ("dask://localhost:1", executor.Workers("tcp://localhost:1")),
        ("dask://[::1]:8786", executor.Workers("tcp://[::1]:8786")),
        ("dask+local:3", executor.Workers(processes=3)),
    ],
)
def test_what_an_executor_is_called(text: str, expected: executor.Workers) -> None:
    assert executor.wanted(Asked(executor=text)) == expected


@pytest.mark.usefixtures("dask_is_here")
def test_a_local_cluster_has_a_process_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    assert executor.wanted(Asked(executor="dask+local")) == executor.Workers(processes=7)


@pytest.mark.usefixtures("dask_is_here")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dask://10.0.0.5:8786", "without TLS runs code beside your keys; give dask+tls://10.0.0.5:8786"),
        ("dask://localhost.evil.example:8786", "without TLS"),
        ("dask://127.0.0.1@evil.example:8786", "is no executor"),
        ("dask+tls://far.example", "is no executor; give dask+tls://HOST:PORT"),
        ("dask+local:0", "is no executor"),
        ("threads", "is no executor"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        executor.wanted(Asked(executor=text))
    assert words in str(caught.value)


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        executor.wanted(Asked(executor="dask+local"))
    assert "pip install 'provision[dask]'" in str(caught.value)


def test_a_run_in_threads_does_not_import_dask() -> None:
    code = "import sys, provision.cli.run_verb; sys.exit(bool({'dask', 'distributed'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


# -- orders


def test_a_worker_makes_the_same_jobs_of_an_order(ordered: Callable[..., Order]) -> None:
    found, _ = carry_out(ordered(overrides=("greeting.text=two",)))
    assert list(found) == ["a", "b"]
    assert found["a"].settings["greeting"].text == "two"  # type: ignore[attr-defined]
    assert [item.name for item in found["a"].roles] == ["greeting"]


@pytest.mark.parametrize("what", ["a setting", "a role's source", "the version", "a host that is gone"])
def test_a_worker_that_has_something_else_refuses(site: Path, ordered: Callable[..., Order], what: str) -> None:
    given = ordered()
    carry_out(given)
    text = site.read_text()
    if what == "a setting":
        site.write_text(text.replace("    a:", "    a: {greeting: {text: other}}"))
    elif what == "a role's source":
        (site.parent / "roles" / "greeting.py").write_text(ROLE.replace("/etc/greeting", "/etc/other"))
    elif what == "the version":
        given = replace(given, version="0.0.0")
    else:
        site.write_text(text.replace("    b:\n", ""))
    words = {"the version": "install the same", "a host that is gone": "has no host 'b'"}
    with pytest.raises(InputError) as caught:
        carry_out(given)
    assert words.get(what, "says something else than on the controller") in str(caught.value)


def test_a_role_that_changed_on_disk_is_loaded_anew(site: Path) -> None:
    """A worker's process outlives the roles that it has loaded."""
    path = [site.parent / "roles"]
    assert role.load("greeting", path).doc == "A file."
    (path[0] / "greeting.py").write_text(ROLE.replace("A file.", "One file."))
    assert role.load("greeting", path).doc == "One file."


def test_a_workers_inventory_may_lie_elsewhere(
    site: Path, ordered: Callable[..., Order], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site.write_text(site.read_text().replace("    a:", "    a: {ansible_ssh_private_key_file: key}"))
    (site.parent / "key").touch()
    given = ordered()
    elsewhere = tmp_path_factory.mktemp("worker")
    for name in ("hosts.yml", "key"):
        (site.parent / name).rename(elsewhere / name)
    (site.parent / "roles").rename(elsewhere / "roles")
    with pytest.raises(InputError, match=r"hosts\.yml"):
        carry_out(given)
    monkeypatch.setenv(order.INVENTORY, str(elsewhere / "hosts.yml"))
    found, _ = carry_out(given)
    assert found["a"].target.private_key_file == str(elsewhere / "key"), "each worker holds its own keys"


def test_a_worker_looks_up_secrets_itself_and_knows_what_to_mask(
    site: Path, ordered: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write_text(site.read_text().replace("    a:", "    a: {greeting: {token: !secret env:DASK_TOKEN}}"))
    monkeypatch.delenv("DASK_TOKEN", raising=False)
    given = ordered()
    with pytest.raises(InputError, match="DASK_TOKEN is not set"):
        carry_out(given)
    monkeypatch.setenv("DASK_TOKEN", "hunter2-hunter2")
    found, mask = carry_out(given)
    assert found["a"].settings["greeting"].token.reveal() == "hunter2-hunter2"  # type: ignore[attr-defined]
    assert "hunter2" not in mask.text("x hunter2-hunter2 y")
    assert "hunter2" not in repr(given)


def test_a_secret_that_is_asked_for_cannot_be_had_on_a_worker(site: Path, ordered: Callable[..., Order]) -> None:
    site.write_text(site.read_text().replace("    a:", "    a: {greeting: {token: !secret prompt}}"))
    with pytest.raises(InputError, match="there is no terminal; use env: or file:"):
        carry_out(ordered())


def test_no_secret_is_looked_up_before_the_inventory_is_the_controllers(
    site: Path, ordered: Callable[..., Order]
) -> None:
    token = site.parent / "ran"
    line = f"    a: {{greeting: {{token: !secret 'cmd:touch {token}'}}}}"
    site.write_text(site.read_text().replace("    a:", line))
    given = replace(ordered(), digest="something else")
    with pytest.raises(InputError, match="says something else"):
        carry_out(given)
    assert not token.exists()


def test_a_secret_on_the_command_line_does_not_travel(ordered: Callable[..., Order]) -> None:
    with pytest.raises(InputError, match=r"--set greeting\.token: is a secret, and tasks carry none"):
        ordered(overrides=("greeting.token=hunter2",))


def test_what_is_said_does_not_depend_on_secrets_or_key_files(site: Path) -> None:
    role_path = [site.parent / "roles"]
    found = inventory.load(str(site)).resolve(["a"], role_path=role_path)
    moved = [replace(host, target=replace(host.target, private_key_file="/elsewhere")) for host in found]
    assert said(found, role_path) == said(moved, role_path)
    other = [replace(host, target=replace(host.target, port=2222)) for host in found]
    assert said(found, role_path) != said(other, role_path)


def test_placeholders_for_secrets_hide_no_words_of_the_output(site: Path) -> None:
    site.write_text(site.read_text().replace("    a:", "    a: {greeting: {token: !secret env:DASK_TOKEN}}"))
    chosen = hosts.select(Asked(inventory=(str(site),)), secrets=False)
    assert hosts.mask(chosen.hosts).text("the name is unresolved") == "the name is unresolved"
