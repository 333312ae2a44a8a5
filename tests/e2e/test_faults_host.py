"""A host that is broken by hand: one clear sentence with what to do, exit 1 for that host alone, and a Docker that
worked before works after.

Two hosts have Docker as asked (`good`, and `bad`, on which the faults are tried), `bare` has none yet.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.runner import HostSpec, Lab, Provision, settle
from tests.lab import LabHost, listing

pytestmark = pytest.mark.lab

WITHOUT_JSON = "rm /etc/docker/daemon.json"
"""Something for apply to do, while Docker runs on as it was started."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with_docker = ("docker.io", "python3")
    hosts = [HostSpec("good", packages=with_docker), HostSpec("bad", packages=with_docker), HostSpec("bare")]
    with Lab.up("faults-host", hosts, tmp_path_factory.mktemp("faults-host")) as up:
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    made = settle(lab)
    ended = made.apply("--limit", "good:bad")
    assert ended.status == 0, ended.explain()
    return made


@dataclass(frozen=True)
class Fault:
    """What is done to the host, what undoes it, and words that the sentence must have."""

    words: tuple[str, ...]
    break_it: str
    mend: str
    settings: dict[str, Any] = field(default_factory=dict)
    """Host variables of `bad` for this fault."""
    verb: str = "apply"


FULL = (
    "mount -t tmpfs -o size=64k tmpfs {0}; cp -a /root/kept/. {0}/;"
    " dd if=/dev/zero of={0}/filler bs=1k 2>/dev/null; true"
)

FAULTS = {
    "full /etc/docker": Fault(
        ("No space left on device", "/etc/docker", "df -h"),
        "mkdir -p /root/kept; " + FULL.format("/etc/docker"),
        "umount /etc/docker",
    ),
    "full state directory": Fault(
        ("No space left on device", "/var/lib/provision", "df -h"),
        "rm -rf /root/kept; cp -a /var/lib/provision /root/kept; "
        + WITHOUT_JSON
        + ";"
        + FULL.format("/var/lib/provision"),
        "umount /var/lib/provision",
    ),
    "read-only /etc": Fault(
        ("Read-only file system", "/etc/docker", "remount"),
        WITHOUT_JSON + "; mount --bind /etc /etc && mount -o remount,ro,bind /etc",
        "umount /etc",
    ),
    "read-only state directory": Fault(
        ("Read-only file system", "/var/lib/provision", "remount"),
        "mount --bind /var/lib/provision /var/lib/provision && mount -o remount,ro,bind /var/lib/provision",
        "umount /var/lib/provision",
    ),
    "immutable daemon.json": Fault(
        ("/etc/docker/daemon.json", "chattr -i"),
        "chmod 0666 /etc/docker/daemon.json; chattr +i /etc/docker/daemon.json",
        "chattr -i /etc/docker/daemon.json",
    ),
    "masked unit": Fault(
        ("docker", "masked", "systemctl unmask"), "systemctl mask docker.service", "systemctl unmask docker.service"
    ),
    "a comment in daemon.json": Fault(
        ("/etc/docker/daemon.json:2", "no comments", "nothing was written"),
        "sed -i '1a // do not touch' /etc/docker/daemon.json",
        "sed -i 2d /etc/docker/daemon.json",
    ),
    "daemon.json cut short": Fault(
        ("/etc/docker/daemon.json:1", "not JSON", "correct or remove it"),
        "printf '{\"bip\": ' > /etc/docker/daemon.json",
        WITHOUT_JSON,
    ),
    "curly quotation marks": Fault(
        ("/etc/default/docker", "curly quotation marks", "plain"),
        "printf 'DOCKER_OPTS=\\342\\200\\234--debug\\342\\200\\235\\n' > /etc/default/docker",
        "rm /etc/default/docker",
    ),
    "bip of the host's own network": Fault(
        ("bip", "overlaps", "this session comes from", "choose a network"),
        "true",
        "true",
        {"docker_daemon": {"bip": "OWN"}},
    ),
    "memlock that the host cannot give": Fault(
        ("memlock unlimited", "CAP_SYS_RESOURCE", "8388608"),
        "true",
        "true",
        {"docker_daemon": {"default_ulimits": {"memlock": "unlimited"}}},
    ),
    "an option that Docker does not know": Fault(
        ("no-such-option", "does not know"),
        "true",
        "true",
        {"docker_daemon": {"extra": {"no-such-option": 1}}},
    ),
}
STOPS_DOCKER = ("an option that Docker does not know",)
"""Undo comes with another issue: here the daemon is down, and the sentence says why."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_sentence_and_that_host_alone(lab: Lab, provision: Provision, name: str) -> None:
    fault, bad = FAULTS[name], lab.host("bad")
    own = yaml_with(fault.settings, lab)
    before = docker_process(bad)
    bad.run(fault.break_it)
    files = bad.run("find /etc -type f -exec sha256sum {} + | sort").stdout
    try:
        settle(lab, bad=own)
        ended = provision.apply("--limit", "good:bad")
    finally:
        bad.run(fault.mend)
        settle(lab, bad={})
    assert ended.status == 1, ended.explain()
    assert ended.host("good")["outcome"] == "ok"
    assert ended.host("bad")["outcome"] == "failed"
    one_sentence(ended.host("bad")["error"], fault.words)
    if name not in STOPS_DOCKER:
        assert docker_process(bad) == before, "Docker runs on, and was not restarted"
        assert files == bad.run("find /etc -type f -exec sha256sum {} + | sort").stdout or fault.break_it != "true"
    ended = provision.apply("--limit", "bad")
    assert ended.status == 0, ended.explain()
    bad.run(["docker", "info"])


def yaml_with(settings: dict[str, Any], lab: Lab) -> dict[str, Any]:
    """The fault's settings, with OWN for a network that the host itself is in."""
    daemon = dict(settings.get("docker_daemon", {}))
    if daemon.get("bip") == "OWN":
        own = f"{lab.host('bad').ip.rpartition('.')[0]}.1/24"
        daemon |= {"bip": own, "fixed_cidr": None}
    return {**settings, **({"docker_daemon": daemon} if daemon else {})}


