"""Where no lab hosts can be made, the tests on hosts are skipped with the reason; in CI that is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import machine

ROOT = Path(__file__).parents[2]
TEST = """
import pytest
pytestmark = pytest.mark.lab

@pytest.fixture(scope="module")
def lab():
    raise PermissionError("a lab was made")

def test_on_hosts(lab):
    pass
"""
REFUSED = "tests.lab.machine.lacking = lambda: 'the lab needs root: run it as root'"


def test_an_ordinary_user_lacks_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert machine.lacking() == "the lab starts containers of its own: run it as root"


def test_a_machine_without_apt_lacks_what_it_cannot_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine, "capable", lambda: True)
    monkeypatch.setattr(machine, "_installed", lambda tool: tool not in ("dockerd", "ip", "apt-get"))
    assert machine.lacking() == "the lab needs docker.io, iproute2, and there is no apt-get here: install them"


def test_a_container_without_the_capability_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine, "capable", lambda: False)
    assert "CAP_SYS_ADMIN" in str(machine.lacking())


@pytest.mark.parametrize(("capabilities", "able"), [("000001ffffffffff", True), ("00000000a80425fb", False)])
def test_capabilities_are_read_from_the_kernel(tmp_path: Path, capabilities: str, able: bool) -> None:
    (tmp_path / "status").write_text(f"Name:\tx\nCapEff:\t{capabilities}\nCapBnd:\t{capabilities}\n")
    assert machine.capable(tmp_path / "status") is able


@pytest.mark.parametrize(("ci", "status", "said"), [("", 0, "1 skipped"), ("true", 1, "1 error")])
def test_tests_on_hosts_say_why_they_did_not_run(tmp_path: Path, ci: str, status: int, said: str) -> None:
    (tmp_path / "test_hosts.py").write_text(TEST)
    code = f"import tests.lab.machine, pytest, sys; {REFUSED}; sys.exit(pytest.main(sys.argv[1:]))"
    words = ["-q", "-p", "tests.e2e.conftest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    options = ["-c", os.devnull, "-o", "markers=lab", "-ra"]
    argv = [sys.executable, "-c", code, *options, *words]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout
    assert said in done.stdout
    assert "the lab needs root: run it as root" in done.stdout
    assert "a lab was made" not in done.stdout


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_molecule_asks_the_lab_first(ci: str, status: int) -> None:
    code = (
        f"import tests.lab.machine, sys; {REFUSED}; from tests.lab.__main__ import main; sys.exit(main(['possible']))"
    )
    environment = {**os.environ, "CI": ci}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "the lab needs root: run it as root" in done.stderr
    assert done.returncode == (1 if status else 3)


@pytest.mark.parametrize("stage", ["unit", "agent"])
def test_make_hands_arguments_on(stage: str) -> None:
    words = ["make", "--dry-run", "--old-file=.venv/.installed", stage, "ARGS=-k some_name"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "-k some_name" in done.stdout
