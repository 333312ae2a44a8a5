"""Who watches the watchers: hosts that are right tell lies, one by one; verify must catch each, and so must check.

The table of what caught what is printed. Each round tells another lie on each of the hosts, so that none hides another.
"""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hiding import SecretTag
from tests.e2e.runner import DAEMON, Ended, HostSpec, Lab, Provision, settle
from tests.lab import LabHost

pytestmark = pytest.mark.lab
HOSTS = ("m1", "m2", "m3")
RIGHT = "right"
"""A host of the next release, which tells no lies."""
LOGIN, PASSWORD = "robot", "registry/secret+1"
PROXY_LOGIN, PROXY_PASSWORD = "surfer", "proxy/secret+1"
JSON = "/etc/docker/daemon.json"
CONFIG = "/home/alice/.docker/config.json"
BOOKS = "/var/lib/dpkg/status"
RECEIPT = "/var/lib/provision/proofs/gpu.json"
RESTART = "systemctl reset-failed docker; systemctl restart docker"


def not_loaded(change: str) -> str:
    """The daemon runs with a changed daemon.json, and the file is as it was."""
    return f"cp -p {JSON} /root/kept; {change}; {RESTART}; cp -p /root/kept {JSON}"


def about_the_daemon(change: str) -> "Lie":
    """Somebody else has restarted it, so `apply` cannot tell that it is not as on disk; the proof of the GPUs can."""
    return Lie("docker_daemon", not_loaded(change), RESTART)


def of_python(path: str, statement: str) -> str:
    """Change a JSON document `d` in place."""
    load, store = f"import json; f = open({path!r}, 'r+'); d = json.load(f)", "f.seek(0); f.truncate(); json.dump(d, f)"
    program = f"{load}; {statement}; {store}"
    return f'python3 -c "{program}"'


@dataclass(frozen=True)
class Lie:
    """What is done to a host, which role's tests must notice, and how it is undone where `apply` would not."""

    role: str
    command: str
    undo: str = "true"


UNPROXIED = "/run/systemd/system/docker.service.d"
LIES = {
    "service masked": Lie("docker_daemon", "systemctl mask docker.service", "systemctl unmask docker.service"),
    "service disabled": Lie("docker_daemon", "systemctl disable docker.service"),
    "service stopped, its socket open": Lie("docker_daemon", "systemctl stop docker.service"),
    "group line removed": Lie("docker_users", "sed -i '/^docker:/d' /etc/group /etc/gshadow"),
    "member removed from the group": Lie("docker_users", "gpasswd -d alice docker"),
    "account removed": Lie("docker_users", "cp -a /home/alice /root/alice; userdel alice", "true"),
    "daemon.json edited": Lie("docker_daemon", f"sed -i 's/67108864/8388608/g' {JSON}"),
    "daemon.json not loaded: shm": about_the_daemon(f"sed -i 's/1G/64m/' {JSON}"),
    "container without the ulimits": about_the_daemon(of_python(JSON, "d.pop('default-ulimits')")),
    "bridge of another network": about_the_daemon(f"sed -i 's/192.168.127/192.168.99/g' {JSON}"),
    "wrong repository key": Lie("docker_engine", "cp /root/other.gpg /etc/apt/keyrings/docker-io.gpg"),
    "repository removed": Lie("docker_engine", "rm /etc/apt/sources.list.d/docker-io.sources"),
    "hold released": Lie("docker_engine", "apt-mark unhold docker.io"),
    "held version replaced": Lie(
        "docker_engine",
        f"cp {BOOKS} /root/status; sed -i '/^Package: docker.io$/,/^$/ s/^Version: .*/Version: 19.3/' {BOOKS}",
        f"cp /root/status {BOOKS}",
    ),
    "world-readable config.json": Lie("registry_login", f"chmod 644 {CONFIG}"),
    "its folder open to all": Lie("registry_login", "chmod 755 /home/alice/.docker"),
    "config.json of another owner": Lie("registry_login", f"chown root {CONFIG}"),
    "login removed": Lie("registry_login", of_python(CONFIG, "d['auths'] = dict()")),
    "login with another password": Lie(
        "registry_login", of_python(CONFIG, "[a.update(auth='cm9ib3Q6d3Jvbmc=') for a in d['auths'].values()]")
    ),
    "registry's certificate replaced": Lie("registry_login", "cp /etc/hostname /etc/docker/certs.d/*/ca.crt"),
    "apt's proxy overridden": Lie(
        "apt_proxy",
        "echo 'Acquire::http::Proxy \"http://192.0.2.1:3128/\";' > /etc/apt/apt.conf.d/zz-other",
        "rm /etc/apt/apt.conf.d/zz-other",
    ),
    "proxy's password open to all": Lie("apt_proxy", "chmod 644 /etc/apt/apt.conf.d/proxy.conf"),
    "dockerd without its proxy": Lie(
        "apt_proxy",
        f"mkdir -p {UNPROXIED}; printf '[Service]\\nUnsetEnvironment=HTTP_PROXY HTTPS_PROXY\\n' > {UNPROXIED}/zz.conf; "
        f"systemctl daemon-reload; {RESTART}; rm {UNPROXIED}/zz.conf; systemctl daemon-reload",
    ),
    "no proof": Lie("gpu_smoke_test", f"rm {RECEIPT}"),
    "proof failed": Lie("gpu_smoke_test", of_python(RECEIPT, "d['verdict'] = 'failed'")),
    "proof of yesterday's": Lie("gpu_smoke_test", of_python(RECEIPT, "d['key_time'] -= 100000")),
}


