"""Commands about the talk itself: begin, stop, answer again, hear, translate."""

from core.commands.called import Again, Answered, Ask, Called
from core.errors import InputError
from core.markdown import plain
from core.understand import spoken


async def start(called: Called) -> Answered:
    """Say hello."""
    return (
        f"Hello {plain(called.incoming.person.name)}! {called.invitation}, and I will answer.\n\n"
        "I remember what we talk about here; /new starts afresh, /help shows what else I can do."
    )


async def new(called: Called) -> Answered:
    """Start afresh; the history stays stored."""
    await called.rooms.store.forget(called.lease)
    return "A new start: I no longer think of what we said before."


async def stop(_: Called) -> Answered:
    """Say that an answer was stopped: it was when this came in."""
    return "Stopped."


async def retry(called: Called) -> Answered:
    """Answer the last question again."""
    rooms = called.rooms
    turn = await rooms.store.last_turn(called.lease)
    if turn is None or not await rooms.access.may(turn.messages[0]):
        return "There is nothing to answer again yet."
    return Again(turn=turn)


async def transcribe(called: Called) -> Answered:
    """Say what a recording says."""
    transcript = await called.rooms.understanding.hear(called.lease, called.turn, called.purse)
    return plain(transcript.text)


async def translate(called: Called) -> Answered:
    """Put a text or a recording into English."""
    instruction = "Translate the text into English. Return the translation and nothing else."
    incoming = called.incoming
    if called.arguments:
        return Ask(instruction=instruction, text=called.arguments)
    if incoming.quoted and incoming.quoted.text and not incoming.quoted.voice:
        return Ask(instruction=instruction, text=incoming.quoted.text)
    if not incoming.voice and not (incoming.quoted and incoming.quoted.voice):
        raise InputError("Write `/translate` with a text, or reply with it to a message.")
    transcript = await called.rooms.understanding.hear(
        called.lease, called.turn, called.purse, to_english=True
    )
    if transcript.is_english:
        return plain(transcript.text)
    heard = spoken(transcript.text)
    return Ask(instruction=instruction, text=transcript.text, heard=heard)
