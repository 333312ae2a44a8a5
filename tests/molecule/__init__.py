"""Molecule's scenarios: `make molecule`, or `cd tests && molecule test`."""
