"""testinfra over our transport: its modules, on one strict connection a host.

The law: this is all that testinfra knows of provision. Its own ssh backend makes a connection a check, and its paramiko
backend takes any host key.
"""

from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from provision.verify.shell import COMMAND_LIMIT, Shell


class ShellBackend(BaseBackend):  # type: ignore[misc, unused-ignore]
    """testinfra's way to run commands on a host. `timeout`: seconds, as in `host.run("…", timeout=300)`."""

    NAME = "provision"

    def __init__(self, name: str, shell: Shell) -> None:
        super().__init__(name)
        self._shell = shell
        self._encoding = "utf-8"  # or testinfra would run python on the host to find out

    def run(self, command: str, *args: str, timeout: float = COMMAND_LIMIT, **_: Any) -> CommandResult:
        line = self.get_command(command, *args)
        answer = self._shell.run(line, timeout)
        return self.result(answer.status, line.encode(), answer.stdout, answer.stderr)


def testinfra_host(name: str, shell: Shell) -> Host:
    """The object that tests know as `host`."""
    backend = ShellBackend(name, shell)
    host = Host(backend)
    backend.set_host(host)
    return host
