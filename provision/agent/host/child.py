"""What can hang runs in a child with a time limit: NVML, and all that talks to a GPU that may have fallen off the
bus.

The law: a child that cannot be killed (uninterruptible sleep in the driver) is left behind, the answer is Unknown,
and its PID is named. The child is our own interpreter; its program and modules come on stdin, so that nothing
touches a disk.
"""

import json
import sys

from .errors import Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Sequence, Union

    from .system import System

_BOOT = """\
import json,sys,types
given=json.load(sys.stdin)
for name,text in given["modules"].items():
 module=types.ModuleType(name);sys.modules[name]=module
 module.__package__,_,leaf=name.rpartition(".")
 setattr(sys.modules.get(module.__package__),leaf,module) if module.__package__ in sys.modules else None
 exec(compile(text,"<%s>"%name,"exec"),module.__dict__)
scope={"__name__":"child"}
if given["program"] is None: scope=sys.modules[given["name"]].__dict__
else: exec(compile(given["program"],"<"+given["name"]+">","exec"),scope)
json.dump(scope["main"](given["request"]),sys.stdout)
"""


def source(module: "ModuleType") -> str:
    """The text of one of our own modules, shipped or on disk."""
    get_source = getattr(module.__loader__, "get_source", None)
    if get_source is not None:
        return str(get_source(module.__name__))
    with open(str(module.__file__), encoding="utf-8") as file:  # never on a host: boot.py's loader has the sources
        return file.read()


def run(
    system: "System",
    module: "Union[ModuleType, str]",
    request: "Any",
    modules: "Sequence[str]" = (),
    timeout: float = 30,
) -> "Any":
    """What `module.main(request)` returns (JSON types) when run in a child. Raises Unknown.

    `modules` names those of `system.modules` that the child imports, in the order in which they need each other; of
    two with dotted names the child sees one package. `module` itself must be importable alone, or is the name of one
    of them.
    """
    name = module if isinstance(module, str) else module.__name__.rsplit(".", 1)[-1]
    given = {
        "name": name,
        "program": None if isinstance(module, str) else source(module),
        "modules": {key: system.modules[key] for key in modules},
        "request": request,
    }
    argv = [sys.executable, "-I", "-S", "-B", "-c", _BOOT]
    result = system.query(argv, timeout=timeout, stdin=json.dumps(given).encode("ascii"))
    if result.left_behind is not None:
        raise Unknown(
            "{} did not answer within {} s and cannot be killed: process {} hangs in the kernel (driver), "
            "which only a reboot ends".format(name, timeout, result.left_behind)
        )
    if result.timed_out:
        raise Unknown("{} did not answer within {} s; its process was killed".format(name, timeout))
    try:
        return json.loads(result.out)
    except ValueError:
        last = (result.err.strip() or result.out.strip() or "no output").splitlines()[-1]
        raise Unknown("{} ended with status {}: {}".format(name, result.status, last)) from None
