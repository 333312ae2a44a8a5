"""A traceback with source lines, from code that is in no file. Imported only when something went wrong."""

import linecache
import sys
import traceback


def formatted():
    """The traceback of the exception being handled, as text."""
    for name, module in list(sys.modules.items()):
        loader = getattr(module, "__loader__", None)
        if name.startswith("agent.") and hasattr(loader, "get_source"):
            source, file = loader.get_source(name), "<{}>".format(name)
            linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    return traceback.format_exc()
