"""What a user's own Docker client is told: logins at registries, and the proxies of the user's containers.

The law: both sides of each difference are secret. Only what is asked is touched in a file that others write to as well,
and what is no longer asked for goes alone.
"""

from ..engine.resource import Resource
from .client_config import Client, key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State, Undo

PROXIES = ("httpProxy", "httpsProxy", "ftpProxy", "noProxy")


class RegistryLogin(Resource):
    registry: str
    user: str
    username: str
    password: "str | None"
    secret_keys = ("login",)

    def identity(self) -> str:
        return "{} for {}".format(key_of(self.registry), self.user)

    def desired(self) -> "State":
        """login: user:password or None; mode, owner and directory of the client's configuration."""
        if self.password is None:
            return {"login": None}
        attributes = {"mode": "0600", "owner": self.user, "directory": "{} 0700".format(self.user)}
        return dict(attributes, login="{}:{}".format(self.username, self.password))

    def actual(self, system: "System") -> "State | None":
        """As `desired`. None: there is no such account."""
        client = Client(system, self.user)
        if not client.exists:
            return None
        return dict(client.attributes(), login=client.login(self.registry))

    def apply(self, system: "System", diff: "Diff") -> None:
        """Keep or forget the login, in the file or with the credential helper."""
        client = Client(system, self.user)
        if self.password is None:
            client.forget_login(self.registry)
        elif "login" in diff:
            client.keep_login(self.registry, self.username, self.password)
        else:
            client.save(client.load())  # with the right modes and owner

    def when_dropped(self) -> "Undo | None":
        if self.password is None:
            return None
        return "registry_login", {"registry": self.registry, "user": self.user, "username": "", "password": None}


class ClientProxies(Resource):
    user: str
    proxies: "dict[str, str] | None"
    secret_keys = ("proxies",)

    def identity(self) -> str:
        return self.user

    def desired(self) -> "State":
        """proxies: {name: URL} or None; mode, owner and directory of the client's configuration."""
        if self.proxies is None:
            return {"proxies": None}
        attributes = {"mode": "0600", "owner": self.user, "directory": "{} 0700".format(self.user)}
        return dict(attributes, proxies=self.proxies)

    def actual(self, system: "System") -> "State | None":
        """As `desired`. None: there is no such account."""
        client = Client(system, self.user)
        if not client.exists:
            return None
        default = client.load().get("proxies", {}).get("default") or {}
        ours = {name: default[name] for name in PROXIES if name in default}
        return dict(client.attributes(), proxies=ours or None)

    def apply(self, system: "System", diff: "Diff") -> None:
        """Write the default proxies; other keys of the file stay."""
        client = Client(system, self.user)
        document = client.load()
        sets = document.setdefault("proxies", {})
        kept = {name: value for name, value in (sets.get("default") or {}).items() if name not in PROXIES}
        sets["default"] = dict(kept, **(self.proxies or {}))
        if not sets["default"]:
            del sets["default"]
        if not sets:
            del document["proxies"]
        client.save(document)

    def when_dropped(self) -> "Undo | None":
        return None if self.proxies is None else ("client_proxies", {"user": self.user, "proxies": None})
