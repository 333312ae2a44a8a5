"""Ansible's connection variables to a Target: how a host is reached.

The law: every variable that is known is typed, and a wrong value is an error; an `ansible_*` that is not known is a
warning, because somebody may count on it. Where a variable and its older name (`ansible_ssh_host`) differ, that is an
error: Ansible takes the older one, which few expect.
"""

import ipaddress
import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from provision.errors import nearest
from provision.inventory.document import Mark
from provision.inventory.places import Places
from provision.inventory.ranges import is_address
from provision.inventory.references import Placeholder
from provision.inventory.wrong import Wrong
from provision.secrets import Secret
from provision.target import ConnectionKind, Target

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "ansible_host": ("ansible_ssh_host",),
    "ansible_port": ("ansible_ssh_port",),
    "ansible_user": ("ansible_ssh_user",),
    "ansible_password": ("ansible_ssh_password", "ansible_ssh_pass"),
    "ansible_connection": (),
    "ansible_ssh_private_key_file": ("ansible_private_key_file",),
    "ansible_ssh_args": (),
    "ansible_ssh_common_args": (),
    "ansible_ssh_extra_args": (),
    "ansible_become": (),
    "ansible_become_password": ("ansible_become_pass", "ansible_sudo_pass"),
    "ansible_become_method": (),
    "ansible_become_user": (),
    "ansible_python_interpreter": (),
    "ansible_timeout": ("ansible_ssh_timeout",),
    "ansible_group_priority": (),
}
"""Each variable that is known, with its older names."""
ONLY_ANSIBLES = re.compile(
    r"ansible_((ssh_|paramiko_)?host_key_checking|ssh_(executable|pipelining|retries|transfer_method|use_tty)"
    r"|(sftp|scp)_(executable|extra_args|batch_mode|if_ssh)|control_path(_dir)?|pipelining|remote_tmp|async_dir"
    r"|shell_(type|executable)|executable|become_(flags|exe|plugin)|network_os|(ruby|perl)_interpreter)\Z"
)
"""Names that Ansible has and that mean nothing here: no misspelling of ours."""
_PRESENT = {known: name for name, aliases in VARIABLES.items() for known in (name, *aliases)}
"""The present name of each."""
KNOWN = frozenset(VARIABLES) | {alias for aliases in VARIABLES.values() for alias in aliases}
OWN = ("ansible_host", *VARIABLES["ansible_host"])
"""What tells one host from another."""
SECRET = {"ansible_password", "ansible_become_password"}
SECRET_NAMES = SECRET | {alias for name in SECRET for alias in VARIABLES[name]}
CONNECTIONS = ("local", "ssh", "openssh")
_TAKEN_AS_SSH = ("smart", "paramiko", "paramiko_ssh")
_TRUE, _FALSE = ("true", "yes", "on", "1", "y", "t"), ("false", "no", "off", "0", "n", "f")
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
T = TypeVar("T")
_USER = re.compile(r"[^\s\x00-\x1f\x7f@:-][^\s\x00-\x1f\x7f]*\Z")
_INTERPRETER = re.compile(r"[A-Za-z0-9_/.+-]+\Z")


PUBLIC_KEY = re.compile(rb"\s*(ssh-|ecdsa-|sk-ssh-|sk-ecdsa-|---- BEGIN SSH2 PUBLIC KEY)")


