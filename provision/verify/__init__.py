"""Verification from outside: pytest and testinfra on every host, with nothing of ours on the host but a shell.

The law: what is found out here never comes from the agent, so that a mistake of the agent's is not its own witness. All
that is shared with it is the way to the host. Importing this package imports neither pytest nor testinfra.
"""
