"""An SSH server that takes passwords, for users that the machine need not have. paramiko's, with real protocol."""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import paramiko

PASSWORD = 'correct horse\'s "battery" $taple %h ünd'


class _Door(paramiko.ServerInterface):
    def __init__(self, owner: "PasswordServer") -> None:
        self.owner = owner

    def get_allowed_auths(self, username: str) -> str:
        return self.owner.methods

    def check_auth_publickey(self, username: str, key: Any) -> int:
        self.owner.tried.append("publickey")
        return paramiko.AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        if "password" not in self.owner.methods:
            return paramiko.AUTH_FAILED
        self.owner.tried.append(f"password {username}")
        return paramiko.AUTH_SUCCESSFUL if password == PASSWORD else paramiko.AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> Any:
        if "keyboard-interactive" not in self.owner.methods:
            return paramiko.AUTH_FAILED
        return paramiko.InteractiveQuery("", "", (self.owner.prompt, False))

    def check_auth_interactive_response(self, responses: list[str]) -> Any:
        self.owner.tried.append("keyboard-interactive")
        if self.owner.second_factor and responses == [PASSWORD]:
            return paramiko.InteractiveQuery("", "", ("Verification code: ", False))
        return paramiko.AUTH_SUCCESSFUL if responses == [PASSWORD] else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
        def serve() -> None:
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # the test has closed it already
                channel.sendall(b"ran " + command + b"\n")
                channel.send_exit_status(0)
                channel.close()

        threading.Timer(0.05, serve).start()
        return True


class PasswordServer:
    """`methods` is what it offers; `tried` what it was sent."""

    def __init__(self, host_key: Path, methods: str, prompt: str = "Password: ", second_factor: bool = False) -> None:
        self.methods, self.prompt, self.second_factor = methods, prompt, second_factor
        self.tried: list[str] = []
        self._key = paramiko.Ed25519Key(filename=str(host_key))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._transports: list[paramiko.Transport] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def known_hosts_line(self) -> str:
        return f"[127.0.0.1]:{self.port} {self._key.get_name()} {self._key.get_base64()}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            self._transports.append(transport)
            transport.add_server_key(self._key)
            transport.start_server(event=threading.Event(), server=_Door(self))

    def stop(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for transport in self._transports:
            transport.close()
            transport.sock.close()
