"""A host in a dict, for kinds that ask about a service: strict, an unexpected command or write fails the test."""

import json

from provision.agent.host.errors import Failed
from provision.agent.host.results import CommandResult
from provision.agent.host.state import StateFile

BOOT = "aaaaaaaa-boot"
UNIT = "/usr/lib/systemd/system/docker.service"
STARTS_WITH = "[Service]\nExecStart=/usr/bin/dockerd {}\n"
DAEMON_JSON = "/etc/docker/daemon.json"
STARTS = ("systemctl start docker.service", "systemctl restart docker.service", "service docker start")
STARTS += ("systemctl restart docker.service docker.socket",)


class Host:
    """Files, links and processes; `units` is what systemctl says; what changes it is noted in `ran`."""

    def __init__(self, systemd=True):
        self.files = {"/proc/sys/kernel/random/boot_id": BOOT, UNIT: STARTS_WITH.format("-H fd://")}
        self.links = {}
        self.addresses = {"docker0": "192.168.127.1/24"}
        self.down = []
        self.peers = {}  # who listens on a Unix socket
        self.changed = {}
        self.api = {}
        self.ran = []
        self.signals = []
        self.events = []
        self.takes_reloads = True
        self.now = 100.0
        self.next_pid = 10
        self.state = "/state"
        self.foreseen = {}
        self.progress = lambda text: None
        self.state_file = StateFile(self)
        self.unit = {"LoadState": "loaded", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
        self.socket = "active"
        self.log = ""
        self.broken = False
        self.dies = False  # its process ends right after it was started, without a word to who started it
        self.said = ""  # what an init script that fails says
        self.pid = None
        if systemd:
            self.files["/run/systemd/system"] = ""
            self.files["/etc/systemd/system/multi-user.target.wants/docker.service"] = ""

    # -- the door, as kinds see it

    def read(self, path):
        text = self.files.get(path)
        return text.encode("utf-8") if text is not None else None

    def text(self, path):
        return self.files.get(path)

    def stat(self, path):
        return True if path in self.files or path in self.links else None

    def names(self, directory):
        inside = [path[len(directory) + 1 :].split("/")[0] for path in self.files if path.startswith(directory + "/")]
        return sorted(set(inside))

    def link(self, path):
        return self.links.get(path)

    def changed_at(self, path):
        return self.changed.get(path)

    def address_of(self, interface):
        return self.addresses.get(interface)

    def is_up(self, interface):
        return interface in self.addresses and interface not in self.down

    def unix_peer(self, path):
        return self.peers.get(path)

    def uptime(self):
        return self.now

    def place(self, path):
        return path

    def boot_id(self):
        return self.files["/proc/sys/kernel/random/boot_id"]

    def keep(self, path, data):
        self.files[path] = data.decode("utf-8")

    def make_directory(self, path, mode=0o755, uid=0, gid=0):
        assert path == self.state

    def get_unix(self, path, target, timeout=10):
        assert self.pid is not None, "nothing may be asked of a stopped Docker"
        if target == "/_ping":
            return 200, b"OK"
        if target.startswith("/events?"):
            return 200, "".join(json.dumps(event) + "\n" for event in self.events).encode("utf-8")
        target = target.partition("?")[0]
        if target not in self.api:
            raise OSError("no answer")
        return 200, json.dumps(self.api[target]).encode("utf-8")

    def query(self, argv, timeout=30, stdin=b"", env=None):
        if argv[:2] == ["systemctl", "show"]:
            return CommandResult(argv, 0, self._show(argv), "")
        if argv[0] == "journalctl":
            return CommandResult(argv, 0, self.log, "")
        raise AssertionError("unexpected query: {}".format(argv))

    def run(self, argv, timeout=120, stdin=b"", env=None, log=None, fix=""):
        words = " ".join(word for word in argv if word != "--")
        self.ran.append(words)
        if words in STARTS:
            self.end()
            if self.said and words.startswith("service"):
                raise Failed("{} failed with status 2".format(words), "", self.said)
            if self.broken:
                raise Failed("{} failed with status 1".format(words))
            self.begin()
            if self.dies:
                self.end()
        elif argv[:2] == ["sh", "-c"] and argv[3:] == ["/etc/init.d/docker", "start"]:
            self.begin()
        elif words in ("systemctl stop docker.socket docker.service", "service docker stop"):
            self.end()
            self.socket = "inactive"
        elif words == "systemctl enable docker.service":
            self.unit["UnitFileState"] = "enabled"
            self.files["/etc/systemd/system/multi-user.target.wants/docker.service"] = ""
        elif words == "systemctl daemon-reload":
            self.unit["NeedDaemonReload"] = "no"
            drop_ins = [path for path in self.files if path.startswith("/etc/systemd/system/docker.service.d/")]
            self.unit["DropInPaths"] = " ".join(sorted(drop_ins))
        else:
            assert words.startswith("systemctl reset-failed"), words

    def signal(self, pid, number):
        assert pid == self.pid
        self.signals.append(number)
        if self.takes_reloads:
            self.events.append({"Type": "daemon", "Action": "reload", "timeNano": len(self.events) + 1})

    def user_name(self, uid):
        return {0: "root", 1000: "alice"}[uid]

    # -- what happens on the host

    def begin(self, *arguments):
        """Docker starts, with what its unit has; with `arguments` that has these."""
        if arguments:
            self.files[UNIT] = STARTS_WITH.format(" ".join(arguments))
        arguments = arguments or ("-H", "fd://")
        self.pid, self.next_pid = self.next_pid, self.next_pid + 1
        self.now += 10
        process = "/proc/{}".format(self.pid)
        self.files["/run/docker.pid"] = self.files["/var/run/docker.pid"] = str(self.pid)
        self.files[process + "/stat"] = "{} (dockerd) S{} {} 0".format(self.pid, " 0" * 18, int(self.now * 100))
        self.files[process + "/cmdline"] = "\0".join(("/usr/bin/dockerd",) + arguments) + "\0"
        self.files[process + "/cgroup"] = "0::/system.slice/docker.service\n"

    def end(self):
        if self.pid is not None:
            for path in [path for path in self.files if path.startswith("/proc/{}/".format(self.pid))]:
                del self.files[path]
        self.pid = None

    def write(self, path, text):
        """As the agent's own write does it: with its record."""
        self.now += 1
        self.files[path] = text
        digest = self.state_file.digest(text.encode("utf-8"))
        self.state_file.put("written", path, {"digest": digest, "boot": BOOT, "uptime": self.now})

    def _show(self, argv):
        running = self.pid is not None
        unit = dict(
            self.unit, Id="docker.service", ActiveState="active" if running else "inactive", MainPID=self.pid or 0
        )
        blocks = [unit] + [{"Id": name, "ActiveState": self.socket} for name in argv[argv.index("--") + 2 :]]
        return (
            "\n\n".join("\n".join("{}={}".format(*item) for item in sorted(block.items())) for block in blocks) + "\n"
        )
