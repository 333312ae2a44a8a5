"""Which module makes which kind of resource true. A module is compiled only when a plan names its kind."""

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..types import Item
    from .resource import Resource

AGENT = __name__.rpartition(".")[0].rpartition(".")[0]

MODULES = {
    "file": ("files.file", "File"),
    "directory": ("files.file", "Directory"),
    "symlink": ("files.symlink", "Symlink"),
    "json_keys": ("docker.daemon_json", "JsonKeys"),
    "daemon_flags": ("docker.default_file", "DaemonFlags"),
    "apt_source": ("packages.source", "AptSource"),
    "packages": ("packages.install", "Packages"),
    "service": ("services.service", "Service"),
    "docker_service": ("docker.service", "DockerService"),
    "command": ("files.command", "Command"),
    "docker_current": ("docker.current", "DockerCurrent"),
    "docker_programs": ("docker.programs", "DockerPrograms"),
    "docker_live": ("docker.live", "DockerLive"),
    "apt_conf": ("packages.apt_conf", "AptConf"),
    "apt_effective": ("packages.apt_conf", "AptEffective"),
    "client_proxies": ("registries.login", "ClientProxies"),
    "group": ("accounts.users", "Group"),
    "user_account": ("accounts.users", "UserAccount"),
    "group_membership": ("accounts.membership", "GroupMembership"),
    "group_exclusive": ("accounts.membership", "GroupExclusive"),
    "registry_proof": ("registries.login_proof", "RegistryProof"),
    "registry_login": ("registries.login", "RegistryLogin"),
    "image": ("registries.images", "Image"),
    "image_mirror": ("registries.images", "ImageMirror"),
    "programs": ("files.programs", "Programs"),
    "deb": ("packages.deb", "Deb"),
    "toml_values": ("files.toml", "TomlValues"),
    "cdi_spec": ("gpu.cdi_spec", "CdiSpec"),
    "nvidia_driver": ("gpu.driver_kind", "NvidiaDriver"),
    "gpu_proof": ("gpu.proof.kind", "GpuProof"),
    "gpu_survival": ("gpu.survival", "GpuSurvival"),
    "gpu_dcgm": ("gpu.dcgm", "GpuDcgm"),
    "gpu_speed": ("gpu.speed.kind", "GpuSpeed"),
    "sysctl": ("kernel.sysctl", "Sysctl"),
    "limit": ("kernel.limits", "Limit"),
    "kernel_module": ("kernel.module", "KernelModule"),
    "package_absent": ("packages.absent", "PackageAbsent"),
    "line_in_file": ("files.line", "LineInFile"),
    "authorized_key": ("accounts.authorized_key", "AuthorizedKey"),
    "systemd_unit": ("services.unit", "SystemdUnit"),
    "systemd_drop_in": ("services.unit", "SystemdDropIn"),
    "probe": ("services.probe", "Probe"),
    "download": ("files.download", "Download"),
    "mount": ("kernel.mount", "Mount"),
}
OWN = {
    "packages_removal": ("packages.removal", "PackagesRemoval"),
    "account_left": ("accounts.users", "AccountLeft"),
    "empty_object": ("docker.daemon_json", "EmptyObject"),
    "directory_gone": ("files.file", "DirectoryGone"),
    "proof_left": ("gpu.proof.left", "ProofLeft"),
}
"""What no plan names: the host makes these itself, of what it remembers, when a role is removed."""


def known(record: "Item") -> bool:
    """Can this version make that resource? One that a newer version has asked for may be of a kind that is new."""
    try:
        make(record["kind"], record["fields"])
    except (ValueError, TypeError):  # the kind, or its fields
        return False
    return True


def make(kind: str, fields: "dict[str, Any]") -> "Resource":
    """The resource of that kind with those fields."""
    if kind.startswith("site."):
        from . import site  # only where a site has kinds of its own

        return site.load(kind[len("site.") :])(**fields)
    if kind not in MODULES and kind not in OWN:
        raise ValueError("no kind of resource is called {!r}".format(kind))
    module, name = MODULES.get(kind) or OWN[kind]
    made: "Resource" = getattr(importlib.import_module(AGENT + "." + module), name)(**fields)
    return made
