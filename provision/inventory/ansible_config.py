"""ansible.cfg and ANSIBLE_*: what they say of inventories, connections and vaults.

The law: found where Ansible finds it, one file and no other; the environment wins over it, and the inventory over both.
What is set, would matter and has no effect here is told once.
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provision.errors import InputError, Problem
from provision.inventory.connection import boolean
from provision.inventory.document import Map, Mark, Tagged
from provision.inventory.files import shown
from provision.inventory.layers import Level
from provision.inventory.wrong import Wrong

FILE, ENVIRONMENT = "ansible.cfg", "environment"
_QUOTED = re.compile(r"\A(['\"])(.*)(?<!\\)\1\Z")
"""Text of a file that is in quotes as a whole, which Ansible takes off."""


@dataclass(frozen=True)
class Setting:
    """One setting: its sections and keys, and its variables of the environment; the last one that is set counts."""

    ini: tuple[tuple[str, str], ...]
    env: tuple[str, ...]
    variable: str = ""
    """The connection variable that it is the default of."""
    kind: str = "text"
    """text, path, number, boolean, prompt:QUESTION or secret (a file)."""


def _defaults(key: str, *env: str, variable: str = "", kind: str = "text", section: str = "defaults") -> Setting:
    return Setting(((section, key),), env or (f"ANSIBLE_{key.upper()}",), variable, kind)


_BECOME, _SSH = "privilege_escalation", "ssh_connection"
VARIABLES = (
    _defaults("remote_user", variable="ansible_user"),
    _defaults("remote_port", variable="ansible_port", kind="number"),
    _defaults("private_key_file", variable="ansible_ssh_private_key_file", kind="path"),
    _defaults("interpreter_python", "ANSIBLE_PYTHON_INTERPRETER", variable="ansible_python_interpreter"),
    _defaults("ask_pass", variable="ansible_password", kind="prompt:SSH password"),
    _defaults("connection_password_file", variable="ansible_password", kind="secret"),
    _defaults("become", variable="ansible_become", kind="boolean", section=_BECOME),
    _defaults("become_method", variable="ansible_become_method", section=_BECOME),
    _defaults("become_user", variable="ansible_become_user", section=_BECOME),
    _defaults("become_ask_pass", variable="ansible_become_password", kind="prompt:sudo password", section=_BECOME),
    _defaults("become_password_file", variable="ansible_become_password", kind="secret"),
    Setting(
        (("defaults", "timeout"), (_SSH, "timeout")),
        ("ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT"),
        "ansible_timeout",
        "number",
    ),
    _defaults("ssh_args", variable="ansible_ssh_args", section=_SSH),
    _defaults("ssh_common_args", variable="ansible_ssh_common_args", section=_SSH),
    _defaults("ssh_extra_args", variable="ansible_ssh_extra_args", section=_SSH),
)
"""What becomes a connection variable."""
INVENTORY = _defaults("inventory")
FORKS = _defaults("forks", kind="number")
VAULT_PASSWORD_FILE = _defaults("vault_password_file", kind="path")
VAULT_IDENTITIES = _defaults("vault_identity_list")
ASK_VAULT_PASS = _defaults("ask_vault_pass", kind="boolean")
HOST_KEY_CHECKING = Setting(
    (("defaults", "host_key_checking"), (_SSH, "host_key_checking")),
    ("ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"),
    kind="boolean",
)
WITHOUT_EFFECT: dict[Setting, tuple[str, ...]] = {
    _defaults("hash_behaviour"): ("replace",),
    _defaults("jinja2_extensions"): (),
    _defaults("error_on_undefined_vars", kind="boolean"): ("true",),
    _defaults("precedence"): (),
    _defaults("vars_plugins_enabled", "ANSIBLE_VARS_ENABLED"): ("host_group_vars",),
    _defaults("transport"): ("ssh", "smart", "paramiko"),
    _defaults("force_valid_group_names", "ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS"): ("never", "ignore", "silently"),
    _defaults("yaml_valid_extensions", "ANSIBLE_YAML_FILENAME_EXT"): (),
    _defaults("vault_id_match", kind="boolean"): ("false",),
    _defaults("become_exe", section=_BECOME): ("sudo",),
    _defaults("become_flags", section=_BECOME): (),
    _defaults("ssh_executable", section=_SSH): ("ssh",),
    Setting(
        (("defaults", "inventory_ignore_extensions"), ("inventory", "ignore_extensions")), ("ANSIBLE_INVENTORY_IGNORE",)
    ): (),
    Setting(
        (("defaults", "inventory_ignore_patterns"), ("inventory", "ignore_patterns")),
        ("ANSIBLE_INVENTORY_IGNORE_REGEX",),
    ): (),
}
"""What would change hosts, values or the way to a host, and is not honoured; with the values that mean no change."""
REFUSED = (
    "host_key_checking=false is refused: whoever answers in a host's place would get its passwords and root's work; "
    "keys are checked, and --accept-new-host-keys adds unknown ones"
)


@dataclass(frozen=True)
class Config:
    """What was found. `levels` are connection variables, the weakest first, below all of an inventory's."""

    file: Path | None = None
    levels: tuple[Level, ...] = ()
    inventory: tuple[str, ...] = ()
    vault_ids: tuple[str, ...] = ()
    forks: int | None = None
    warnings: tuple[str, ...] = field(default=())


