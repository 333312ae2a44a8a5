"""How a host is reached: one connection a host and run, over paramiko (fabric), the `ssh` program or a local process.

The law: nothing outside this package imports fabric or paramiko, and importing this package imports neither; a
connection of kind `ssh` behaves as OpenSSH would with the same ssh_config and known_hosts, only stricter.
"""

from provision.transport.channel import Channel, Connection
from provision.transport.pool import Pool

__all__ = ["Channel", "Connection", "Pool"]
