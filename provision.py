#!/usr/bin/env python3
"""The command line: `./provision.py --help`."""

try:
    from provision.cli import main
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}; run `make setup` once, then .venv/bin/python provision.py") from None
main()
