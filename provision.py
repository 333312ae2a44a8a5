#!/usr/bin/env python3
"""The command line: `./provision.py --help`."""

from provision.cli import main

main()
