"""A temporary /usr/sbin/policy-rc.d: scripts of our package transaction may not start, restart or stop some services.

The law: it is harmless without us. It acts only for processes that carry our variable in their environment, that is for
our own apt-get and its children, even when we die before them; for all others it does what the host's own policy does.
That one is set aside next to it, and put back at the end or by the next run. Protocol: README.policy-rc.d of
init-system-helpers; the exit status 101 forbids an action.
"""

import contextlib

from ..host import lenient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Sequence

    from ..host.system import System

PATH = "/usr/sbin/policy-rc.d"
SAVED = PATH + ".saved-by-provision"
MARK = "# Written by provision for the time of one package transaction."
_SCRIPT = """\
#!/bin/sh
{mark}
# Harmless otherwise: without PROVISION_NO_START in the environment it does what the host's own policy does.
own() {{ if [ -x {saved} ]; then exec {saved} "$@"; fi; exit 0; }}
[ -n "$PROVISION_NO_START" ] || own "$@"
for word; do case "$word" in -*) ;; *) break ;; esac; done
case " $PROVISION_NO_START " in *" ${{word%.*}} "*) ;; *) own "$@" ;; esac
case " $PROVISION_REMOVED " in *" $DPKG_MAINTSCRIPT_PACKAGE "*) own "$@" ;; esac
exit 101
""".format(mark=MARK, saved=SAVED)


def left_behind(system: "System") -> bool:
    """Has a run died and left its script, or the host's own aside?"""
    return (
        MARK in (lenient.text(system, PATH) or "") or lenient.exists(system, SAVED) and not lenient.exists(system, PATH)
    )


def restore(system: "System") -> None:
    """Put the host's own policy back, or leave none where there was none."""
    if not left_behind(system):
        return
    if lenient.exists(system, SAVED):
        system.rename(SAVED, PATH)
    else:
        system.remove(PATH)
    system.state_file.put("written", PATH, None)


@contextlib.contextmanager
def forbidden(system: "System", services: "list[str]", removed: "Sequence[str]" = ()) -> "Iterator[dict[str, str]]":
    """Yield the environment for commands whose package scripts must leave `services` alone.

    Scripts of packages that are being `removed` may stop them: a daemon must not outlive its package.
    """
    if not services:
        yield {}
        return
    restore(system)
    if lenient.exists(system, PATH):
        system.rename(PATH, SAVED)
    try:
        system.write(PATH, _SCRIPT.encode("ascii"), 0o755)
        yield {"PROVISION_NO_START": " ".join(services), "PROVISION_REMOVED": " ".join(removed)}
    finally:
        restore(system)
