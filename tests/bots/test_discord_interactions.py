"""Slash commands and menus: acknowledged in time, and taken in once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest

from core.commands import COMMANDS
from core.errors import StoreError
from core.types import Incoming
from tests.bots.discord_steps import listening, until
from tests.bots.inbox import Inbox
from tests.servers.discord import Channel, DiscordServer, Interaction, User

OFFERS = {"models": ("gpt-small", "gpt-large", "other"), "personas": ("default", "tutor")}


@pytest.fixture
def school(discord_server: DiscordServer, ann: User) -> Channel:
    """A channel on Ann's server."""
    return discord_server.guild("School", ann).channel("general")


@pytest.fixture
def direct(discord_server: DiscordServer, ann: User) -> Channel:
    """Ann's direct messages."""
    return discord_server.direct(ann)


@contextlib.asynccontextmanager
async def serving(server: DiscordServer, inbox: Inbox) -> AsyncIterator[None]:
    """Have a bot listen whose menu is uploaded."""
    async with listening(server, inbox, commands=COMMANDS, offers=OFFERS):
        await until(lambda: server.commands.find("chat"))
        yield


def is_thinking(asked: Interaction) -> bool:
    """Say whether somebody was told that the answer follows."""
    return asked.state == "thinking"


async def test_a_question_is_taken_in_and_acknowledged(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """Discord hears that the answer follows; the question waits for an answer of its own."""
    inbox = Inbox()
    async with serving(discord_server, inbox):
        asked = school.slash(ann, "chat", prompt="What is a lake?")
        await asked.until(lambda: asked.state == "thinking")
        await until(lambda: inbox.messages)
    [message] = inbox.messages
    assert (message.text, message.is_alone, message.chat.ref) == (
        "What is a lake?",
        True,
        str(school.id),
    )
    assert asked.token in message.message
    assert discord_server.remarks == []


async def test_it_is_stored_before_it_is_acknowledged(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """So that a crash in between leaves an answer behind, not a bot that thinks for ever."""
    states = []

    async def note(_: Incoming) -> None:
        states.append(asked.state)

    async with serving(discord_server, Inbox(then=note)):
        asked = direct.slash(ann, "chat", prompt="Hello")
        await asked.until(lambda: asked.state == "thinking")
    assert states == ["waiting"]


async def test_a_slow_database_does_not_keep_discord_waiting(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """The acknowledgement goes out in its time, and the question is stored when it can be."""
    gate = asyncio.Event()

    async def wait(_: Incoming) -> None:
        await gate.wait()

    inbox = Inbox(None, StoreError("Full."), then=wait)
    async with serving(discord_server, inbox):
        asked = direct.slash(ann, "chat", prompt="Hello")
        await asked.until(lambda: asked.state == "thinking")
        gate.set()
        await until(lambda: inbox.texts == ["Hello"])


async def test_a_busy_program_does_not_keep_discord_waiting(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """Commands are acknowledged in time though every step of the program takes a while."""

    async def hog() -> None:
        while True:
            time.sleep(0.1)  # noqa: ASYNC251 - this is the point
            await asyncio.sleep(0)

    async with serving(discord_server, Inbox()):
        hogging = asyncio.create_task(hog())
        asked = [direct.slash(ann, "chat", prompt=f"{n}") for n in range(10)]
        for question in asked:
            await until(partial(is_thinking, question))
        hogging.cancel()


async def test_what_could_not_be_stored_at_the_end_is_told(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """Nobody waits for an answer that cannot come."""

    async def wait(_: Incoming) -> None:
        await asyncio.Event().wait()

    async with serving(discord_server, Inbox(then=wait)):
        asked = direct.slash(ann, "chat", prompt="Hello")
        await asked.until(lambda: asked.state == "thinking")
    assert asked.text.startswith("I was ended before I could take this in.")


async def test_an_acknowledgement_that_fails_is_tried_again(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """Whether it got through or not; the question is taken in once."""
    inbox = Inbox()
    async with serving(discord_server, inbox):
        discord_server.fail_next("create_interaction_response", status=502)
        discord_server.drop_next("create_interaction_response", is_done=True)
        asked = direct.slash(ann, "chat", prompt="Hello")
        await asked.until(lambda: asked.state == "thinking")
        await until(lambda: inbox.texts == ["Hello"])


async def test_a_thread_is_a_chat_of_its_own(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """Its id is that of the message that says the answer follows."""
    inbox = Inbox()
    async with serving(discord_server, inbox):
        asked = school.slash(ann, "chat", prompt="Let us talk", thread=True)
        await until(lambda: inbox.messages and inbox.messages[0].chat.ref != str(school.id))
        assert asked.original
    [message] = inbox.messages
    assert message.chat.ref == str(asked.original.id)
    assert message.chat.places[0] == f"discord:{school.id}"


async def test_commands_in_their_spelling(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """Whatever the menu offers becomes what could have been written."""
    inbox = Inbox()
    assert school.guild
    pupils = school.guild.role("Pupils")
    async with serving(discord_server, inbox):
        for name, options in (
            ("new", {}),
            ("model", {"name": "gpt-large"}),
            ("translate", {"text": "Guten Tag"}),
            ("settings", {"change": "allow", "group": pupils, "place": school}),
        ):
            school.slash(ann, name, **options)
        await until(lambda: len(inbox.messages) == 4)
    assert sorted(inbox.texts) == [
        "/model gpt-large",
        "/new",
        f"/settings allow discord:{pupils.id} @Pupils discord:{school.id} #general",
        "/translate Guten Tag",
    ]


async def test_what_concerns_nobody_else_is_hidden(
    discord_server: DiscordServer, ann: User, school: Channel, direct: Channel
) -> None:
    """Ids, what is remembered, and what hosts see, on servers; a question is for all."""
    async with serving(discord_server, Inbox()):
        asked = [school.slash(ann, name) for name in ("id", "context", "settings", "new")]
        asked.append(direct.slash(ann, "id"))
        for question in asked:
            await until(partial(is_thinking, question))
    assert [question.is_ephemeral for question in asked] == [True, True, True, False, False]


async def test_suggestions(discord_server: DiscordServer, ann: User, direct: Channel) -> None:
    """What is typed is completed from what there is."""
    async with serving(discord_server, Inbox()):
        typing = direct.autocomplete(ann, "model", focused="name", name="LARGE")
        await typing.until(lambda: typing.choices is not None)
    assert [choice["value"] for choice in typing.choices or ()] == ["gpt-large"]


async def test_menus_of_a_message(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """The chosen message is the one that is talked about."""
    inbox = Inbox()
    said = school.say(discord_server.user("Bob"), "Bonjour")
    async with serving(discord_server, inbox):
        for name in ("Ask about this", "Translate"):
            school.menu(ann, name, said)
        await until(lambda: len(inbox.messages) == 2)
    assert {m.text for m in inbox.messages} == {"What do you say to this?", "/translate"}
    assert all(m.quoted and m.quoted.text == "Bonjour" for m in inbox.messages)


async def test_the_menu_is_uploaded_when_it_changed(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """Not at every start, but at the first, and after a change of the table."""
    steps = ((1, COMMANDS, 1), (2, COMMANDS, 1), (3, COMMANDS[:-1], 2))
    for looks, commands, uploads in steps:
        inbox = Inbox()
        async with listening(discord_server, inbox, commands=commands):
            await until(partial(has_called, discord_server, "GET", looks))
            await until(partial(has_called, discord_server, "PUT", uploads))
            direct.say(ann, "Hello")
            await until(partial(getattr, inbox, "messages"))
        assert has_called(discord_server, "PUT", uploads)


def has_called(server: DiscordServer, method: str, times: int) -> bool:
    """Say whether the menu was read or written so many times."""
    calls = [c for c in server.calls if c.path.endswith("/commands") and c.method == method]
    return len(calls) == times
