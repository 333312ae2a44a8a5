"""Who is a member of a group: what the kernel will be told at the account's next login, not what one file says.

The law: only this one membership is changed (`gpasswd`), never the list of an account's groups. A membership that this
host's own /etc/group does not decide (primary group, directory service) is a failure that says so.
"""

import grp
import os
import re

from ..engine.resource import Resource
from ..host.errors import Failed, Unknown
from .users import account

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pwd

    from ..host.system import System
    from ..types import Diff, State, Undo

ROOT_EQUIVALENT = "members of the group docker can become root on this host"


class GroupMembership(Resource):
    group: str
    user: str
    member: bool
    created: bool

    def identity(self) -> str:
        return "{} in {}".format(self.user, self.group)

    def desired(self) -> "State":
        """member: true or false."""
        return {"member": self.member}

    def note(self, diff: "Diff") -> str:
        return ROOT_EQUIVALENT if self.group == "docker" and self.member else ""

    def actual(self, system: "System") -> "State | None":
        """As `desired`. Failed where it cannot be changed here."""
        entry, gid = account(self.user), system.gid(self.group)
        if entry is None and self.member and not self.created:
            fix = "create the account, or set create: true; or correct the name"
            raise Failed("there is no account {} on this host".format(self.user), fix)
        member = entry is not None and gid is not None and self._is_member(entry, gid)
        if member != self.member and gid is not None:
            self._refuse(system)
        return {"member": member}

    def _is_member(self, entry: "pwd.struct_passwd", gid: int) -> bool:
        try:
            return gid in os.getgrouplist(self.user, entry.pw_gid)
        except OSError as error:
            raise Unknown("the groups of {} cannot be looked up: {}".format(self.user, error)) from None

    def _refuse(self, system: "System") -> None:
        """What is not decided here is refused in the plan already."""
        if local_members(system, self.group) is None:
            raise Failed(
                "group {} is not in /etc/group".format(self.group),
                "it comes from a directory (LDAP, NIS): change it there",
            )
        if not self.member:
            refuse_to_leave(system, self.user, self.group)

    def apply(self, system: "System", diff: "Diff") -> None:
        """Add the user, or take it out."""
        if self.member:
            system.run(["gpasswd", "--add", self.user, self.group])
        else:
            leave(system, self.user, self.group)

    def when_dropped(self) -> "Undo | None":
        if not self.member:
            return None
        return "group_membership", {"group": self.group, "user": self.user, "member": False, "created": False}


class GroupExclusive(Resource):
    group: str
    keep: "list[str]"

    def identity(self) -> str:
        return self.group

    def desired(self) -> "State":
        """others: [], the members that nobody asked for."""
        return {"others": []}

    def actual(self, system: "System") -> "State | None":
        """Who is in the group beside `keep`: by its list, and by primary group for the accounts of /etc/passwd."""
        gid = system.gid(self.group)
        if gid is None:
            return {"others": []}
        members = set(grp.getgrgid(gid).gr_mem) | set(local_members(system, self.group) or ())
        for fields in rows(system, "/etc/passwd"):
            if len(fields) > 3 and fields[3] == str(gid):
                members.add(fields[0])
        lowest = lowest_regular_uid(system)
        others = sorted(name for name in members - set(self.keep) if not _is_system(name, lowest))
        for name in others:
            refuse_to_leave(system, name, self.group)
        return {"others": others}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Take each of the others out."""
        for name in diff["others"][0]:
            leave(system, name, self.group)


def leave(system: "System", user: str, group: str) -> None:
    """Take an account out of a group, as far as this host's own files decide that."""
    refuse_to_leave(system, user, group)
    system.run(["gpasswd", "--delete", user, group])


def refuse_to_leave(system: "System", user: str, group: str) -> None:
    """Raise the Failed for a membership that this host's own /etc/group does not decide."""
    entry = account(user)
    if entry is not None and entry.pw_gid == system.gid(group):
        fix = "give it another one: usermod --gid OTHER {}".format(user)
        raise Failed("{} is the primary group of {}".format(group, user), fix)
    if user not in (local_members(system, group) or ()):
        raise Failed(
            "{} is in group {} by a directory (LDAP, NIS)".format(user, group), "take the account out of it there"
        )


def local_members(system: "System", group: str) -> "list[str] | None":
    """The members that /etc/group lists, or None where it has no such group."""
    for fields in rows(system, "/etc/group"):
        if fields[0] == group and len(fields) > 3:
            return [name for name in fields[3].split(",") if name]
    return None


def rows(system: "System", path: str) -> "list[list[str]]":
    return [line.split(":") for line in (system.text(path) or "").splitlines()]


def lowest_regular_uid(system: "System") -> int:
    """The lowest uid of people, from /etc/login.defs."""
    text = system.text("/etc/login.defs") or ""
    found = dict(re.findall(r"^\s*(UID_MIN)\s+(\d+)", text, re.M))
    return int(found.get("UID_MIN", 1000))


def _is_system(name: str, lowest: int) -> bool:
    """A system account: below the uids of people. One of a directory may be above them: it is a person's."""
    entry = account(name)
    return entry is not None and (entry.pw_uid < lowest or entry.pw_uid == 65534)
