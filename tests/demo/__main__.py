"""Shows the main job: three bare hosts get Docker, a second run changes nothing, drift is found and repaired.

Each step prints the command it runs. KEEP=1 in the environment leaves the hosts up for a look around.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.lab import HostSpec, Lab

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / ".lab" / "demo"
HOSTS = (HostSpec("web1", "bookworm"), HostSpec("web2", "bookworm"), HostSpec("web3", "trixie"))


def say(text: str) -> None:
    print(f"demo: {text}", flush=True)


def provision(verb: str, *options: str) -> int:
    """Run the program as a user would, and show how it was called and how it ended."""
    words = ["./provision.py", verb, "--inventory", str(DIRECTORY.relative_to(ROOT)), *options]
    print(f"\n$ {' '.join(words)}", flush=True)
    status = subprocess.run([sys.executable, *words], cwd=ROOT, check=False).returncode
    print(f"(exit status {status})", flush=True)
    return status


def expect(what: str, status: int, wanted: int) -> None:
    if status != wanted:
        say(f"{what} ended with {status}, expected {wanted}: the hosts are left up; see `python3 -m tests.lab status`")
        sys.exit(1)


def show(lab: Lab) -> None:
    """Read from the hosts themselves, not from the tool."""
    for host in lab.hosts:
        version = host.run(["docker", "version", "--format", "{{.Server.Version}}"]).stdout.strip()
        address = host.run("ip -4 -o addr show docker0").stdout.split()[3]
        say(f"{host.name} itself says: Docker {version}, docker0 has {address}")


def main() -> None:
    say("bringing up three bare hosts (systemd, sshd, no Docker); the first time this makes their images")
    lab = Lab.up("demo", HOSTS, DIRECTORY, say)
    settings = DIRECTORY / "group_vars" / "all.yml"
    settings.parent.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).with_name("settings.yml"), settings)

    say(f"what is asked of them stands in {settings.relative_to(ROOT)}")
    expect("check on bare hosts", provision("check"), 3)
    say("`check` changed nothing, and says by its exit status 3 that there is something to do")
    expect("apply", provision("apply"), 0)
    show(lab)

    say("again: nothing is to be changed")
    expect("the second apply", provision("apply"), 0)

    say("now web2 is broken by hand: another bip in daemon.json, and Docker stopped")
    lab.host("web2").run(
        "sed -i 's/192.168.127.1/192.168.99.1/' /etc/docker/daemon.json && systemctl stop docker.service docker.socket"
    )
    expect("check after drift", provision("check", "--diff"), 3)
    expect("apply after drift", provision("apply"), 0)
    expect("check at the end", provision("check"), 0)

    if os.environ.get("KEEP"):
        say(f"the hosts stay up: ssh -F {DIRECTORY.relative_to(ROOT)}/ssh_config web1; `make demo-down` removes them")
        return
    lab.down()
    say("the hosts are gone; `make demo KEEP=1` keeps them, `make demo-down` removes the lab's engine and network too")


if __name__ == "__main__":
    main()
