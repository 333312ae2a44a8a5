"""No false alarms: runs that have nothing to change, again and again, until so many hosts were looked at.

    python -m bench.clean_runs                        # 1,000 host runs on eight lab hosts
    python -m bench.clean_runs --hosts 4 --runs 200

Each round is an apply; each fourth is a check, and beside each eighth somebody asks for the status. Counted is what
nobody should see: notices, outcomes other than ok, notes that a resource did not have at first, exit statuses other
than 0, and on the hosts what was not there before: files of ours, names in the lock, units, processes, another daemon.
Exits with 1 where anything is counted.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.lab import HostSpec, Lab, LabHost

ROOT = Path(__file__).parents[1]
DIRECTORY = ROOT / ".lab" / "clean-runs"
SETTINGS = ROOT / "tests" / "demo" / "settings.yml"
LEFT = """\
cd /var/lib/provision; find . -not -name history.jsonl -printf '%p %m %U %s\\n' | sort
wc -c < lock | sed 's/^/name in the lock: /'
find /etc /usr/local /root /tmp /run -xdev -name '*provision*' 2>/dev/null | sort
find / -xdev -name '.*.provision-*' -not -path '/proc/*' 2>/dev/null | sort
systemctl list-units --all --plain --no-legend 'provision*'
ps -eo args | grep -c '[p]rovision' | sed 's/^/processes: /'
systemctl show -p NRestarts -p MainPID docker containerd
"""
"""What stands on a host after a round: each time it is to be the same."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=8)
    parser.add_argument("--runs", type=int, default=1000, help="host runs in all")
    parser.add_argument("--keep", action="store_true", help="leave the hosts up")
    options = parser.parse_args()
    releases = ("bookworm", "trixie")
    specs = [HostSpec(f"n{number}", releases[number % 2]) for number in range(1, options.hosts + 1)]
    lab = Lab.up("clean-runs", specs, DIRECTORY, print)
    (DIRECTORY / "group_vars").mkdir(exist_ok=True)
    shutil.copy(SETTINGS, DIRECTORY / "group_vars" / "all.yml")
    print("first apply (installs Docker), and a second one", flush=True)
    for _ in range(2):
        out, errors = command("apply").communicate()
        if errors:
            sys.exit(f"the first runs did not end well: {errors.decode()}")
    found = soak(lab, options.runs, {str(json.loads(line).get("note")) for line in out.splitlines()})
    if not options.keep:
        lab.down()
    sys.exit(1 if found else 0)


def soak(lab: Lab, wanted: int, usual: set[str]) -> Counter[str]:
    """Run until `wanted` host runs are done; what was seen that nobody should see. `usual`: notes that stand always."""
    before = {host.name: left(host) for host in lab.hosts}
    seen: Counter[str] = Counter()
    done, number, started = 0, 0, time.monotonic()
    while done < wanted:
        number += 1
        verb = "check" if number % 4 == 0 else "apply"
        process = command(verb)
        others = [command("status")] if number % 8 == 1 else []
        done += tell(seen, verb, process, usual)
        for other in others:
            tell(seen, "status", other, usual)
        if number % 20 == 0:
            print(f"{done} host runs, {time.monotonic() - started:.0f} s, seen: {dict(seen)}", flush=True)
    for host in lab.hosts:
        for line in sorted(set(left(host)) ^ set(before[host.name])):
            seen["left or lost on a host"] += 1
            print(f"{host.name}: {line}")
    print(f"\n{done} host runs in {number} runs, {time.monotonic() - started:.0f} s; seen: {dict(seen) or 'nothing'}")
    return seen


def command(verb: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, str(ROOT / "provision.py"), verb, "--inventory", str(DIRECTORY), "--json"]
    words += ["--yes"] if verb == "apply" else []
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def tell(seen: Counter[str], verb: str, process: subprocess.Popen[bytes], usual: set[str]) -> int:
    """Count what this run said that it should not have; returns how many hosts it was on."""
    out, errors = process.communicate(timeout=600)
    events = [json.loads(line) for line in out.splitlines()]
    hosts = {event["host"] for event in events if event["type"] in ("host-finished", "status")}
    strange = [event for event in events if is_strange(event, usual)]
    for event in strange:
        seen[f"{verb}: {event['type']}"] += 1
        print(f"{verb}: {json.dumps(event)[:1000]}", flush=True)
    if process.returncode != 0 or errors:
        seen[f"{verb}: exit status {process.returncode}"] += 1
        print(f"{verb}: exit status {process.returncode}: {errors.decode()[-1000:]}", flush=True)
    return len(hosts)


def is_strange(event: dict[str, object], usual: set[str]) -> bool:
    if event["type"] in ("notice", "preflight", "stopped", "host-checked") or event.get("error"):
        return True
    return event.get("outcome", "ok") != "ok" or event.get("note") not in (None, "", *usual)


def left(host: LabHost) -> list[str]:
    return host.run(LEFT).stdout.splitlines()


if __name__ == "__main__":
    main()
