"""A user's own configuration of the Docker client: ~/.docker/config.json and the credential helper it may name.

The law: the file is the user's: foreign keys, their order and the client's own form (tabs, no newline at the end)
stay; it is read and written without following a link in the user's directories. What it holds is never part of an
error's text. A credential helper is run as that user, and gets and gives secrets on its standard streams only.
"""

import base64
import binascii
import json
import os
import re

from ..accounts.users import account
from ..files.file import described
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pwd
    from typing import Any

    from ..host.results import CommandResult
    from ..host.system import System

HUB = "https://index.docker.io/v1/"
HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io", HUB)
NOT_FOUND = "credentials not found in native keychain"
"""What every helper says on stdout where it has no login for a server."""


def key_of(registry: str) -> str:
    """The name under which the client keeps a registry's login."""
    return HUB if registry in HUB_NAMES else registry


class Client:
    """One user's configuration. `exists` is False for a user that this host does not know."""

    def __init__(self, system: "System", user: str) -> None:
        self._system = system
        self.user = user
        self._entry = account(user)
        self.exists = self._entry is not None

    @property
    def _account(self) -> "pwd.struct_passwd":
        if self._entry is None:
            raise Failed(
                "there is no account {} on this host".format(self.user),
                "create it first (role docker_users), or correct the name",
            )
        return self._entry

    @property
    def path(self) -> str:
        return os.path.join(self._account.pw_dir, ".docker", "config.json")

    # -- the file

    def load(self) -> "dict[str, Any]":
        """The document; {} where there is no file."""
        found = self._system.read_unlinked(self.path)
        try:
            document = json.loads(found[0].decode("utf-8")) if found and found[0].strip() else {}
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not all(
            isinstance(document.get(k, {}), dict) for k in ("auths", "credHelpers", "proxies")
        ):
            raise Failed(
                "{} is no configuration of Docker's client".format(self.path), "correct it by hand, or move it away"
            )
        return document

    def attributes(self) -> "dict[str, Any]":
        """{mode, owner} of the file, and the same of its directory in one word; None where there is no file."""
        if self._system.read_unlinked(self.path) is None:
            return {"mode": None, "owner": None, "directory": None}
        file, directory = (described(self._system, path) or {} for path in (self.path, os.path.dirname(self.path)))
        private = not int(file["mode"], 8) & ~0o600  # a stricter one stays
        return {
            "mode": "0600" if private else file["mode"],
            "owner": file["owner"],
            "directory": "{} {}".format(directory["owner"], directory["mode"]),
        }

    def save(self, document: "dict[str, Any]") -> None:
        """Put the document in place, the directory made private first."""
        home, uid, gid = self._account.pw_dir, self._account.pw_uid, self._account.pw_gid
        directory = os.path.dirname(self.path)
        if self._system.stat(home) is None:
            raise Failed("{}, the home of {}, is not there".format(home, self.user), "create it, then run again")
        found = described(self._system, directory)
        if found is None:
            self._system.make_directory(directory, 0o700, uid, gid)
        elif (found["owner"], found["mode"]) != (self.user, "0700"):
            self._system.set_owner(directory, uid, gid)
            self._system.set_mode(directory, 0o700)
        text = json.dumps(document, indent="\t", ensure_ascii=False)
        file = self._system.read_unlinked(self.path)
        mode = 0o600 if file is None else file[1].st_mode & 0o600
        self._system.write(self.path, text.encode("utf-8", "surrogatepass"), mode, uid, gid)

    # -- logins

    def login(self, registry: str) -> "str | None":
        """user:password kept for a registry, by the helper or in the file; None where there is none."""
        document, key = self.load(), key_of(registry)
        helper = self._helper(document, key)
        if helper is not None:
            return self._from_helper(helper, key)
        entry = document.get("auths", {}).get(key) or {}
        try:
            if entry.get("identitytoken"):
                return ""  # Docker would prefer it to the password
            return base64.b64decode(entry.get("auth") or "", validate=True).decode("utf-8") or None
        except (AttributeError, TypeError, ValueError, binascii.Error):
            return ""  # something that is no login: to be replaced

    def keep_login(self, registry: str, username: str, password: str) -> None:
        document, key = self.load(), key_of(registry)
        helper = self._helper(document, key)
        entry = {"auth": base64.b64encode("{}:{}".format(username, password).encode("utf-8")).decode("ascii")}
        if helper is not None:
            given = {"ServerURL": key, "Username": username, "Secret": password}
            self._run_helper(helper, "store", json.dumps(given))
            entry = {}  # as the client does: the name of the server stays in the file
        document.setdefault("auths", {})[key] = entry
        self.save(document)

    def forget_login(self, registry: str) -> None:
        document, key = self.load(), key_of(registry)
        helper = self._helper(document, key)
        if helper is not None and self._from_helper(helper, key) is not None:
            self._run_helper(helper, "erase", key)
        if document.get("auths", {}).pop(key, None) is not None:
            if not document["auths"]:
                del document["auths"]
            self.save(document)

    # -- credential helpers

    def _helper(self, document: "dict[str, Any]", key: str) -> "str | None":
        name = document.get("credHelpers", {}).get(key) or document.get("credsStore")
        if not name:
            return None
        if not isinstance(name, str) or not re.match(r"[A-Za-z0-9._-]+$", name):
            raise Failed(
                "{} names an odd credential helper".format(self.path), "correct credsStore or credHelpers there"
            )
        return "docker-credential-" + name

    def _from_helper(self, helper: str, key: str) -> "str | None":
        result = self._system.query(self._as_user(helper, "get"), stdin=key.encode("utf-8"), env=self._environment())
        if not result.ok:
            if NOT_FOUND in result.out or NOT_FOUND in result.err:
                return None
            raise self._helper_failed(helper, "get", result)
        try:
            answer = json.loads(result.out)
            return "{}:{}".format(answer["Username"], answer["Secret"])
        except (ValueError, KeyError, TypeError):
            raise Failed(
                "{} of {} answers with something else than a login".format(helper, self.user), "look at it by hand"
            ) from None

    def _run_helper(self, helper: str, action: str, text: str) -> None:
        """The outputs of a helper may hold the secret: they are dropped."""
        try:
            self._system.run(
                self._as_user(helper, action), timeout=30, stdin=text.encode("utf-8"), env=self._environment()
            )
        except Failed as error:
            error.output = ""
            raise Failed("{} of {} failed to {} a login".format(helper, self.user, action), self._fix(helper)) from None

    def _as_user(self, helper: str, action: str) -> "list[str]":
        program = self._system.which(helper)
        if program is None:
            cause = "{} names the credential helper {}, which is not installed".format(self.path, helper)
            raise Failed(cause, "install it, or take credsStore or credHelpers out of that file")
        if self._account.pw_uid == os.geteuid():
            return [program, action]
        return ["runuser", "-u", self.user, "--", program, action]

    def _environment(self) -> "dict[str, str]":
        return {"HOME": self._account.pw_dir, "USER": self.user, "LOGNAME": self.user}

    def _helper_failed(self, helper: str, action: str, result: "CommandResult") -> Failed:
        what = "did not answer in time" if result.timed_out else "ended with status {}".format(result.status)
        return Failed("{} {} of {} {}".format(helper, action, self.user, what), self._fix(helper))

    def _fix(self, helper: str) -> str:
        return "run `{} list` as {} to see what is the matter".format(helper, self.user)
