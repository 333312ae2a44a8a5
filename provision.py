#!/usr/bin/env python3
"""The command line: `./provision.py --help`. It continues in the .venv beside it (`make setup`), whatever is active."""

import os
import sys

here = os.path.dirname(os.path.realpath(__file__))
venv = os.path.join(here, ".venv")
own = os.path.join(venv, "bin", "python")
if own != sys.executable and os.path.realpath(sys.prefix) != os.path.realpath(venv) and os.access(own, os.X_OK):
    os.execv(own, [own, *sys.argv])  # noqa: S606
try:
    from provision.cli import main
except ModuleNotFoundError as missing:
    again = f"remove {venv}, then " if os.path.exists(venv) else ""
    raise SystemExit(f"{missing} for {sys.executable}; {again}run `make setup` in {here}, which makes .venv") from None
if __name__ == "__main__":  # processes of a local cluster read this file too
    main()
