"""The agent as bytes: one command line that loads it, and one block that is sent to its stdin.

The loader is small enough for any command line and survives sh, csh and fish: one line, no "!" (csh) and no backslash
(fish), quoted by `shlex`. It writes the marker (agent/wire.py), reads exactly the block and no byte more, and executes
it. Nothing touches a disk.
"""

import json
import zlib
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from threading import Lock, Thread
from typing import Any

from provision import site_kinds
from provision.agent.wire import MARKER

_WHO = "provision: "
_NONE, _OLD, _SMALL = "no python3", "python is too old:", "python3 is -minimal:"
NO_PYTHON, OLD_PYTHON, SMALL_PYTHON = (_WHO + words for words in (_NONE, _OLD, _SMALL))
"""What the loader says instead of the marker, each followed by a detail: see `login.py`. None of them stands in the
command line as it is, because a traceback or a shell that traces quotes that."""

_PACKING = Lock()
INTERPRETERS = ("python3", "/usr/bin/python3", "/usr/libexec/platform-python")

_ON_DEMAND = Path("gpu", "speed", "program")
"""Of the agent's folders, the one whose files are sent as `modules`, with a plan that needs them."""

_OURS = "provision.agent."

_NAME = MARKER.decode().strip(chr(0))
_QUOTES = '"' * 3
_NEWLINE = "~"
"""Stands for the end of a line in the loader."""

# No compile(): its first call costs a host 3 ms, and where compiled code is kept there is none.
_LOADER = f"""\
import os,sys
s="{_WHO}"
if sys.version_info<(3,6): sys.exit(s+"{_OLD} "+sys.version.split()[0]+" in "+sys.executable)
try: import json,struct,zlib
except ImportError as e: sys.exit(s+"{_SMALL} "+str(e))
os.write(1,bytes(1)+b"{_NAME}"+bytes(1))
def r(n):
 b=b""
 while len(b)<n:
  d=os.read(0,n-len(b))
  if not d: os._exit(98)
  b+=d
 return b
p=json.loads(zlib.decompress(r(int(r(8),16))).decode())
exec(p["boot"],dict(payload=p,packed=r(int(r(8),16))))
"""


def command(interpreter: str | None = None, sudo: str | None = None) -> str:
    """The command line that starts the loader.

    `sudo`: None runs it as the login user, "" through `sudo -n`, any other text through `sudo -S` with that text as
    the prompt to wait for.
    """
    program = f'exec("""{_LOADER.replace(chr(10), _NEWLINE)}""".replace("{_NEWLINE}",chr(10)))'
    names = " ".join(map(quote, (interpreter,) if interpreter else INTERPRETERS))
    # -I and -S: no environment, no user site, no site packages; -B: no __pycache__ on the host.
    script = (
        f"for p in {names}; do if command -v $p >/dev/null 2>&1; then exec $p -I -S -B -c {quote(program)}; fi; done; "
        f'echo "{_WHO}""{_NONE}"; exit 96'
    )
    shell = f"sh -c {quote(script)}"
    if sudo is None:
        return shell
    return f"sudo -n -- {shell}" if not sudo else f"sudo -S -p {quote(sudo)} -- {shell}"


@cache
def _sources() -> Mapping[str, str]:
    """{dotted name below the agent: text}; the `__init__` of a package goes by the package's own name."""
    agent = Path(__file__).with_name("agent")
    paths = [path for path in sorted(agent.rglob("*.py")) if not path.is_relative_to(agent / _ON_DEMAND)]
    return {_dotted(path.relative_to(agent)): without_docstrings(path.read_text("utf-8")) for path in paths}


def without_docstrings(text: str) -> str:
    """A source as it travels: its docstrings empty, a fifth of all bytes; each line keeps its number."""
    parts = text.split(_QUOTES)
    for number in range(1, len(parts), 2):
        if not parts[number - 1].rpartition("\n")[2].strip():
            parts[number] = "\n" * parts[number].count("\n")
    return _QUOTES.join(parts)


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@cache
def modules(names: tuple[str, ...]) -> Mapping[str, str]:
    """Modules that only some hosts need (pynvml, the files of _ON_DEMAND), for a plan: name to its source, zlib and
    base64."""
    return {name: b64encode(zlib.compress(_source(name), 9)).decode("ascii") for name in names}


def _source(name: str) -> bytes:
    if name in site_kinds.SOURCES:
        return site_kinds.SOURCES[name].encode("utf-8")
    spec = find_spec(name)
    assert spec is not None, name
    assert spec.origin is not None, name
    data = Path(spec.origin).read_bytes()
    return without_docstrings(data.decode("utf-8")).encode("utf-8") if name.startswith(_OURS) else data


ONLY_WITH_A_BUNDLE = ("host.parcels", "packages.bundled", "registries.bundled_images", "preflight.of_bundle")
"""Modules of the agent that travel only in runs that have a bundle."""
_NEVER = ("types",)
"""Read by type checkers alone."""


def block(options: Mapping[str, Any], *, bundle: bool = False) -> bytes:
    """The agent and its options, for the loader: two parts, each as eight hexadecimal digits of length, then zlib.

    The first is JSON: the options, the text that starts it all (agent/boot.py), which modules are packages, and a
    digest of the sources. The second holds the sources, between zero bytes since JSON's escapes would be 3 % more to
    send; a host that keeps them compiled (boot.py) has no need to unpack it.
    """
    boot, sources, digest, packages = _packed(bundle)
    head = {"boot": boot, "digest": digest, "packages": packages, "options": dict(options)}
    return _part(json.dumps(head)) + sources


def prepare(*, bundle: bool = False) -> None:
    """Begin to pack, beside what else there is to do; `block` waits for it."""
    Thread(target=_packed, args=(bundle,), daemon=True).start()


def _packed(bundle: bool) -> tuple[str, bytes, str, list[str]]:
    """boot.py's text, the packed sources, their digest, the packages; packing costs 15 ms, all hosts get the same."""
    with _PACKING:  # the first hosts of a run come here at the same moment
        return _pack(bundle)


@cache
def _pack(bundle: bool) -> tuple[str, bytes, str, list[str]]:
    sources = {
        name: text
        for name, text in _sources().items()
        if name not in (_NEVER if bundle else _NEVER + ONLY_WITH_A_BUNDLE)
    }
    boot = sources.pop("boot")
    modules = {"agent": sources.pop("__init__")} | {f"agent.{name}": text for name, text in sources.items()}
    packed = "\0".join(text for item in sorted(modules.items()) for text in item)
    digest = sha256((boot + "\0" + packed).encode("utf-8")).hexdigest()
    packages = sorted({name.rpartition(".")[0] for name in modules} - {""})
    return boot, _part(packed), digest, packages


def _part(text: str) -> bytes:
    body = zlib.compress(text.encode("utf-8"), 5)  # 6: 2 % less to send, but half as much time again
    return b"%08x" % len(body) + body