def docker_process(host: LabHost) -> str:
    """PID and start of the daemon that answers."""
    host.run(["docker", "version"])
    return host.run("pid=$(cat /run/docker.pid); echo $pid; cut -d' ' -f22 /proc/$pid/stat").stdout


def one_sentence(error: str, words: tuple[str, ...]) -> None:
    assert "\n" not in error, error
    assert len(error) < 400, error
    assert "; " in error, f"says what to do: {error}"
    for word in words:
        assert word in error, error


# -- a bare host, and what stands in apt's way

HOLD_LOCK = """
setsid python3 -c '
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
' {path} {seconds} > /root/locked 2>&1 < /dev/null &
until grep -q locked /root/locked 2>/dev/null; do sleep 0.05; done
"""
NETWORK_DOWN = {
    "a proxy that is not there": (
        ("cannot reach the package source", "apt_proxy"),
        "sed -i 's/:3142/:9/' /etc/apt/apt.conf.d/90lab-cache",
    ),
    "no name server": (
        ("cannot resolve the name", "apt_proxy"),
        "mv /etc/apt/apt.conf.d/90lab-cache /root/90lab-cache",
    ),
}


@pytest.mark.parametrize("name", NETWORK_DOWN)
def test_a_repository_that_cannot_be_reached(lab: Lab, provision: Provision, name: str) -> None:
    words, break_it = NETWORK_DOWN[name]
    bare = lab.host("bare")
    bare.run("cp /etc/apt/apt.conf.d/90lab-cache /root/kept-cache; " + break_it)
    try:
        ended = provision.apply("--limit", "good:bare", timeout=180)
    finally:
        bare.run("cp /root/kept-cache /etc/apt/apt.conf.d/90lab-cache")
    assert ended.status == 1, ended.explain()
    assert ended.host("good")["outcome"] == "ok"
    one_sentence(ended.host("bare")["error"], words)


REFUSES_ONCE = """
import http.server, sys, urllib.error, urllib.request

cache = urllib.request.build_opener(urllib.request.ProxyHandler({"http": sys.argv[1]}))
refused = set()


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        print(self.path, flush=True)
        if self.path.endswith("-security/InRelease") and not refused:
            refused.add(self.path)
            return self.answer(503, b"busy")
        try:
            with cache.open(self.path, timeout=60) as found:
                return self.answer(found.status, found.read())
        except urllib.error.HTTPError as error:
            return self.answer(error.code, error.read())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("127.0.0.1", 3143), Proxy).serve_forever()
"""


