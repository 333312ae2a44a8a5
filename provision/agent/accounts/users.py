"""Accounts and groups of the host.

The law: an account that comes from a directory service (it resolves, and is not in /etc/passwd) is used and never
changed; what of it is not as asked is a failure that says so. A password hash reaches chpasswd on stdin, never an argv.
An account's uid and home are never changed once it is there: files and running processes hang on them.
"""

import pwd

from ..engine.resource import Resource
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System
    from ..types import Diff, State, Undo


class Group(Resource):
    name: str

    def identity(self) -> str:
        return self.name

    def desired(self) -> "State":
        """exists: true."""
        return {"exists": True}

    def actual(self, system: "System") -> "State | None":
        """As `desired`, or None."""
        return {"exists": True} if system.gid(self.name) is not None else None

    def apply(self, system: "System", diff: "Diff") -> None:
        """Make it, as a system group."""
        system.run(["groupadd", "--force", "--system", self.name])  # --force: another run's group is as good


class UserAccount(Resource):
    name: str
    uid: "int | None"
    home: "str | None"
    shell: "str | None"
    password_hash: "str | None"
    password: str
    secret_keys = ("password",)

    def identity(self) -> str:
        return self.name

    def desired(self) -> "State":
        """exists, and of uid, home, shell, password (a hash) those that are asked for."""
        wanted = {
            "exists": True,
            "uid": self.uid,
            "home": self.home,
            "shell": self.shell,
            "password": self.password_hash,
        }
        return {key: value for key, value in wanted.items() if value is not None}

    def actual(self, system: "System") -> "State | None":
        """As `desired`, or None. Failed for what is never changed on an account that is there."""
        entry = account(self.name)
        if entry is None:
            return None
        state = {"exists": True, "uid": entry.pw_uid, "home": entry.pw_dir, "shell": entry.pw_shell}
        if is_local(system, self.name):
            state["password"] = self._password(system)
            self._refuse(state, ("uid", "home"), "is never changed on an account that is there: change it by hand")
        else:
            state["password"] = self.password_hash if self.password == "on_create" else None
            why = "cannot be changed here: the account is not in /etc/passwd but in a directory (LDAP, NIS)"
            self._refuse(state, ("uid", "home", "shell", "password"), why)
        return state

    def _refuse(self, state: "dict[str, Any]", keys: "tuple[str, ...]", why: str) -> None:
        for key in keys:
            if self.desired().get(key, state[key]) != state[key]:
                shown = (
                    ""
                    if key in self.secret_keys
                    else " {} is {}, asked is {}, and it".format(key, state[key], getattr(self, key))
                )
                cause = "account {}:{} {}".format(self.name, shown or " its password", why)
                raise Failed(cause, "or take {} out of the settings of {}".format(key, self.name))

    def _password(self, system: "System") -> "str | None":
        """The hash in use. For on_create: the asked one, unless we made the account and died before it had it."""
        due = system.state_file.get("accounts", self.name) == {"password": "due"}
        if self.password == "on_create" and not due:
            return self.password_hash
        for line in (system.text("/etc/shadow") or "").splitlines():
            fields = line.split(":")
            if fields[0] == self.name:
                return fields[1]
        return None

    def apply(self, system: "System", diff: "Diff") -> None:
        """Make the account; on one that is there shell and password alone are changed."""
        if "exists" in diff:
            if self.password_hash is not None:
                system.state_file.put("accounts", self.name, {"password": "due"})
            system.run(
                ["useradd"] + self._options(system) + [self.name], fix="look at useradd's words; correct the settings"
            )
        elif "shell" in diff:
            system.run(["usermod", "--shell", self.shell or "", self.name])
        if "password" in diff:
            system.run(
                ["chpasswd", "--encrypted"], stdin="{}:{}\n".format(self.name, self.password_hash).encode("ascii")
            )

    def when_removed(self, role: str) -> "Undo | None":
        return None if self.found is not None else ("account_left", {"name": self.name})

    def settled(self, system: "System") -> None:
        system.state_file.put("accounts", self.name, None)

    def _options(self, system: "System") -> "list[str]":
        options = ["--create-home", "--shell", self.shell or "/bin/bash"]
        options += ["--gid", self.name] if system.gid(self.name) is not None else ["--user-group"]
        options += ["--uid", str(self.uid)] if self.uid is not None else []
        return options + (["--home-dir", self.home] if self.home is not None else [])


class AccountLeft(Resource):
    """An account that we made. It stays, with its files: this is only how `status` finds that it is there still."""

    name: str

    def identity(self) -> str:
        return self.name

    def desired(self) -> "State":
        return {"left": False}

    def actual(self, system: "System") -> "State":
        return {"left": is_local(system, self.name)}


def account(name: str) -> "pwd.struct_passwd | None":
    """The passwd entry, wherever it comes from, or None."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def is_local(system: "System", name: str) -> bool:
    return any(line.split(":")[0] == name for line in (system.text("/etc/passwd") or "").splitlines())
