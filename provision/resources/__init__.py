"""The vocabulary: what a host can be asked to have.

The law: declaration only. How it is made true stands in agent/<kind>.py, and a contract test pins both field sets.
All are frozen, and an unknown field is an error. A field that may hold a secret takes `str | Secret`; where it does,
the resource is sensitive: the agent shows no diff of it.
"""

from provision.resources.accounts import (
    ClientProxies,
    Group,
    GroupExclusive,
    GroupMembership,
    RegistryLogin,
    RegistryProof,
    UserAccount,
)
from provision.resources.docker import (
    DaemonEnvironment,
    DaemonFlags,
    DaemonInput,
    DaemonOption,
    DockerLive,
    Flag,
    Image,
    ImageMirror,
    Reload,
    Service,
)
from provision.resources.files import Command, Directory, File, JsonKeys, Key, Programs, Symlink, TomlValues
from provision.resources.gpu import CdiSpec, GpuProof, NvidiaDriver
from provision.resources.packages import AptConf, AptEffective, AptSource, Deb, Package, Packages
from provision.resources.resource import AbsolutePath, Mode, Resource

__all__ = [
    "AbsolutePath",
    "AptConf",
    "AptEffective",
    "AptSource",
    "CdiSpec",
    "ClientProxies",
    "Command",
    "DaemonEnvironment",
    "DaemonFlags",
    "DaemonInput",
    "DaemonOption",
    "Deb",
    "Directory",
    "DockerLive",
    "File",
    "Flag",
    "GpuProof",
    "Group",
    "GroupExclusive",
    "GroupMembership",
    "Image",
    "ImageMirror",
    "JsonKeys",
    "Key",
    "Mode",
    "NvidiaDriver",
    "Package",
    "Packages",
    "Programs",
    "RegistryLogin",
    "RegistryProof",
    "Reload",
    "Resource",
    "Service",
    "Symlink",
    "TomlValues",
    "UserAccount",
]
