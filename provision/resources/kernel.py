"""The kernel: sysctl settings, modules and mounts, each now and after the next boot."""

from typing import Annotated, Literal

from provision.resources.resource import Resource
from provision.sentences import Spelled

Word = Annotated[str, Spelled(r"^[^\s\"'#]+$", "should be one word without quotes")]

ITEMS = (
    *("core", "data", "fsize", "memlock", "nofile", "rss", "stack", "cpu", "nproc", "as", "maxlogins"),
    *("maxsyslogins", "priority", "locks", "sigpending", "msgqueue", "nice", "rtprio"),
)


class Sysctl(Resource):
    """A setting of the kernel: its live value, and a file in /etc/sysctl.d that sets it at boot."""

    kind = "sysctl"
    name: Annotated[
        str,
        Spelled(
            r"^[a-z][A-Za-z0-9_-]*([./][A-Za-z0-9_:@.-]+)+$", "should be a name as sysctl takes it, as in vm.swappiness"
        ),
    ]
    """As sysctl(8) takes it: net.ipv4.ip_forward, or net/ipv4/conf/eth0.1/forwarding where a part has a dot."""
    value: (
        Annotated[str, Spelled(r"^[^\n#;]*[^\s#;][^\n#;]*$", "should be one line, not empty, without # and ;")] | None
    )
    """Blanks and tabs between words count as one blank. None: our file must not be there; the live value stays."""


class KernelModule(Resource):
    """A module of the kernel that is loaded now and at boot; one that is built in counts as loaded."""

    kind = "kernel_module"
    name: Annotated[str, Spelled(r"^[A-Za-z0-9][A-Za-z0-9_-]*$", "should be a module's name, as in br_netfilter")]
    """`-` and `_` are the same."""
    options: dict[Word, Word] = {}
    """Parameters for when it is loaded; a module that is loaded with others is a failure, and never reloaded."""
    absent: bool = False
    """Our files must not be there; a module that is loaded stays so."""


class Mount(Resource):
    """A file system that is mounted now, and by /etc/fstab at boot; all other lines of that file stay."""

    kind = "mount"
    path: Annotated[str, Spelled(r"^/[^\s\\]*[^\s\\/]$", "should be an absolute path without blanks or a last slash")]
    """The mount point; it is made where it is missing, and must be empty where nothing is mounted on it."""
    source: Annotated[str, Spelled(r"^[^\s\\#][^\s\\]*$", "should be a source as in fstab, without blanks")]
    """As in fstab: a device, UUID=, LABEL=, host:/export, tmpfs."""
    fstype: Annotated[str, Spelled(r"^[A-Za-z0-9._,-]+$", "should be a type of file system, as in ext4")]
    options: Annotated[str, Spelled(r"^[^\s\\]+$", "should be options as in fstab, without blanks")] = "defaults"
    """With `noauto` it is in fstab only. ro, nosuid, nodev and noexec are compared with the live mount."""
    absent: bool = False
    """It must not be in fstab with this source; what is mounted stays so."""


class Limit(Resource):
    """A limit of login sessions (pam_limits), in a file of its own in /etc/security/limits.d; it counts from then on.

    Services have theirs from systemd (SystemdDropIn, LimitNOFILE=), containers from Docker (default_ulimits).
    """

    kind = "limit"
    domain: Annotated[
        str,
        Spelled(r"^([@%]?[A-Za-z0-9_][A-Za-z0-9_.-]*|\*|@?[0-9]*:[0-9]*)$", "should be a user, @group or *"),
    ]
    item: Annotated[str, Spelled(f"^({'|'.join(ITEMS)})$", "should be an item of limits.conf(5), as in memlock")]
    """As limits.conf(5) names it; sizes are in KiB there."""
    value: Annotated[str, Spelled(r"^(-?[0-9]+|unlimited|infinity)$", "should be a number or unlimited")] | None
    """None: our file must not be there."""
    type: Literal["soft", "hard", "-"] = "-"
    """-: both."""
