"""How files stand in Telegram's chats, and what stands there if they cannot."""

from typing import Any

import pytest

from bots.telegram import TelegramBot
from core.errors import DeliveryError
from core.types import File
from tests.bots.telegram_steps import final, open_bot, reply_in
from tests.pictures import png
from tests.servers.telegram import Chat as Room
from tests.servers.telegram import TelegramServer
from tests.servers.telegram.params import Upload

PICTURE = File(name="Übersicht 1.png", mime="image/png", data=png())
ARCHIVE = File(name="export.zip", mime="application/zip", data=b"PK\x03\x04")
NO_RIGHTS = "Bad Request: not enough rights to send {} to the chat"


def seen(room: Room) -> list[str]:
    """Return what the bot's messages are: text, photos, documents."""
    return [message.text or next(iter(message.content)) for message in room.answers]


def uploads(room: Room) -> list[Upload]:
    """Return what the bot has uploaded."""
    kinds = ("photo", "document")
    return [m.options[kind] for m in room.answers for kind in kinds if kind in m.options]


async def test_pictures_are_shown_and_files_handed_over(
    telegram_server: TelegramServer, bot: TelegramBot, group: Room
) -> None:
    """Only what comes first answers the question; names and bytes stay what they are."""
    question = group.say(group.members[0], "/usage")
    await final(bot, reply_in(group, to=question.id), "", PICTURE, ARCHIVE)
    assert seen(group) == ["photo", "document"]
    assert [message.reply_to for message in group.answers] == [question.id, None]
    assert [(file.name, file.data) for file in uploads(group)] == [
        (PICTURE.name, PICTURE.data),
        (ARCHIVE.name, ARCHIVE.data),
    ]
    assert telegram_server.remarks == []


async def test_a_topics_files_stay_in_it(telegram_server: TelegramServer) -> None:
    """They go where the text goes."""
    ann = telegram_server.user("Ann")
    forum = telegram_server.group("Forum", [ann], is_forum=True)
    topic = forum.topic(ann, "Costs")
    async with open_bot(telegram_server) as bot:
        await final(bot, reply_in(forum, topic=topic), "Here", PICTURE, ARCHIVE)
    assert [message.topic for message in forum.answers] == [topic] * 3


@pytest.mark.parametrize(
    "data",
    [png(2, 50), b"\xff\xd8" + bytes(10_000_000), b"no picture"],
    ids=["narrow", "large", "broken"],
)
async def test_a_picture_that_cannot_be_shown_is_handed_over(
    bot: TelegramBot, private: Room, data: bytes
) -> None:
    """Too large, too narrow or broken, it is a document."""
    await final(bot, reply_in(private), "", File(name="a.jpg", mime="image/jpeg", data=data))
    assert seen(private) == ["document"]
    assert uploads(private)[0].data == data


async def test_a_file_that_is_too_large_is_missed_in_words(
    telegram_server: TelegramServer, bot: TelegramBot, private: Room
) -> None:
    """A sentence stands in its place, and nothing of it is sent."""
    file = File(name="all.zip", mime="application/zip", data=bytes(50_000_001))
    await final(bot, reply_in(private), "Here", file, ARCHIVE)
    said = "Here all.zip is missing: it has 50.1 MB, and I can send at most 50 MB."
    assert seen(private) == ["Here", said, "document"]
    methods = [call.method for call in telegram_server.calls]
    assert methods == ["sendMessage", "sendMessage", "sendDocument"]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 400, "description": NO_RIGHTS.format("documents")},
        {"status": 413, "description": "Request Entity Too Large"},
        {"status": 413, "is_html": True},
    ],
)
async def test_a_file_that_is_refused_is_missed_in_words(
    telegram_server: TelegramServer, bot: TelegramBot, private: Room, fault: dict[str, Any]
) -> None:
    """Whatever Telegram has against it, the text stands and no retry follows."""
    telegram_server.fail_next("sendPhoto", status=400, description=NO_RIGHTS.format("photos"))
    telegram_server.fail_next("sendDocument", **fault)
    await final(bot, reply_in(private), "Here", PICTURE)
    said = "Here Übersicht 1.png is missing: Telegram does not take it here."
    assert seen(private) == ["Here", said]


async def test_a_pause_is_kept_for_files(
    telegram_server: TelegramServer, bot: TelegramBot, private: Room
) -> None:
    """A chat that asked for a pause is not called before it is over."""
    telegram_server.fail_next("sendPhoto", retry_after=30)
    reply = reply_in(private)
    for _ in range(2):
        with pytest.raises(DeliveryError) as caught:
            await final(bot, reply, "Here", PICTURE)
        assert caught.value.retry_after
    assert [call.method for call in private.calls] == ["sendMessage", "sendPhoto"]
    assert telegram_server.remarks == []


async def test_a_group_that_moved_gets_its_file(
    telegram_server: TelegramServer, bot: TelegramBot
) -> None:
    """A group that has become a supergroup has another id, which is followed."""
    ann = telegram_server.user("Ann")
    basic = telegram_server.group("Old", [ann], is_basic=True)
    new = basic.upgrade(ann)
    await final(bot, reply_in(basic), "", PICTURE)
    assert seen(new) == ["photo"]
