"""The program as a process: start-up, signals, pipes, and a real run against this machine that writes nothing."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

ROOT = Path(__file__).parents[2]
ROLE = '''
"""A greeting."""
from provision import role
from provision.resources import File

class Settings(role.Settings):
    path: str

def resources(facts, settings):
    yield File(path=settings.path, content="hello\\n")
'''


class Start(Protocol):
    def __call__(self, *words: str | Path, stdout: Any = subprocess.PIPE) -> "subprocess.Popen[str]": ...


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the program; what still runs at the end of the test is ended."""
    with contextlib.ExitStack() as stack:

        def run(*words: str | Path, stdout: Any = subprocess.PIPE) -> "subprocess.Popen[str]":
            argv = [sys.executable, str(ROOT / "provision.py"), *map(str, words)]
            process = stack.enter_context(
                subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            return process

        yield run


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """This machine, asked to have a file that it does not have."""
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "greeting.py").write_text(ROLE)
    (tmp_path / "hosts.yml").write_text(
        f"all: {{hosts: {{here: {{ansible_connection: local, roles: [greeting],"
        f" greeting: {{path: {tmp_path}/greeting}}}}}}}}\n"
    )
    return tmp_path


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Path]:
    """A host whose port accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        variables = f"ansible_host: 127.0.0.1, ansible_port: {port}, ansible_timeout: 2, roles: [docker_users]"
        (tmp_path / "hosts.yml").write_text(f"all:\n  hosts:\n    silent[1:2]: {{{variables}}}\n")
        yield tmp_path


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, provision.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"fabric", "paramiko", "pydantic", "rich", "yaml", "jinja2", "cryptography", "asyncio"}


def test_listing_hosts_imports_nothing_for_runs(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[web]\nw1 rack=1\n")
    code = (
        "import sys, provision.cli\n"
        f"sys.argv[1:] = ['inventory', '-i', '{tmp_path}/hosts', '--json']\n"
        "try: provision.cli.main()\n"
        "finally: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    host, modules = done.stdout.splitlines()
    assert json.loads(host)["groups"] == ["all", "web"]
    heavy = {"pydantic", "jinja2", "paramiko", "rich", "provision.rollout", "provision.events", "provision.role"}
    assert not heavy & set(modules.split())


def test_facts_of_this_machine(start: Start, here: Path) -> None:
    status, out, err = ended(start("facts", "-i", here, "--json"))
    assert (status, err) == (0, "")
    events = [json.loads(line) for line in out.splitlines()]
    facts = next(event["facts"] for event in events if event["type"] == "facts")
    assert facts["kernel"] == os.uname().release


@pytest.mark.skipif(os.geteuid() != 0, reason="the agent asks for root")
def test_check_of_this_machine_finds_the_difference_and_writes_nothing(start: Start, here: Path) -> None:
    status, out, _ = ended(start("check", "-i", here, "--diff"))
    assert status == 3
    assert f"here: would-change greeting: file {here}/greeting (content, " in out
    assert "    +hello\n" in out
    assert out.splitlines()[-1].startswith("1 host: 0 ok, 1 would-change in ")
    assert not (here / "greeting").exists()


def wait_for(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if text in line:
            return read
    raise AssertionError(read)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_what_is_in_hand_and_starts_no_more(
    start: Start, silent: Path, number: signal.Signals
) -> None:
    process = start("check", "-v", "-i", silent, "--forks", "1")
    wait_for(process, "silent1: started")
    process.send_signal(number)
    status, out, err = ended(process)
    assert status == 130
    assert "ending the steps in hand; press Ctrl-C again to stop at once\n" in out
    assert "silent2: started" not in out
    assert "1 host: silent2: not started" in out
    assert "Traceback" not in out + err


def test_the_second_signal_stops_at_once(start: Start, silent: Path) -> None:
    process = start("check", "-v", "-i", silent, "--forks", "1")
    wait_for(process, "silent1: started")
    process.send_signal(signal.SIGINT)
    wait_for(process, "press Ctrl-C again")
    process.send_signal(signal.SIGINT)
    status, out, err = ended(process)
    assert (status, out, err) == (130, "", "")


def test_a_reader_that_goes_away_ends_the_run_quietly(start: Start, silent: Path) -> None:
    process = start("facts", "-i", silent, "--forks", "1")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 130


def test_a_full_disk_is_told(start: Start, here: Path) -> None:
    with open("/dev/full", "w") as full:
        status, _, err = ended(start("facts", "-i", here, stdout=full))
    assert (status, err) == (1, "the output is incomplete: No space left on device\n")


def test_bad_input_is_one_line_a_problem_and_no_traceback(start: Start, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all:\n\thosts: {}\n")
    status, out, err = ended(start("apply", "-i", tmp_path))
    assert (status, out) == (2, "")
    assert "hosts.yml:2:1: " in err
    assert len(err.splitlines()) == 1


def test_verify_writes_metrics_and_a_page(start: Start, here: Path) -> None:
    (here / "tests").mkdir()
    (here / "tests" / "test_greeting.py").write_text("def test_it_is_there() -> None:\n    assert False\n")
    hosts = here / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("roles:", "verify_tests: tests, roles:"))
    page = here / "page.html"
    status, _, err = ended(start("verify", "-i", here, "--metrics", here / "provision.prom", "--report", page))
    assert "<title>provision verify " in page.read_text()
    text = (here / "provision.prom").read_text()
    assert (status, err) == (1, "")
    assert 'provision_hosts{verb="verify",outcome="failed"} 1\n' in text
    assert "provision_last_success_timestamp_seconds" not in text
    (here / "tests" / "test_greeting.py").write_text("nonsense\n")
    assert ended(start("verify", "-i", here, "--metrics", here / "other.prom"))[0] == 2
    assert not (here / "other.prom").exists()


@pytest.fixture
def another(tmp_path: Path) -> Path:
    """The Python of a virtual environment that has nothing of ours."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "other")], check=True)
    return tmp_path / "other" / "bin" / "python"


def test_another_active_environment_does_not_matter(another: Path) -> None:
    words = [str(another), str(ROOT / "provision.py"), "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("provision, version ")


def test_without_an_environment_of_our_own_the_advice_is_to_make_it(another: Path, tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "provision.py").write_bytes((ROOT / "provision.py").read_bytes())
    (tmp_path / "clone" / "provision").symlink_to(ROOT / "provision")
    words = [str(another), str(tmp_path / "clone" / "provision.py"), "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"No module named 'click' for {another}; run `make setup` in {tmp_path}/clone, which makes .venv"
    )


def test_an_environment_that_lacks_modules_is_made_anew(another: Path, tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "provision.py").write_bytes((ROOT / "provision.py").read_bytes())
    (tmp_path / "clone" / "provision").symlink_to(ROOT / "provision")
    (tmp_path / "other").rename(tmp_path / "clone" / ".venv")
    words = [sys.executable, str(tmp_path / "clone" / "provision.py"), "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert f"; remove {tmp_path}/clone/.venv, then run `make setup` in {tmp_path}/clone" in done.stderr