def test_a_proxy_that_refuses_once_is_asked_again_at_once(lab: Lab, provision: Provision) -> None:
    """apt puts such a retry off, and may then forget it and stand still: an update of its own would have to follow."""
    bare = lab.host("bare")
    bare.write("/root/proxy.py", REFUSES_ONCE)
    bare.run(
        "cp /etc/apt/apt.conf.d/90lab-cache /root/kept-cache;"
        """ cache=$(sed -n 's/^Acquire::http::Proxy "\\(.*\\)";/\\1/p' /root/kept-cache);"""
        " setsid python3 /root/proxy.py $cache >/root/asked 2>/dev/null </dev/null & echo $! >/root/proxy.pid;"
        " sed -i 's#http://.*:3142#http://127.0.0.1:3143#' /etc/apt/apt.conf.d/90lab-cache"
    )
    try:  # a version that there is not: the lists are all that apt gets
        ended = provision.apply("--limit", "bare", "--set", "docker_engine.version='99.1'", timeout=300)
        asked = bare.run("cat /root/asked").stdout.split()
    finally:
        bare.run("kill $(cat /root/proxy.pid); cp /root/kept-cache /etc/apt/apt.conf.d/90lab-cache")
    assert ended.status == 1, ended.explain()
    one_sentence(ended.host("bare")["error"], ("docker.io", "99.1"))
    times = {url.rpartition("/dists/")[2]: asked.count(url) for url in asked if url.endswith("InRelease")}
    assert times.pop("bookworm-security/InRelease") == 2
    assert times == {"bookworm/InRelease": 1, "bookworm-updates/InRelease": 1}


def test_a_lock_of_apts_lists_that_is_held_names_its_holder(lab: Lab, provision: Provision) -> None:
    bare = lab.host("bare")
    bare.run("rm -f /root/locked; " + HOLD_LOCK.format(path="/var/lib/apt/lists/lock", seconds=600))
    try:
        ended = provision.apply("--limit", "good:bare", "--set", "docker_engine.lock_timeout=2", timeout=120)
    finally:
        bare.run("kill $(pidof -x python3) 2>/dev/null; true")
    assert ended.status == 1, ended.explain()
    assert ended.host("good")["outcome"] == "ok"
    one_sentence(ended.host("bare")["error"], ("/var/lib/apt/lists/lock", "python3", "not released within 2 s"))


def test_no_room_for_packages(lab: Lab, provision: Provision) -> None:
    bare = lab.host("bare")
    bare.run("mount -t tmpfs -o size=1m tmpfs /var/cache/apt/archives")
    try:
        ended = provision.apply("--limit", "bare", timeout=180)
    finally:
        bare.run("umount /var/cache/apt/archives")
    assert ended.status == 1, ended.explain()
    one_sentence(ended.host("bare")["error"], ("no space left", "df -h"))


def test_a_dpkg_lock_that_is_held_for_a_while_is_waited_for(lab: Lab, provision: Provision) -> None:
    bare = lab.host("bare")
    bare.run("rm -f /root/locked; " + HOLD_LOCK.format(path="/var/lib/dpkg/lock-frontend", seconds=20))
    ended = provision.apply("--limit", "bare", timeout=300)
    assert ended.status == 0, ended.explain()
    assert "packages docker.io" in ended.resources("changed")
    assert bare.run("test -e /usr/sbin/policy-rc.d", check=False).returncode == 1


def test_check_of_a_broken_host_says_the_same_and_writes_nothing(lab: Lab, provision: Provision) -> None:
    bad = lab.host("bad")
    bad.run("sed -i '1a // do not touch' /etc/docker/daemon.json")
    before = bad.listing()
    try:
        ended = provision.check("--limit", "bad")
        assert ended.status == 1, ended.explain()
        one_sentence(ended.host("bad")["error"], ("/etc/docker/daemon.json:2", "no comments"))
        assert listing.differences(before, bad.listing()) == []
    finally:
        bad.run("sed -i 2d /etc/docker/daemon.json")