@dataclass
class Caught:
    """A line of the table."""

    lie: str
    verify: list[str] = field(default_factory=list)
    check: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        shown = (next(iter(found), "NOT CAUGHT") for found in (self.verify, self.check))
        return f"{self.lie:34} {next(shown):68.68} {next(shown):60.60}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [HostSpec(name, "bookworm", packages=("docker.io",)) for name in HOSTS]
    specs.append(HostSpec(RIGHT, "trixie", packages=("docker.io", "docker-cli")))
    with Lab.up("mutations", specs, tmp_path_factory.mktemp("mutations")) as up:
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    registry, proxy = lab.registry({LOGIN: PASSWORD}), lab.proxy(PROXY_LOGIN, PROXY_PASSWORD)
    repository, other = lab.apt_repository("ours", []), lab.apt_repository("other", [])
    for host in lab.hosts:
        host.run("rm -f /etc/apt/apt.conf.d/90lab-cache /etc/apt/sources.list /etc/apt/sources.list.d/*")
        host.write("/root/other.gpg", other.key_asc)
    version, newer = (lab.host(name).run("dpkg-query -W -f '${Version}' docker.io").stdout for name in ("m1", RIGHT))
    (lab.directory / "ca.pem").write_text(registry.ca_pem)
    source = {"uri": repository.url, "suite": repository.suite, "key": repository.key_asc}
    address = registry.address.partition(":")[0]
    settings: dict[str, Any] = {
        "roles": ["apt_proxy", "docker_engine", "docker_daemon", "docker_users", "registry_login", "gpu_smoke_test"],
        "apt_proxy": {
            "http": "http://" + proxy.url.rpartition("@")[2],
            "username": PROXY_LOGIN,
            "password": SecretTag("env:PROXY_PASSWORD"),
            "no_proxy": [address],
        },
        "docker_engine": {
            "flavour": "docker.io",
            "version": version,
            "repository": source | {"fingerprint": repository.fingerprint},
        },
        "docker_daemon": DAEMON,
        "docker_users": {"users": {"alice": {"create": True}}},
        "registry_login": {
            "registries": {
                registry.address: {
                    "username": LOGIN,
                    "password": SecretTag("env:REGISTRY_PASSWORD"),
                    "users": ["root", "alice"],
                    "ca_certificate": "ca.pem",
                }
            }
        },
    }
    environment = {"REGISTRY_PASSWORD": PASSWORD, "PROXY_PASSWORD": PROXY_PASSWORD}
    runner = Provision(settle(lab, settings, right={"docker_engine": {"version": newer}}).inventory, environment)
    ended = runner.apply()
    assert ended.status == 0, ended.explain()
    return runner


def found_by_verify(ended: Ended, host: str, role: str) -> list[str]:
    return [event["error"] for event in ended.of("resource", host=host, role=role, outcome="failed")]


def found_by_check(ended: Ended, host: str) -> list[str]:
    wrong = ("would-change", "failed", "unknown", "pending")
    drifted = [event for event in ended.of("resource", host=host) if event["outcome"] in wrong]
    refused = [f"role {event['role']}: {event['reason']}" for event in ended.of("role", host=host, outcome="failed")]
    error = ended.host(host)["error"]
    return [f"{event['kind']} {event['name']}" for event in drifted] + refused + ([error] if error else [])


def both(provision: Provision, *options: str) -> tuple[Ended, Ended]:
    with ThreadPoolExecutor(2) as pool:
        verified = pool.submit(provision, "verify", "--forks", "3", *options)
        checked = pool.submit(provision.check, *options)
        return verified.result(), checked.result()


LIARS = ("--limit", ",".join(HOSTS))


def tell(host: LabHost, lie: Lie) -> None:
    host.run(lie.command, timeout=90)


def test_hosts_that_are_right_are_right_to_both(provision: Provision) -> None:
    verified, checked = both(provision)
    assert verified.status == 0, verified.explain()
    assert checked.status == 0, checked.explain()


def test_every_lie_is_caught_by_both(lab: Lab, provision: Provision, capsys: Any, tmp_path: Path) -> None:
    names, table = list(LIES), list[Caught]()
    for first in range(0, len(names), len(HOSTS)):
        told = dict(zip(HOSTS, names[first : first + len(HOSTS)], strict=False))
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda item: tell(lab.host(item[0]), LIES[item[1]]), told.items()))
        verified, checked = both(provision, *LIARS)
        for host, name in told.items():
            caught = Caught(name, found_by_verify(verified, host, LIES[name].role), found_by_check(checked, host))
            table.append(caught)
            with capsys.disabled():
                sys.stdout.write(f"\n{caught}")
            lab.host(host).run(LIES[name].undo, timeout=60)
        repaired = provision.apply(*LIARS)
        assert repaired.status == 0, (told, repaired.explain())
    (tmp_path / "table.json").write_text(json.dumps([vars(line) for line in table]))
    missed = [f"{line.lie}: by verify" for line in table if not line.verify]
    missed += [f"{line.lie}: by check" for line in table if not line.check]
    assert not missed, missed
