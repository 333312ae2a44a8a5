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
}


def make(kind, fields):
    """The resource of that kind with those fields."""
    if kind not in MODULES:
        raise ValueError("no kind of resource is called {!r}".format(kind))
    module, name = MODULES[kind]
    return getattr(importlib.import_module("." + module, __package__), name)(**fields)
