"""Users, groups, and who is a member of which."""

from typing import Annotated, Literal

from provision.resources.resource import AbsolutePath, Resource
from provision.secrets import Secret
from provision.sentences import Spelled

_KEY = (
    r'^([^\s"#]([^\s"]|"([^"\\\r\n]|\\[^\r\n])*")*[ \t]+)?'
    r"(sk-)?(ssh|ecdsa)-[A-Za-z0-9@.-]+[ \t]+[A-Za-z0-9+/]{16,}={0,2}([ \t][^\r\n]*)?$"
)


class Group(Resource):
    """A local system group that exists."""

    kind = "group"
    name: str


class UserAccount(Resource):
    """An account that exists; what is None is not looked at."""

    kind = "user_account"
    name: str
    uid: int | None = None
    home: AbsolutePath | None = None
    shell: AbsolutePath | None = None
    password_hash: Secret | None = None
    """As crypt(5) makes it."""
    password: Literal["on_create", "always"] = "on_create"  # noqa: S105 - when, not what
    """When the hash is set: only with an account that we make, or whenever it differs."""


class GroupMembership(Resource):
    """Is this account a member of this group? No other group of the account is touched."""

    kind = "group_membership"
    group: str
    user: str
    member: bool = True
    created: bool = False
    """The account is made in the same run: that it is not there yet is no error."""


class GroupExclusive(Resource):
    """Nobody but these accounts, and system accounts, is a member of this group."""

    kind = "group_exclusive"
    group: str
    keep: tuple[str, ...]


class AuthorizedKey(Resource):
    """A public key in a user's ~/.ssh/authorized_keys, once; all other lines stay."""

    kind = "authorized_key"
    user: str
    key: Annotated[str, Spelled(_KEY, "should be one line of authorized_keys, as in ssh-ed25519 AAAA… alice@laptop")]
    """One line as sshd(8) takes it: options, type, the key, a comment. The comment is not compared, the options are."""
    absent: bool = False
    """The key must not be there, with whatever options."""
