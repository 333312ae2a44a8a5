"""Who may use Docker: accounts, and their membership in the group docker, which equals root on the host.

Other groups of an account are never touched. An account that LDAP or NIS knows can be a member too; its password, shell
and home are not this host's to change.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from provision import role
from provision.resources import AbsolutePath, Group, GroupExclusive, GroupMembership, Resource, UserAccount
from provision.secrets import Secret

GROUP = "docker"
CRYPT = re.compile(
    r"\$6\$(rounds=\d+\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}"
    r"|\$5\$(rounds=\d+\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43}"
    r"|\$g?y\$[./0-9A-Za-z]+\$[./0-9A-Za-z]{1,86}\$[./0-9A-Za-z]{43}"
    r"|\$2[aby]\$\d\d\$[./0-9A-Za-z]{53}"
)
OLD_CRYPT = {"ubuntu": 20.04, "debian": 11}
"""The first release whose libcrypt knows yescrypt and bcrypt."""


def _hash(value: Secret) -> Secret:
    if not CRYPT.fullmatch(value.reveal()):
        raise ValueError("should be a hash as crypt(5) makes it, and no password: openssl passwd -6 makes one")
    return value


Name = Annotated[
    str,
    Field(max_length=256),
    role.Spelled(r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]*[$]?$", "is no name of a user: letters, digits and _ . @ + - only"),
]


class User(BaseModel):
    """One account."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    state: Literal["present", "absent"] = "present"
    """absent: not in the group docker. The account itself stays."""
    create: bool = False
    """Make the account where there is none."""
    uid: Annotated[int, Field(ge=0, lt=2**32 - 1)] | None = None
    home: AbsolutePath | None = None
    """Of an account that is made; null: useradd's default."""
    shell: AbsolutePath | None = None
    """null: /bin/bash for an account that is made."""
    password_hash: Annotated[Secret, AfterValidator(_hash)] | None = None
    """As `openssl passwd -6` makes it."""
    password: Literal["on_create", "always"] = "on_create"  # noqa: S105 - when, not what
    """When the hash is set: with the account, or whenever it differs (the user cannot keep a password of their own)."""

    @model_validator(mode="after")
    def _only_made_accounts_have_details(self) -> "User":
        details = [name for name in ("uid", "home", "shell", "password_hash") if getattr(self, name) is not None]
        if self.state == "absent" and (self.create or details):
            raise ValueError("state: absent is about the group alone, and takes no create and no details of an account")
        if details and not self.create:
            raise ValueError(f"{details[0]} is of use with create: true only; without it an account is left as it is")
        return self


class Settings(role.Settings):
    users: dict[Name, User] = Field({})
    """By account name. {}: an account that exists becomes a member."""
    exclusive: bool = False
    """Everybody else leaves the group, and the plan lists them; system accounts stay."""


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    if any(user.state == "present" for user in settings.users.values()):
        yield Group(name=GROUP)
    for name, user in settings.users.items():
        if user.create:
            _check_hash(facts, name, user)
            given = user.model_dump(include={"uid", "home", "shell", "password"})
            yield UserAccount(name=name, password_hash=user.password_hash, **given)
        yield GroupMembership(group=GROUP, user=name, member=user.state == "present", created=user.create)
    if settings.exclusive:
        present = tuple(name for name, user in settings.users.items() if user.state == "present")
        yield GroupExclusive(group=GROUP, keep=present)


def _check_hash(facts: role.Facts, name: str, user: User) -> None:
    """Refuse a hash that this host's libcrypt cannot read: it would lock the user out."""
    if user.password_hash is None or user.password_hash.reveal()[:3] in ("$5$", "$6$"):
        return
    first = OLD_CRYPT.get(facts.os.id)
    if first is not None and float(facts.os.version_id or first) < first:
        release = facts.os.name or facts.os.id
        raise role.Refuse(
            f"the password hash of {name} is of a kind that {release} cannot read", "make one with openssl passwd -6"
        )
