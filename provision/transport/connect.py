"""Sockets to a host: TCP with every address of a name tried, or the pipe of a ProxyCommand.

The law: every step has a time limit, the name's resolution included; Nagle is off (paramiko leaves it on: 49 ms an
exchange instead of 7); a connection whose other end has vanished is noticed by the kernel within a minute.
"""

import contextlib
import errno
import os
import queue
import signal
import socket
import subprocess
import tempfile
import threading
from typing import Any

from provision.errors import Unreachable
from provision.transport.channel import ALIVE_COUNT, ALIVE_INTERVAL, Deadline
from provision.transport.ssh_config import Resolved

FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
Address = tuple[Any, Any, int, str, Any]


def tcp(host: str, port: int, deadline: Deadline, family: str = "any", bind: str = "") -> socket.socket:
    """A connected TCP socket. Unreachable: no address of `host` answered within the deadline."""
    addresses = _resolve(host, port, family, deadline)
    problems: list[OSError] = []
    for number, address in enumerate(addresses):
        if deadline.passed():
            break
        try:
            return _connect(address, deadline.left() / (len(addresses) - number), bind)
        except OSError as error:
            problems.append(error)
    raise _sentence(host, port, problems, deadline)


def _connect(address: Address, limit: float, bind: str) -> socket.socket:
    family, kind, protocol, _, place = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(limit)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", ALIVE_INTERVAL),
            ("TCP_KEEPINTVL", ALIVE_INTERVAL),
            ("TCP_KEEPCNT", ALIVE_COUNT),
            ("TCP_USER_TIMEOUT", ALIVE_INTERVAL * ALIVE_COUNT * 1000),
        ):
            if hasattr(socket, name):  # not on every system
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if bind:
            sock.bind((bind, 0))
        sock.connect(place)
    except BaseException:
        sock.close()
        raise
    return sock


def _resolve(host: str, port: int, family: str, deadline: Deadline) -> list[Address]:
    wanted = FAMILIES.get(family, socket.AF_UNSPEC)
    with contextlib.suppress(OSError):  # an address needs no resolver
        return socket.getaddrinfo(host, port, wanted, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    answer: queue.SimpleQueue[list[Address] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, wanted, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    # getaddrinfo knows no time limit: a resolver that does not answer is left behind in its thread.
    threading.Thread(target=ask, daemon=True, name=f"resolve-{host}").start()
    try:
        found = answer.get(timeout=deadline.left())
    except queue.Empty:
        raise Unreachable(
            f"the name {host} was not resolved within {deadline.seconds:g} s", "check the resolvers in /etc/resolv.conf"
        ) from None
    if isinstance(found, list):
        return found
    reason = found.strerror if isinstance(found, OSError) else found
    raise unknown_name(host, str(reason))


def unknown_name(host: str, reason: str) -> Unreachable:
    return Unreachable(f"the name {host} has no address ({reason})", "check the spelling, DNS, or set ansible_host")


def refused(place: str) -> Unreachable:
    return Unreachable(f"{place} refused the connection", "check that sshd runs there and that ansible_port is right")


def no_route(place: str, reason: str) -> Unreachable:
    return Unreachable(
        f"there is no route to {place} ({reason})", "check the address, the network and firewalls between"
    )


def no_answer(place: str, seconds: float) -> Unreachable:
    return Unreachable(
        f"{place} did not answer within {seconds:g} s", "check that the host is up and that no firewall drops packets"
    )


def silent(settings: Resolved, seconds: float) -> Unreachable:
    """Something has been connected to, or a program started that was to do it, and no sshd was heard."""
    if settings.is_set("proxycommand"):
        return Unreachable(
            f"the ProxyCommand of {settings.label} brought no answer of sshd within {seconds:g} s",
            "run it by hand: it hangs, or where it goes nobody answers",
        )
    return Unreachable(
        f"{settings.label} took the connection but sshd did not answer within {seconds:g} s",
        "check that it is sshd that listens there and that the host is not overloaded",
    )


def _sentence(host: str, port: int, problems: list[OSError], deadline: Deadline) -> Unreachable:
    place = f"{host} port {port}"
    for problem in problems:
        if isinstance(problem, ConnectionRefusedError):
            return refused(place)
    for problem in problems:
        if problem.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EINVAL, errno.EADDRNOTAVAIL, errno.EACCES):
            return no_route(place, os.strerror(problem.errno))
    if not problems or any(isinstance(problem, TimeoutError) for problem in problems):
        return no_answer(place, deadline.seconds)
    return Unreachable(
        f"cannot connect to {place}: {problems[0].strerror or problems[0]}", "check the host and the network"
    )


class ProxyProcess:
    """A ProxyCommand with one end of a socket pair as its stdin and stdout (paramiko's own spins when it dies)."""

    def __init__(self, command: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self.socket, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                start_new_session=True,
            )
        except BaseException:
            self.socket.close()
            self._errors.close()
            raise
        finally:
            theirs.close()

    def said(self) -> str:
        """The last line it wrote to stderr: usually why it failed."""
        if self._errors.closed:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)  # the socket closes a moment before the last words are written
        self._errors.seek(0)
        lines = self._errors.read(8192).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def close(self) -> None:
        self.socket.close()
        self._errors.close()
        try:
            self._process.wait(0.5)  # it sees end of file
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
