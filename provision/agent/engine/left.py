"""What stays on a host once nobody asks for a resource any more, since no run undoes it: packages, accounts, services.

The law: pure; it is remembered by role as [what, name], and `status` looks whether it is still there.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping

WHAT = {"packages": "package", "deb": "package", "user_account": "user", "group": "group", "service": "service"}


def things(item: "Mapping[str, Any]") -> "list[list[str]]":
    """[what, name] of each thing that a resource of a plan (kind, fields) leaves."""
    what, fields = WHAT.get(item["kind"]), item["fields"]
    if what is None:
        return []
    names = [package["name"] for package in fields["packages"]] if "packages" in fields else [fields["name"]]
    return [[what, name] for name in names]
