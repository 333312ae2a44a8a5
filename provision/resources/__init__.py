"""The vocabulary: what a host can be asked to have.

The law: declaration only. What resources/<subject>.py declares is made true in
agent/<subject>/, and a contract test pins both field sets.
All are frozen, and an unknown field is an error. A field that may hold a secret takes `str | Secret`; where it does,
the resource is sensitive: the agent shows no diff of it.
"""

from provision.resources.accounts import AuthorizedKey, Group, GroupExclusive, GroupMembership, UserAccount
from provision.resources.docker import (
    DaemonEnvironment,
    DaemonFlags,
    DaemonInput,
    DaemonOption,
    DockerCurrent,
    DockerLive,
    DockerPrograms,
    DockerService,
    Flag,
    JsonKeys,
    Key,
    Reload,
)
from provision.resources.files import Command, Directory, Download, File, LineInFile, Programs, Symlink, TomlValues
from provision.resources.gpu import CdiSpec, GpuDcgm, GpuProof, GpuSpeed, GpuSurvival, NvidiaDriver
from provision.resources.kernel import KernelModule, Limit, Mount, Sysctl
from provision.resources.packages import AptConf, AptEffective, AptSource, Deb, Package, PackageAbsent, Packages
from provision.resources.registries import ClientProxies, Image, ImageMirror, RegistryLogin, RegistryProof
from provision.resources.resource import AbsolutePath, Mode, Resource
from provision.resources.services import Probe, Service, SystemdDropIn, SystemdUnit

__all__ = [
    "AbsolutePath",
    "AptConf",
    "AptEffective",
    "AptSource",
    "AuthorizedKey",
    "CdiSpec",
    "ClientProxies",
    "Command",
    "DaemonEnvironment",
    "DaemonFlags",
    "DaemonInput",
    "DaemonOption",
    "Deb",
    "Directory",
    "DockerCurrent",
    "DockerLive",
    "DockerPrograms",
    "DockerService",
    "Download",
    "File",
    "Flag",
    "GpuDcgm",
    "GpuProof",
    "GpuSpeed",
    "GpuSurvival",
    "Group",
    "GroupExclusive",
    "GroupMembership",
    "Image",
    "ImageMirror",
    "JsonKeys",
    "KernelModule",
    "Key",
    "Limit",
    "LineInFile",
    "Mode",
    "Mount",
    "NvidiaDriver",
    "Package",
    "PackageAbsent",
    "Packages",
    "Probe",
    "Programs",
    "RegistryLogin",
    "RegistryProof",
    "Reload",
    "Resource",
    "Service",
    "Symlink",
    "Sysctl",
    "SystemdDropIn",
    "SystemdUnit",
    "TomlValues",
    "UserAccount",
]
