#!/usr/bin/env python3
"""The command line: `./provision.py --help`. Continues in .venv (`make setup`) where this Python lacks what it needs."""

import os
import sys

try:
    from provision.cli import main
except ModuleNotFoundError as missing:
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), ".venv", "bin", "python")
    if not os.path.exists(own) or sys.prefix == os.path.dirname(os.path.dirname(own)):
        raise SystemExit(f"{missing}; run `make setup` once") from None
    os.execv(own, [own, *sys.argv])  # noqa: S606
main()
