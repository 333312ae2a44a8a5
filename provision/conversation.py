"""What goes over a channel to an agent: words that are said, bytes that are messages, and whose fault an end is.

Pure but for `tell`. Who says what when is session.py's.
"""

import contextlib

from provision import messages
from provision.agent import protocol
from provision.agent.wire import Decoder, FrameError, encode
from provision.allowance import Allowance
from provision.errors import ConnectionLost, Garbled, HostError, ProtocolError, Refused
from provision.transport import Channel


def blame(message: messages.Refusal | messages.Crash) -> HostError | ProtocolError:
    """Whose fault it is that the agent ended."""
    if isinstance(message, messages.Refusal):
        return Refused(message.cause, message.fix)
    return ProtocolError(f"the agent crashed: {message.last}\n{message.trace}")


def tell(channel: Channel, word: str) -> None:
    """Say what needs no answer. To an agent that has ended meanwhile it does not matter: its last words, or the way it
    ended, are still to be read."""
    with contextlib.suppress(ConnectionLost):
        channel.send(encode({"type": word}))


def following(state: str, message: messages.Message) -> str:
    """The state after a message of the agent's. ProtocolError where it may not come now."""
    try:
        return protocol.agent_said(state, message.type)
    except protocol.OutOfTurn as error:
        raise ProtocolError(str(error)) from None


def decoded(decoder: Decoder, data: bytes, allowance: Allowance) -> list[messages.Message]:
    """The messages that are whole now, checked. Garbled where the bytes are none, or too many."""
    allowance.received(data)
    try:
        found = decoder.feed(data)
    except FrameError as error:
        raise Garbled(str(error)) from None
    for raw in found:
        allowance.heard(raw)
    return [messages.parse(raw) for raw in found]
