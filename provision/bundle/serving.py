"""What a host's agent asks for of a bundle, answered on its channel: the listing, or pieces of files.

The law: each piece is one frame, in the order in which they were asked for; one that cannot be had is told, so that the
host can name the file.
"""

from collections.abc import Callable

from provision import messages
from provision.agent.wire import encode, piece
from provision.bundle.shelf import Shelf
from provision.errors import ProtocolError, Refused
from provision.facts import Facts


def hand_out(
    asked: messages.Listing | messages.Fetch,
    shelf: Shelf | None,
    facts: Facts | None,
    send: Callable[[bytes], None],
) -> int:
    """Send what is asked for; how many bytes of files that was. Raises ProtocolError, and what `send` raises."""
    if shelf is None or facts is None:
        raise ProtocolError("the agent asked for a bundle, and there is none")
    if isinstance(asked, messages.Listing):
        send(encode(shelf.listing(facts)))
        return 0
    sent = 0
    for sha256, offset, length in asked.pieces:
        try:
            parts = shelf.piece(sha256, offset, length)
        except Refused as error:
            send(encode({"type": "lost", "cause": error.cause}))
            continue
        send(piece(length))
        for part in parts:
            send(part)
        sent += length
    return sent
