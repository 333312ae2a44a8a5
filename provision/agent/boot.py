"""Turns the shipped sources into importable modules, then starts the agent.

The loader on the command line executes this text with `payload` (dict: "modules", "options") in its globals. Modules
are compiled when they are first imported, so a run pays only for the kinds it uses; their lines are given to
`linecache`, so that a traceback from the host shows source.
"""

import linecache
import sys
from importlib.machinery import ModuleSpec


class Sources:
    """Finds and loads the package `agent` in a dict {dotted name: source}."""

    def __init__(self, modules):
        self._modules = modules

    def find_spec(self, name, path=None, target=None):
        if name not in self._modules:
            return None
        return ModuleSpec(name, self, origin="<{}>".format(name), is_package=name == "agent")

    def create_module(self, spec):
        return None

    def get_source(self, name):
        return self._modules[name]

    def exec_module(self, module):
        source = self._modules[module.__name__]
        file = "<{}>".format(module.__name__)
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        exec(compile(source, file, "exec"), module.__dict__)


sys.meta_path.insert(0, Sources(payload["modules"]))  # noqa: F821
from agent.main import start  # noqa: E402

start(payload["options"])  # noqa: F821
