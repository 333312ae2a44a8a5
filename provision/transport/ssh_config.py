"""What OpenSSH would do for a host, asked of OpenSSH itself: `ssh -G`.

The law: no ssh_config is interpreted here (paramiko's reader ignores Include and takes unknown Match words as
true). The files are only looked at to know which hosts must get the same answer, so that a fleet costs one `ssh -G`
(9 ms) for each group of hosts and not for each host; where that cannot be known for sure, each host is asked for.

StrictHostKeyChecking is read and never obeyed below `yes`: somebody's `no` in an old ssh_config must not make
a tool that runs as root on the fleet accept any host. `--accept-new-host-keys` is the one way to widen it.
"""

import fnmatch
import getpass
import glob
import os
import pwd
import re
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.errors import HostError, Unreachable

NO_SSH = "apt-get install openssh-client"
PLACEHOLDER = "provision-host-placeholder"
SYSTEM_CONFIG = "/etc/ssh/ssh_config"


@dataclass(frozen=True)
class Resolved:
    """The effective client configuration of one host: ssh_config's options, lower case, each with all its values."""

    original: str
    """The name as it was asked for (ssh_config's %n)."""
    options: Mapping[str, tuple[str, ...]]

    def one(self, option: str, default: str = "") -> str:
        return self.options.get(option, (default,))[0]

    def is_set(self, option: str) -> bool:
        return self.one(option, "none").lower() not in {"none", "", "no", "false"}

    def words(self, option: str, separator: str = ",") -> list[str]:
        return [word for word in self.one(option).split(separator) if word]

    @property
    def hostname(self) -> str:
        return self.one("hostname", self.original)

    @property
    def port(self) -> int:
        return int(self.one("port", "22"))

    @property
    def user(self) -> str:
        return self.one("user") or getpass.getuser()

    @property
    def connect_timeout(self) -> float | None:
        return float(self.one("connecttimeout")) if self.is_set("connecttimeout") else None

    @property
    def label(self) -> str:
        """The address as people write it: host, [host]:port."""
        return self.hostname if self.port == 22 else f"[{self.hostname}]:{self.port}"

    @property
    def known_hosts_name(self) -> str:
        return self.one("hostkeyalias") or self.label.lower()

    def files(self, option: str) -> list[str]:
        """Paths of an option, `~` and %-tokens expanded. `ssh -G` prints a path with blanks without quotes."""
        paths: list[str] = []
        for value in self.options.get(option, ()):
            whole = self.expand(value)
            single = option in {"identityfile", "certificatefile"} or os.path.exists(whole)
            paths += [whole] if single else [self.expand(part) for part in value.split()]
        return [path for path in paths if path.lower() != "none"]

    def expand(self, text: str) -> str:
        """`~` and the tokens of ssh_config(5) that paths and ProxyCommand may have."""
        home = pwd.getpwuid(os.getuid()).pw_dir
        tokens = {
            "%": "%",
            "d": home,
            "h": self.hostname,
            "i": str(os.getuid()),
            "k": self.one("hostkeyalias") or self.original,
            "L": socket.gethostname().split(".")[0],
            "l": socket.gethostname(),
            "n": self.original,
            "p": str(self.port),
            "r": self.user,
            "u": getpass.getuser(),
        }
        text = re.sub(r"%(.)", lambda match: tokens.get(match[1], match[0]), text)
        return home + text[1:] if text == "~" or text.startswith("~/") else os.path.expanduser(text)


def parse(text: str, original: str) -> Resolved:
    """The output of `ssh -G`: one `option value` a line, some options several times."""
    options: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        options[name.lower()] = (*options.get(name.lower(), ()), value)
    return Resolved(original, options)


