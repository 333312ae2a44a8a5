"""A login is proven against the registry itself, from this host, before anybody is told to use it.

The law: what a registry would answer to anybody proves nothing, so a login counts only where a made-up one is refused.
The wrong login is tried once. A proof is kept as a digest of what was proven and holds for `max_age`.
"""

import os
import threading
import time

from ..engine.resource import Resource
from ..host.errors import Failed, Unknown
from .http import Registry, RegistryRefused, RegistryUnreachable, basic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State


class RegistryProof(Resource):
    registry: str
    username: str
    password: str
    ca_certificate: "str | None"
    realm_hosts: "list[str]"
    repository: "str | None"
    insecure: bool
    max_age: int
    timeout: int
    probe = True
    _age = None

    def identity(self) -> str:
        return "{} as {}".format(self.registry, self.username)

    def desired(self) -> "State":
        """proven: yes."""
        return {"proven": "yes"}

    def actual(self, system: "System") -> "State | None":
        """proven: yes, or why what is known does not do."""
        record = system.state_file.get("proofs", self._name()) or {}
        age = time.time() - record.get("at", 0)
        if record.get("digest") == self._digest(system) and 0 <= age < self.max_age:
            self._age = age
            return {"proven": "yes"}
        try:
            self._prove(system)
        except RegistryUnreachable as error:
            return {"proven": "no: {}".format(error)}
        return {"proven": "yes"}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Log in, as Docker would. Failed where the registry refuses; Unknown where it proves nothing."""
        try:
            self._prove(system)
        except RegistryUnreachable as error:
            raise Unknown(
                "the login of {} at {} cannot be proven: {}".format(self.username, self.registry, error)
            ) from None

    def note(self, diff: "Diff") -> str:
        if self._age is None:
            return ""
        return "proven {:.0f} min ago".format(self._age / 60)

    def settled(self, system: "System") -> None:
        if self._age is None:
            system.state_file.put("proofs", self._name(), {"digest": self._digest(system), "at": int(time.time())})

    def _name(self) -> str:
        return "registry " + self.registry

    def _digest(self, system: "System") -> str:
        parts = [self.username, self.password, self.ca_certificate or "", self.repository or "", str(self.insecure)]
        return system.state_file.digest("\0".join(parts).encode("utf-8"))

    def _prove(self, system: "System") -> None:
        """In a thread, since looking up a name, and a server that sends a byte a second, know no time limit."""
        box: "list[BaseException | None]" = []

        def work() -> None:
            try:
                self._conversation(system)
                box.append(None)
            except BaseException as error:
                box.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(self.timeout)
        if not box:
            raise RegistryUnreachable("{} gave no answer within {} s".format(self.registry, self.timeout))
        if box[0] is not None:
            raise box[0]

    def _conversation(self, system: "System") -> None:
        registry = Registry(system, self.registry, self.ca_certificate, self.insecure, self.realm_hosts)
        scheme, parameters = registry.challenge()
        if scheme == "basic":
            self._judge(registry.ask("", basic(self._login())).status)
        elif scheme == "bearer":
            self._bearer(registry, parameters)
        elif scheme is None:
            raise Unknown("{} asks nobody for a login, so none can be proven".format(self.registry))
        else:
            raise Failed(
                "{} asks for a login of the kind {!r}, which Docker does not know".format(self.registry, scheme)
            )

    def _bearer(self, registry: "Registry", parameters: "dict[str, str]") -> None:
        scope = "repository:{}:pull".format(self.repository) if self.repository else None
        status, token = registry.token(parameters, self._login(), scope)
        self._judge(status)
        if token is None:
            raise Failed("the token service of {} gave no token".format(self.registry), "ask who runs the registry")
        path = "{}/tags/list".format(self.repository) if self.repository else ""
        self._judge(registry.ask(path, "Bearer " + token).status)
        stranger = ("provision-" + os.urandom(6).hex(), os.urandom(12).hex())
        status, token = registry.token(parameters, stranger, scope)
        if status == 200 and token and registry.ask(path, "Bearer " + token).status == 200:
            cause = "{} gives a token to anybody, so the login of {} cannot be proven; set repository to a private one"
            raise Unknown(cause.format(self.registry, self.username))

    def _login(self) -> "tuple[str, str]":
        return self.username, self.password

    def _judge(self, status: int) -> None:
        if status in (401, 403):
            cause = "{} does not take the login of {} (status {})".format(self.registry, self.username, status)
            raise RegistryRefused(cause, "correct its username or password; nothing was written")
        if status == 404 and self.repository:
            raise Failed(
                "{} has no repository {} for {}".format(self.registry, self.repository, self.username), "correct it"
            )
        if status == 407:
            raise RegistryUnreachable("the proxy wants a login (status 407)")
        if status != 200:
            raise RegistryUnreachable("{} answers with status {}".format(self.registry, status))
