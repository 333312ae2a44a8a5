#!/usr/bin/env python3
"""The command line: `./provision.py --help`. Outside a virtual environment it continues in .venv (`make setup`)."""

import os
import sys

own = os.path.join(os.path.dirname(os.path.abspath(__file__)), ".venv", "bin", "python")
if sys.prefix == sys.base_prefix and os.path.exists(own):
    os.execv(own, [own, *sys.argv])  # noqa: S606
try:
    from provision.cli import main
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}; run `make setup` once") from None
if __name__ == "__main__":  # processes of a local cluster read this file too
    main()
