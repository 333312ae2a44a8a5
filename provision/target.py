"""How one host is reached: what the inventory says, before ssh_config has its say."""

from dataclasses import dataclass
from typing import Literal

from provision.secrets import Secret

ConnectionKind = Literal["local", "ssh", "openssh"]


@dataclass(frozen=True)
class Target:
    """One host's connection settings. `None` means: whatever ssh_config says, or OpenSSH's default."""

    name: str
    """The inventory's name of the host."""
    address: str
    """What to connect to, or the Host that ssh_config knows; the name, unless `ansible_host` says otherwise."""
    port: int | None = None
    user: str | None = None
    connection: ConnectionKind = "ssh"
    password: Secret | None = None
    private_key_file: str | None = None
    common_args: tuple[str, ...] = ()
    """`ansible_ssh_common_args`, split as a shell would; given to `ssh -G`."""
    become: bool = False
    become_password: Secret | None = None
    python_interpreter: str | None = None
    connect_timeout: float = 10.0
    """Seconds, for the name, the TCP connection, the key exchange and the login together."""
