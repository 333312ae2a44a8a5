"""When Python looks for garbage: not while the program starts, and not once more at its end.

The law: what a start makes (modules, classes) stays, so looking through it is a tenth of the work of a short run for
nothing; from the first connection on Python's own pace holds, or a run on a thousand hosts would pile garbage up.
"""

import gc

PATIENCE = 100_000
"""Objects that a start may make before garbage is looked for all the same: some 10 MB."""
_own = gc.get_threshold()


def wait() -> None:
    """The program starts."""
    gc.set_threshold(PATIENCE, *_own[1:])


def begin() -> None:
    """The program has started: what there is now stays, and what comes from now on is looked through."""
    gc.freeze()
    gc.set_threshold(*_own)


def end() -> None:
    """The program ends: the interpreter's last look would go through everything."""
    gc.freeze()
