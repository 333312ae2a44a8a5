"""Which module makes which kind of resource true. A module is compiled only when a plan names its kind."""

import importlib

MODULES = {
    "file": ("file", "File"),
    "directory": ("file", "Directory"),
    "json_keys": ("json_keys", "JsonKeys"),
    "daemon_flags": ("daemon_flags", "DaemonFlags"),
    "apt_source": ("apt_source", "AptSource"),
    "packages": ("packages", "Packages"),
    "service": ("service", "Service"),
    "command": ("command", "Command"),
    "docker_live": ("docker_live", "DockerLive"),
    "apt_conf": ("apt_conf", "AptConf"),
    "apt_effective": ("apt_conf", "AptEffective"),
    "client_proxies": ("registry_login", "ClientProxies"),
    "group": ("accounts", "Group"),
    "user_account": ("accounts", "UserAccount"),
    "group_membership": ("membership", "GroupMembership"),
    "group_exclusive": ("membership", "GroupExclusive"),
    "registry_proof": ("registry_proof", "RegistryProof"),
    "registry_login": ("registry_login", "RegistryLogin"),
    "image": ("image", "Image"),
    "image_mirror": ("image", "ImageMirror"),
    "programs": ("programs", "Programs"),
    "deb": ("deb", "Deb"),
    "toml_values": ("toml_values", "TomlValues"),
    "cdi_spec": ("cdi_spec", "CdiSpec"),
    "nvidia_driver": ("nvidia_driver", "NvidiaDriver"),
    "gpu_proof": ("proof", "GpuProof"),
}


def known(record):
    """Can this version make that resource? One that a newer version has asked for may be of a kind that is new."""
    try:
        make(record["kind"], record["fields"])
    except (ValueError, TypeError):  # the kind, or its fields
        return False
    return True


def make(kind, fields):
    """The resource of that kind with those fields."""
    if kind not in MODULES:
        raise ValueError("no kind of resource is called {!r}".format(kind))
    module, name = MODULES[kind]
    return getattr(importlib.import_module("." + module, __package__), name)(**fields)
