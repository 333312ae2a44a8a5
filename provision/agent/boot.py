"""Turns the shipped sources into importable modules, then starts the agent.

The loader on the command line executes this text with `payload` (dict: "options", "digest", "packages": the modules
that hold others, and "boot", this very text) and `packed` (the sources: zlib of dotted names, each followed by its
text, with a zero byte between any two) in its
globals; so does the loader of an undo that was left on the host (rollback/deadman.py). Modules are compiled when they
are first imported, so a run pays only for the kinds it uses; host/tracebacks.py gives their lines to a traceback.
Unpacking and compiling costs a host more than all else that we do in a run without changes: so a run that may write
keeps the compiled code in the state directory, for exactly these sources and this interpreter, and the next run takes
it from there.
"""

import json
import marshal
import os
import sys
import zlib
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class Sources:
    """Finds and loads the package `agent`: from kept code, else from the sources, which are unpacked for that."""

    def __init__(self, payload: "dict[str, Any]", packed: bytes) -> None:
        self._payload = payload
        self._packed = packed
        self._unpacked: "dict[str, str] | None" = None
        self._digest = payload["digest"]
        state = payload["options"]["state"]
        self.path = os.path.join(state, "code-{}-{:x}".format(sys.implementation.cache_tag, sys.hexversion))
        self._codes = self._read()
        self._compiled = False

    def find_spec(self, name: str, path: "str | None" = None, target: "Any" = None) -> "Any":
        if name.partition(".")[0] != "agent" or (name not in self._codes and name not in self._texts()):
            return None
        package = name in self._payload["packages"]
        return ModuleSpec(name, self, origin="<{}>".format(name), is_package=package)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def get_source(self, name: str) -> str:
        return self._texts()[name]

    def _texts(self) -> "dict[str, str]":
        if self._unpacked is None:
            parts = zlib.decompress(self._packed).decode("utf-8").split("\0")
            self._unpacked = dict(zip(parts[::2], parts[1::2]))
        return self._unpacked

    def exec_module(self, module: "ModuleType") -> None:
        exec(self._code(module.__name__), module.__dict__)

    def _code(self, name: str) -> "Any":
        try:
            return marshal.loads(self._codes[name])  # only what a run uses is unpacked
        except (KeyError, ValueError, EOFError, TypeError):
            # Optimized: docstrings are a third of what a host would keep and read. So no law may rest on an assert.
            code = compile(self._texts()[name], "<{}>".format(name), "exec", dont_inherit=True, optimize=2)
            self._codes[name] = marshal.dumps(code)
            self._compiled = True
            return code

    def _read(self) -> "dict[str, bytes]":
        """{name: code} as kept by an earlier run of these very sources, or {}. The directory is root's alone (0700)."""
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                    return {}
                digest, codes = marshal.loads(file.read())  # marshal.load asks the file for each number: 10 ms
        except (OSError, ValueError, EOFError, TypeError):
            return {}
        known: "dict[str, bytes]" = codes if digest == self._digest else {}
        return known

    def to_keep(self) -> "bytes | None":
        """The bytes to keep at `path`, or None when the kept ones will do."""
        return marshal.dumps((self._digest, self._codes)) if self._compiled else None

    def packed(self, options: "dict[str, Any]") -> bytes:
        """These very sources with other options, as the controller sends them: to be started when we are gone."""
        head = zlib.compress(json.dumps(dict(self._payload, options=options)).encode("ascii"), 1)
        return b"".join(b"%08x" % len(part) + part for part in (head, self._packed))


sources = Sources(payload, packed)  # type: ignore[name-defined]  # noqa: F821
sys.meta_path.insert(0, sources)  # type: ignore[arg-type]
if payload["options"].get("undo"):  # type: ignore[name-defined]  # noqa: F821
    from agent.rollback.undo import start
else:
    from agent.main import start

start(payload["options"], sources)  # type: ignore[name-defined]  # noqa: F821