NO_CONFIG = Config()


def read(environ: Mapping[str, str] = os.environ, file: Path | None = None) -> Config:
    """What Ansible would be told here: by `file`, or by the one that Ansible finds. Raises InputError."""
    warnings: list[str] = []
    return _Reader(environ, file or find(environ, warnings), warnings).config()


def find(environ: Mapping[str, str], warnings: list[str]) -> Path | None:
    """$ANSIBLE_CONFIG, ./ansible.cfg, ~/.ansible.cfg, /etc/ansible/ansible.cfg: the first that can be read."""
    named = environ.get("ANSIBLE_CONFIG")
    places = [Path(os.path.abspath(os.path.expanduser(named)))] if named is not None else []
    places = [place / FILE if place.is_dir() else place for place in places]
    here = Path.cwd() / FILE
    if not here.parent.stat().st_mode & stat.S_IWOTH:
        places.append(here)
    elif here.exists() and not any(os.access(place, os.R_OK) for place in places):
        warnings.append(f"{shown(here)} is not read: everyone can write in this directory")
    places += [Path("~/.ansible.cfg").expanduser(), Path("/etc/ansible") / FILE]
    return next((place for place in places if os.access(place, os.R_OK)), None)


class _Reader:
    def __init__(self, environ: Mapping[str, str], file: Path | None, warnings: list[str]) -> None:
        self._environ = environ
        self._file = file
        self._warnings = warnings
        self._problems: list[Problem] = []
        self._sections: Mapping[str, Mapping[str, str]] = {}
        self._lines: list[str] = []

    def config(self) -> Config:
        self._read_file()
        levels = {FILE: Map(), ENVIRONMENT: Map()}
        for setting in VARIABLES:
            found = self._value(setting)
            if found is not None and found[0] is not None:
                value, at = found
                owner = ENVIRONMENT if at.file in self._environ else FILE
                levels[owner].put(setting.variable, value, at, at)
        forks = self._value(FORKS)
        config = Config(
            self._file,
            tuple(Level(owner, variables) for owner, variables in levels.items() if variables),
            self._inventory(),
            tuple(self._vault_ids()),
            forks[0] if forks else None,
            tuple(self._told()),
        )
        if self._problems:
            raise InputError(self._problems)
        return config

    def _read_file(self) -> None:
        if self._file is None or not self._file.is_file():  # /dev/null is Ansible's way to have none
            return
        import configparser  # noqa: PLC0415 - where there is a file

        parser = configparser.ConfigParser(inline_comment_prefixes=(";",), interpolation=None)
        try:
            text = self._file.read_text("utf-8")
            self._lines = text.splitlines()
            parser.read_string(text, shown(self._file))
            self._sections = parser
        except (OSError, UnicodeDecodeError) as error:
            self._problems.append(Problem(f"cannot be read: {error}", shown(self._file)))
        except configparser.Error as error:
            line = getattr(error, "lineno", None) or next(iter(getattr(error, "errors", ())), (1,))[0]
            what = "is no line of the form KEY = VALUE, nor a [section]"
            if isinstance(error, configparser.DuplicateOptionError):
                what = f"{error.option} stands twice"
            elif isinstance(error, configparser.DuplicateSectionError):
                what = f"[{error.section}] stands twice"
            self._problems.append(Problem(what, f"{shown(self._file)}:{line}:1", "Ansible does not read it either"))

    def _raw(self, setting: Setting) -> tuple[str, Mark] | None:
        """The text of a setting, and where it stands."""
        for name in reversed(setting.env):
            if self._environ.get(name):
                return self._environ[name], Mark(name)
        for section, key in reversed(setting.ini):
            if section in self._sections and (text := self._sections[section].get(key, "").strip()):
                assert self._file is not None
                return text, Mark(shown(self._file), self._line(section, key), 1)
        return None

    def _line(self, section: str, key: str) -> int:
        inside, found = False, 1
        for number, line in enumerate(self._lines, 1):
            if line.startswith("["):
                inside = line.strip().startswith(f"[{section}]")
            elif inside and re.match(rf"{re.escape(key)}\s*[=:]", line, re.IGNORECASE):
                found = number
        return found

    def _value(self, setting: Setting) -> tuple[Any, Mark] | None:
        """The typed value and its place; None where it is not set, or wrong (noted)."""
        raw = self._raw(setting)
        if raw is None:
            return None
        try:
            return self._typed(setting.kind, *raw), raw[1]
        except Wrong as wrong:
            name = setting.ini[0][1]
            self._problems.append(Problem(f"{name}: {wrong.message}", str(raw[1]), wrong.hint))
            return None

    def _typed(self, kind: str, text: str, at: Mark) -> Any:
        if kind == "boolean":
            return boolean(text)
        if kind == "number":
            if not re.fullmatch(r"[0-9]{1,6}", text) or not int(text):
                raise Wrong(f"{text!r} is no number of 1 or more")
            return int(text)
        if kind == "path":
            return self._path(text, at)
        if kind == "secret":
            path = self._path(text, at)
            return Tagged("secret", f"cmd:{path}" if os.access(path, os.X_OK) else f"file:{path}", at)
        if kind.startswith("prompt:"):
            return Tagged("secret", kind, at) if boolean(text) else None
        return text if at.file in self._environ else _QUOTED.sub(r"\2", text)

    def _path(self, text: str, at: Mark) -> str:
        """Of the file's paths relative to the file; of the environment's to where the user stands."""
        path = os.path.expanduser(os.path.expandvars(text.strip().strip("'\"").replace("{{CWD}}", os.getcwd())))
        beside = self._file.parent if self._file and at.file not in self._environ else Path.cwd()
        return os.path.abspath(beside / path)

    def _inventory(self) -> tuple[str, ...]:
        raw = self._raw(INVENTORY)
        return tuple(self._path(part, raw[1]) for part in raw[0].split(",") if part.strip()) if raw else ()

    def _vault_ids(self) -> Iterable[str]:
        if raw := self._raw(VAULT_IDENTITIES):
            yield from filter(None, map(str.strip, raw[0].split(",")))
        if found := self._value(VAULT_PASSWORD_FILE):
            yield found[0]
        asked = self._value(ASK_VAULT_PASS)
        if asked and asked[0]:
            yield "prompt"

    def _told(self) -> Iterable[str]:
        yield from self._warnings
        checking = self._value(HOST_KEY_CHECKING)
        if checking and not checking[0]:
            yield f"{checking[1]}: {REFUSED}"
        found = [
            (setting.ini[-1][1], raw[1])
            for setting, harmless in WITHOUT_EFFECT.items()
            if (raw := self._raw(setting)) and not _is_harmless(setting, raw[0], harmless)
        ]
        if found:
            names = ", ".join(f"{name} ({at})" for name, at in found)
            yield f"of Ansible's settings {names} {'has' if len(found) == 1 else 'have'} no effect here"


def _is_harmless(setting: Setting, text: str, harmless: Iterable[str]) -> bool:
    if setting.kind == "boolean":
        return str(boolean(text)).lower() in harmless
    return text.strip().lower() in harmless
