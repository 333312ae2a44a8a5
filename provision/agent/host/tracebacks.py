"""A traceback with source lines, from code that is in no file. Imported only when something went wrong."""

import linecache
import sys
import traceback


def formatted() -> str:
    """The traceback of the exception being handled, as text."""
    for name, module in list(sys.modules.items()):
        loader = getattr(module, "__loader__", None)
        get_source = getattr(loader, "get_source", None)
        if name.startswith("agent.") and get_source is not None:
            source, file = get_source(name), "<{}>".format(name)
            linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    return traceback.format_exc()


def line_of_site(error: BaseException) -> str:
    """`kinds/NAME.py:LINE: ` of the innermost code of a site's own kind (engine/site.py), or ""."""
    frames = traceback.extract_tb(error.__traceback__)
    found = [frame for frame in frames if frame.filename.startswith("kinds/")]
    return "{}:{}: ".format(found[-1].filename, found[-1].lineno) if found else ""