class SshConfig:
    """Asks `ssh -G` for hosts, and remembers the answers for one run. Thread-safe."""

    def __init__(self) -> None:
        self._answers: dict[tuple[object, ...], str] = {}
        self._turns: dict[tuple[object, ...], threading.Lock] = {}
        self._scanned: dict[str, list[list[str]] | None] = {}
        self._lock = threading.Lock()

    def resolve(self, host: str, arguments: Sequence[str] = ()) -> Resolved:
        """What `ssh ARGUMENTS HOST` would use. Unreachable: ssh is missing, or does not understand it."""
        patterns = self._host_patterns(arguments)
        if patterns is None or host.lower() != host or "%" in host:
            return parse(self._ask((host, *arguments), host, arguments), host)
        key = (tuple(_matches(words, host) for words in patterns), *arguments)
        found = parse(self._ask(key, host, arguments, PLACEHOLDER), host)
        if found.hostname.startswith(PLACEHOLDER):
            options = {**found.options, "hostname": (host,), "host": (host,)}
            return Resolved(host, options)
        return found

    def _ask(self, key: tuple[object, ...], host: str, arguments: Sequence[str], stand_in: str = "") -> str:
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:  # all hosts of a group come at the same moment: one asks, the others wait
            known = self._answers.get(key)
            if known is None:
                known = _ssh_g(host, arguments)
                if stand_in:  # what names this host becomes what names any host of the group
                    known = re.sub(rf"(?m)^(host|hostname) {re.escape(host)}$", rf"\1 {stand_in}", known)
                self._answers[key] = known
        return known

    def _host_patterns(self, arguments: Sequence[str]) -> list[list[str]] | None:
        """The `Host` lines that decide; None where more than those can make a difference."""
        config = _config_argument(arguments)
        files = [config] if config else [os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".ssh/config"), SYSTEM_CONFIG]
        collected: list[list[str]] = []
        for file in files:
            with self._lock:
                if file not in self._scanned:
                    self._scanned[file] = _scan(file)
                found = self._scanned[file]
            if found is None:
                return None
            collected += found
        if any("%" in argument for argument in arguments):
            return None
        return collected


def _ssh_g(host: str, arguments: Sequence[str]) -> str:
    command = ["ssh", "-G", *arguments, "--", host]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
        )
    except FileNotFoundError:
        raise Unreachable("the ssh program, which reads ssh_config, is not installed here", NO_SSH) from None
    except subprocess.TimeoutExpired:
        raise HostError(
            f"`ssh -G {host}` did not end within 30 s", "look for a slow `Match exec` in ssh_config"
        ) from None
    if done.returncode != 0:
        said = " ".join(line for line in done.stderr.splitlines() if "seudo-terminal" not in line)
        raise Unreachable(f"ssh does not accept the settings of {host}: {said.strip()}", "see ssh_config(5)")
    return done.stdout


def _config_argument(arguments: Sequence[str]) -> str | None:
    for number, argument in enumerate(arguments):
        if argument.startswith("-F"):
            return argument[2:] or (arguments[number + 1] if number + 1 < len(arguments) else None)
    return None


_FREE = {"proxycommand", "controlpath", "localcommand", "remotecommand", "identityfile", "certificatefile"}
"""Options whose %-tokens we expand ourselves, or do not read."""


def _scan(path: str, depth: int = 0) -> list[list[str]] | None:
    """The patterns of all `Host` lines of a file and what it includes; None: hosts may differ in other ways too."""
    try:
        text = Path(path).read_text(errors="replace")
    except OSError:
        return []
    found: list[list[str]] = []
    for line in text.splitlines():
        if line.strip()[:1] in {"", "#"}:  # Debian's own file has %h in a comment
            continue
        keyword, words = _split(line)
        if keyword in {"match", "tag"} or keyword.startswith("canonical") or ("%" in line and keyword not in _FREE):
            return None
        if keyword in {"host", "hostname"}:  # a host named like a HostName's value is a group of its own
            found.append(words)
        elif keyword == "include":
            included = [_scan(name, depth + 1) for name in _included(words)] if depth < 16 else [None]
            for patterns in included:
                if patterns is None:
                    return None
                found += patterns
    return found


def _split(line: str) -> tuple[str, list[str]]:
    match = re.match(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)", line)
    return (match[1].lower(), [word.strip('"') for word in match[2].split()]) if match else ("", [])


def _included(words: Sequence[str]) -> Iterator[str]:
    home = pwd.getpwuid(os.getuid()).pw_dir
    for written in words:
        word = home + written[1:] if written.startswith("~/") else written
        # A relative name is looked up in ~/.ssh from the user's file and in /etc/ssh from the system's: take both.
        places = [word] if word.startswith("/") else [f"{home}/.ssh/{word}", f"/etc/ssh/{word}"]
        for place in places:
            yield from sorted(glob.glob(place))


def _matches(patterns: Sequence[str], host: str) -> bool:
    def one(pattern: str) -> bool:
        return fnmatch.fnmatchcase(host, pattern.replace("[", "[[]"))

    if any(one(pattern[1:]) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(one(pattern) for pattern in patterns if not pattern.startswith("!"))
