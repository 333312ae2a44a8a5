"""The lab by hand: `python3 -m tests.lab up NAME --hosts bookworm bookworm trixie --directory DIR`.

Law: only this file of the lab prints and exits. Every verb can be run again.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.lab import engine, image, machine
from tests.lab.image import HostSpec
from tests.lab.lab import Lab, down_all
from tests.lab.machine import cache, program
from tests.lab.processes import LabError

HOSTS_HELP = "one host each: [NAME=]RELEASE[:PYTHON], as in bookworm, db=trixie, bullseye:nopython"


def main(words: list[str] | None = None) -> int:
    arguments = _parser().parse_args(words)
    try:
        code: int = arguments.verb(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tests.lab", description="Throwaway hosts: systemd, sshd.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    up = verbs.add_parser("up", help="bring a lab up (anew, if it is up) and write key, inventory, ssh_config")
    up.add_argument("name")
    up.add_argument("--hosts", nargs="+", required=True, metavar="HOST", help=HOSTS_HELP)
    up.add_argument("--directory", type=Path, required=True)
    up.set_defaults(verb=_up)

    down = verbs.add_parser("down", help="take a lab down, or with --all everything the lab set up here")
    down.add_argument("name", nargs="?")
    down.add_argument("--all", action="store_true")
    down.set_defaults(verb=_down)

    status = verbs.add_parser("status", help="what is up")
    status.set_defaults(verb=_status)

    run = verbs.add_parser("exec", help="run a command as root at a host's console")
    run.add_argument("name")
    run.add_argument("host")
    run.add_argument("command", nargs=argparse.REMAINDER)
    run.set_defaults(verb=_exec)

    possible = verbs.add_parser("possible", help="can hosts be made here? exit status 3: no (1 with CI=true)")
    possible.set_defaults(verb=_possible)

    images = verbs.add_parser("image", help="list cached images, build one, or remove all")
    images.add_argument("action", choices=("list", "build", "remove"))
    images.add_argument("kind", nargs="?", help="RELEASE[:PYTHON]")
    images.set_defaults(verb=_image)
    return parser


def _up(arguments: argparse.Namespace) -> int:
    hosts = _specs(arguments.hosts)
    lab = Lab.up(arguments.name, hosts, arguments.directory, _say)
    print(f"\nssh:        ssh -F {lab.ssh_config} {lab.hosts[0].name}")
    print(f"inventory:  {lab.inventory}")
    print(f"take down:  python3 -m tests.lab down {lab.name}   (--all: and the engine)")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    if arguments.all:
        down_all()
        _say("everything is down; images and packages stay in " + str(cache()))
    elif arguments.name is None:
        raise LabError("name a lab, or say --all")
    elif engine.running():
        engine.remove(engine.containers(f"provision-lab={arguments.name}"))
        _say(f"lab {arguments.name} is down")
    else:
        _say("no lab is up")
    return 0


def _possible(_arguments: argparse.Namespace) -> int:
    reason = machine.lacking()
    if reason is None:
        return 0
    print(f"NO HOSTS: {reason}", file=sys.stderr)
    return 1 if os.environ.get("CI") == "true" else 3


def _status(_arguments: argparse.Namespace) -> int:
    if not engine.running():
        print("the lab's engine is not running")
        return 0
    columns = '{{.Label "provision-lab"}}\t{{.Label "provision-lab-host"}}\t'
    columns += '{{.Label "provision-lab-ip"}}\t{{.Status}}\t{{.Image}}'
    words = ("ps", "--all", "--filter", "label=provision-lab-host", "--format", columns)
    print("\n".join(sorted(engine.docker(*words).stdout.splitlines())) or "the engine runs, with no host")
    return 0


def _exec(arguments: argparse.Namespace) -> int:
    where = f"{arguments.name}.{arguments.host}"
    terminal = ["--interactive", "--tty"] if sys.stdin.isatty() else ["--interactive"]
    words = arguments.command or ["bash"]
    argv = [program("docker"), "--host", f"unix://{engine.SOCKET}", "exec", *terminal, where, *words]
    return subprocess.run(argv).returncode


def _image(arguments: argparse.Namespace) -> int:
    if arguments.action == "build":
        if arguments.kind is None:
            raise LabError("say which image: RELEASE[:PYTHON]")
        Lab.prepare(_specs([arguments.kind]), _say)
    elif arguments.action == "remove":
        engine.erase_data()
        for path in image.cached():
            path.unlink()
    for path in image.cached():
        print(f"{path.stat().st_size >> 20:5d} MB  {path}")
    return 0


def _specs(words: list[str]) -> list[HostSpec]:
    """`[NAME=]RELEASE[:PYTHON]` each; unnamed hosts are called host1, host2, …"""
    specs = []
    for number, word in enumerate(words, 1):
        name, equals, kind = word.rpartition("=")
        release, _, python = kind.partition(":")
        specs.append(HostSpec(name if equals else f"host{number}", release, python or "full"))
    return specs


def _say(line: str) -> None:
    print(f"lab: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
