"""A shell script that runs as root on a host: what it prints comes as it is printed.

The law: password and script are sent when they are asked for (law 10), and never stand in an argv.
"""

import secrets as random
import time
from collections.abc import Callable, Generator, Iterable

from provision.errors import HostTimeout
from provision.target import Target
from provision.transport import Connection

READY = "provision-bootstrap-ready"
TAIL = 65536
"""Bytes of what was printed that are looked at for words that we wait for."""


def run(  # noqa: PLR0917
    connection: Connection,
    target: Target,
    script: bytes,
    limit: float,
    start: str = "exec sh -s",
    more: Callable[[str], Iterable[bytes] | None] | None = None,
) -> Generator[bytes]:
    """Run `script`; yields what it prints, after all that a login prints. `more`: what is to be sent once it says, from
    what was printed, what that is. Raises HostTimeout after `limit` seconds, and what the channel raises."""
    prompt = f"provision-sudo-{random.token_hex(8)}:"
    shell = f"sh -c 'echo {READY}; {start}'"
    if target.become:
        shell = f"sudo -S -p {prompt} -- {shell}" if target.become_password else f"sudo -n -- {shell}"
    channel = connection.open(shell)
    tail, deadline, answered, sent = b"", time.monotonic() + limit, False, False
    try:
        while True:
            try:
                data = channel.receive(max(0.01, deadline - time.monotonic()))
            except TimeoutError:
                raise HostTimeout(f"a script took longer than {limit:g} s there", "look at that host") from None
            if not data:
                return
            tail = (tail + data)[-TAIL:]
            if prompt.encode() in tail and not answered and target.become_password is not None:
                channel.send(target.become_password.reveal().encode() + b"\n")
                answered = True
            if READY.encode() in tail and not sent:
                channel.send(script)
                sent = True
                if more is None:
                    channel.close_input()
            if sent and more is not None and (parts := more(tail.decode("utf-8", "replace"))) is not None:
                more = None
                for part in parts:
                    channel.send(part)
                channel.close_input()
            yield data
    finally:
        channel.close()
