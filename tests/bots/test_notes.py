"""What bots note of their chats stays bounded, however many chats there are."""

import pytest

from bots.notes import MOST_NOTES, keep
from bots.telegram.screen import Notes
from core.errors import DeliveryError
from tests.bots.telegram_steps import final, open_bot, preview, reply_in
from tests.servers.telegram import TelegramServer


def test_the_oldest_notes_are_forgotten() -> None:
    """What is noted again counts as new."""
    notes: dict[int, int] = {}
    for number in range(MOST_NOTES):
        keep(notes, number, number)
    assert keep(notes, 0, -1) == -1
    keep(notes, MOST_NOTES, 0)
    assert len(notes) == MOST_NOTES
    assert notes[0] == -1
    assert 1 not in notes


def test_pauses_that_are_over_are_forgotten() -> None:
    """Chats that nobody writes to any more; those that are not over are all kept."""
    notes = Notes()
    for chat in range(5 * MOST_NOTES):
        notes.pause(chat, 60.0 if chat % 10 == 0 else -1000.0)
    assert len(notes.quiet) <= MOST_NOTES
    for chat in range(0, 5 * MOST_NOTES, 10):
        with pytest.raises(DeliveryError):
            notes.check(chat)


def test_chats_that_are_refused_together_come_back_one_by_one() -> None:
    """They have met the limit over all chats; one that is to wait for longer holds none up."""
    notes = Notes()
    notes.pause(0, 60.0)
    pauses = sorted(notes.pause(chat, 1.0) for chat in range(1, 101))
    assert pauses[0] >= 1.0
    assert pauses[30] >= 2.0
    assert 4.0 <= pauses[99] <= 5.0
    assert 1.0 <= notes.pause(100, 0.5) == pytest.approx(pauses[99], abs=0.5)


async def test_a_chat_that_refuses_drafts_is_remembered(telegram_server: TelegramServer) -> None:
    """It is asked once."""
    ann = telegram_server.private(telegram_server.user("Ann"))
    telegram_server.fail_next("sendMessageDraft", status=400, description="Bad Request: no")
    async with open_bot(telegram_server) as bot:
        for number in (1, 2):
            reply = reply_in(ann)
            async with preview(bot, reply):
                reply.grow("Some words")
                await ann.answer(number, containing="Some words")
            await final(bot, reply, "Some words more")
    assert [call.method for call in ann.calls].count("sendMessageDraft") == 1
