"""The kernel: sysctl settings, modules and mounts, each now and after the next boot."""

from typing import Annotated

from pydantic import Field

from provision.resources.resource import Resource


class Sysctl(Resource):
    """A setting of the kernel: its live value, and a file in /etc/sysctl.d that sets it at boot."""

    kind = "sysctl"
    name: Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9_-]*([./][A-Za-z0-9_:@.-]+)+$")]
    """As sysctl(8) takes it: net.ipv4.ip_forward, or net/ipv4/conf/eth0.1/forwarding where a part has a dot."""
    value: Annotated[str, Field(min_length=1, pattern=r"^[^\n#;]+$")] | None
    """Blanks and tabs between words count as one blank. None: our file must not be there; the live value stays."""


class KernelModule(Resource):
    """A module of the kernel that is loaded now and at boot; one that is built in counts as loaded."""

    kind = "kernel_module"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    """`-` and `_` are the same."""
    options: dict[str, str] = {}
    """Parameters for when it is loaded; a module that is loaded with others is a failure, and never reloaded."""
    absent: bool = False
    """Our files must not be there; a module that is loaded stays so."""


class Mount(Resource):
    """A file system that is mounted now, and by /etc/fstab at boot; all other lines of that file stay."""

    kind = "mount"
    path: Annotated[str, Field(pattern=r"^/[^\s\\]*[^\s\\/]$")]
    """The mount point; it is made where it is missing, and must be empty where nothing is mounted on it."""
    source: Annotated[str, Field(pattern=r"^[^\s\\#][^\s\\]*$")]
    """As in fstab: a device, UUID=, LABEL=, host:/export, tmpfs."""
    fstype: Annotated[str, Field(pattern=r"^[A-Za-z0-9._,-]+$")]
    options: Annotated[str, Field(pattern=r"^[^\s\\]+$")] = "defaults"
    """With `noauto` it is in fstab only. ro, nosuid, nodev and noexec are compared with the live mount."""
    absent: bool = False
    """It must not be in fstab with this source; what is mounted stays so."""