@dataclass
class ConnectionReader:
    """Reads one host's variables. `values` are plain; `place` says where one stands; `wrong` is told (variable,
    message, hint, only a warning?)."""

    values: Mapping[str, Any]
    place: Callable[[str], Mark]
    places: Places
    check_files: bool
    wrong: Callable[[str, str, str, bool], None]

    def target(self, name: str) -> Target:
        """How to reach the host. What is wrong is told, and the default stands in for it."""
        self._sudo_only()
        connection = self._connection()
        self._by_program = connection == "openssh"  # the ssh program takes a public key for one that its agent has
        arguments = [self._read(f"ansible_ssh_{kind}args", words) or () for kind in ("", "common_", "extra_")]
        return Target(
            name=name,
            address=self._read("ansible_host", address) or self._own_address(name, connection),
            port=self._read("ansible_port", port),
            user=self._read("ansible_user", user),
            connection=connection,
            password=self._read("ansible_password", secret),
            private_key_file=self._key_file(),
            common_args=tuple(word for given in arguments for word in given),
            become=self._read("ansible_become", boolean) or False,
            become_password=self._read("ansible_become_password", secret),
            python_interpreter=self._read("ansible_python_interpreter", interpreter),
            connect_timeout=self._read("ansible_timeout", seconds) or 10.0,
        )

    def __post_init__(self) -> None:
        self._given: dict[str, list[str]] = {}
        """Each variable that is set, by its present name; the present name first."""
        for known, value in self.values.items():
            if value is not None:
                present = _PRESENT[known]
                self._given.setdefault(present, []).insert(0 if known == present else len(KNOWN), known)

    def _read(self, name: str, parse: Callable[[Any], T]) -> T | None:
        given = self._given.get(name)
        if given is None:
            return None
        parsed: dict[str, T] = {}
        for known in given:
            try:
                parsed[known] = parse(self.values[known])
            except Wrong as error:
                self.wrong(known, error.message, error.hint, False)
        if len(parsed) > 1:
            self._compare(parsed)
        return next(iter(parsed.values()), None)

    def _compare(self, parsed: Mapping[str, Any]) -> None:
        """A variable and its older names have to say the same."""
        settled = {known: value for known, value in parsed.items() if not isinstance(value, Placeholder)}
        for known in list(settled)[1:]:
            first = next(iter(settled))
            if settled[known] != settled[first]:
                self.wrong(known, f"differs from {first} ({self.place(first)})", "keep one of the two", False)

    def _own_address(self, name: str, connection: ConnectionKind) -> str:
        if "ansible_host" in self._given:
            return name  # what is wrong with that is told
        try:
            return address(name)
        except Wrong as error:
            if connection != "local":
                self.wrong("", f"its name is no address: {error.message}", "give it ansible_host", False)
        return name

    def _connection(self) -> ConnectionKind:
        value = self._read("ansible_connection", text)
        short = (value or "ssh").removeprefix("ansible.builtin.")
        if short in CONNECTIONS:
            return cast(ConnectionKind, short)
        if short in _TAKEN_AS_SSH:
            self.wrong(
                "ansible_connection",
                f"{short} is taken as ssh",
                "write ssh, or openssh for the ssh program",
                True,
            )
        else:
            close = nearest(short, CONNECTIONS)
            hint = f"did you mean {close!r}?" if close else "write local, ssh or openssh"
            self.wrong("ansible_connection", f"no connection is called {short!r}", hint, False)
        return "ssh"

    def _sudo_only(self) -> None:
        method = self._read("ansible_become_method", text)
        if method is not None and method.removeprefix("ansible.builtin.") != "sudo":
            self.wrong("ansible_become_method", f"{method!r} is not supported", "only sudo is", False)
        whom = self._read("ansible_become_user", text)
        if whom is not None and whom != "root":
            self.wrong("ansible_become_user", f"{whom!r} is not supported", "the roles work as root", False)

    def _key_file(self) -> str | None:
        name = "ansible_ssh_private_key_file"
        if name not in self._given:
            return None
        directory = self.places.beside(self.place(self._given[name][0]))
        return self._read(name, lambda value: self._readable_key(directory / os.path.expanduser(text(value))))

    def _readable_key(self, path: Path) -> str:
        if self.check_files:
            try:
                with path.open("rb") as stream:
                    start = stream.read(40)
            except OSError as error:
                raise Wrong(f"the private key file {path} cannot be read: {error.strerror}") from None
            if PUBLIC_KEY.match(start) and not self._by_program:
                raise Wrong(f"{path} is a public key", f"name the private key: {str(path).removesuffix('.pub')}")
        return str(path.resolve())


def text(value: Any) -> str:
    """A string, not empty."""
    if isinstance(value, Secret):
        raise Wrong("is not a secret, and takes no !secret or !vault", "write the value itself")
    if not isinstance(value, str):
        raise Wrong("should be text", "quote it" if isinstance(value, int | float) else "")
    if not value or not value.isprintable():
        raise Wrong("should be text, and is " + ("empty" if not value else "unprintable"))
    return value


def secret(value: Any) -> Secret:
    """A secret, or a plain string."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise Wrong("should be text or a !secret", "quote it" if isinstance(value, int | float) else "")
    return Secret(value)


def address(value: Any) -> str:
    """A host name, an alias of ssh_config, or an IP address."""
    given = text(value)
    if given[0].isalpha() and _ADDRESS.match(given):
        return given
    bare = given.removeprefix("[").removesuffix("]") if ":" in given else given
    if is_address(bare):
        return str(ipaddress.ip_address(bare))
    if not _ADDRESS.match(bare) or re.fullmatch(r"[0-9.]+", bare):
        raise Wrong(f"{given!r} is neither a host name nor an IP address")
    return bare


def port(value: Any) -> int:
    """A TCP port, as a number or as text."""
    number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 65535:
        raise Wrong("should be a port number from 1 to 65535")
    return number


def user(value: Any) -> str:
    """A login name."""
    name = text(value)
    if not _USER.match(name):
        raise Wrong(f"{name!r} is no user name")
    return name


def boolean(value: Any) -> bool:
    """true or false; Ansible's yes, no, on, off, 1 and 0 too, because existing inventories have them."""
    word = str(value).lower() if isinstance(value, bool | int | str) else ""
    if word not in _TRUE + _FALSE:
        raise Wrong("should be true or false")
    return word in _TRUE


def words(value: Any) -> tuple[str, ...]:
    """Arguments, split as a shell would."""
    if value == "":
        return ()
    try:
        return tuple(shlex.split(text(value)))
    except ValueError as error:
        raise Wrong(f"cannot be split: {error}", "check the quotes") from None


def interpreter(value: Any) -> str | None:
    """The path of a python3; Ansible's `auto…` means: find it."""
    path = text(value)
    if path in ("auto", "auto_silent", "auto_legacy", "auto_legacy_silent"):
        return None
    if not _INTERPRETER.match(path):
        raise Wrong(f"{path!r} is no path of a program", "as in /usr/bin/python3")
    return path


def seconds(value: Any) -> float:
    """A time limit."""
    number = float(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", value) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number <= 3600:
        raise Wrong("should be a number of seconds from 1 to 3600")
    return float(number)
