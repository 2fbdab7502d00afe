"""Calls to Discord, against a loopback one: what they carry, their failures, our secrets."""

import logging
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bots.discord.rest import Body, RefusedError, Rest
from bots.discord.ticket import Starter, Ticket
from core.errors import DeliveryError, FetchError
from core.types import File as Sent
from tests.bots.discord_calls import HELLO, ask, failure, open_rest, outcomes, put_command
from tests.servers.discord import Channel, DiscordServer, File, User

WHOLE = Sent(name="answer.md", mime="text/markdown", data=b"# All")


@pytest.fixture
async def rest(discord_server: DiscordServer) -> AsyncIterator[Rest]:
    """The bot's client."""
    rest = open_rest(discord_server)
    yield rest
    await rest.close()


async def test_a_message_is_posted_once_by_its_nonce_and_pings_nobody(
    discord_server: DiscordServer, rest: Rest, channel: Channel, ann: User
) -> None:
    """A repeat returns the first message; whom the text or the reply names is not disturbed."""
    assert channel.guild
    question = channel.say(ann, "Hi")
    text = f"@everyone {ann.mention} {channel.guild.everyone.mention}"
    body = Body(text=text, nonce="a" * 25, answers=str(question.id), file=WHOLE)
    first = await rest.post(str(channel.id), body)
    again = await rest.post(str(channel.id), body)
    assert first["id"] == again["id"]
    (message,) = channel.answers
    assert (message.content, message.replied, message.pinged) == (text, question, set())
    assert [(file.name, file.data) for file in message.attachments] == [("answer.md", b"# All")]
    assert message.flags == 4
    await rest.edit(str(channel.id), first["id"], Body(text=f"{text}!"))
    assert (message.content, message.attachments, message.pinged) == (f"{text}!", [], set())
    await rest.delete(str(channel.id), first["id"])
    assert channel.answers == []
    assert discord_server.remarks == []


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502, "is_html": True},
        {"status": 404, "is_html": True},
        {"status": 403, "code": 40006},
        {"status": 400, "code": 20016},
        {"status": 400, "code": 40003},
    ],
)
async def test_what_passes_may_be_tried_again(
    discord_server: DiscordServer, rest: Rest, channel: Channel, fault: dict[str, Any]
) -> None:
    """A server out of order, or a switch turned off for a while, names no time."""
    discord_server.fail_next("create_message", **fault)
    error = await failure(rest.post(str(channel.id), HELLO))
    assert (type(error), error.retry_after) == (DeliveryError, None)
    assert "reached" in str(error)
    await rest.post(str(channel.id), HELLO)


@pytest.mark.parametrize("is_done", [False, True])
async def test_a_cut_connection_says_nothing_but_the_nonce_helps(
    discord_server: DiscordServer, rest: Rest, channel: Channel, *, is_done: bool
) -> None:
    """Whether or not the message stood when the connection broke, it stands once in the end."""
    body = Body(text="Hello", nonce="n1")
    discord_server.drop_next("create_message", is_done=is_done)
    error = await failure(rest.post(str(channel.id), body))
    assert error.retry_after is None
    await rest.post(str(channel.id), body)
    assert [message.content for message in channel.answers] == ["Hello"]


async def test_a_preview_does_not_wait_long(
    discord_server: DiscordServer, channel: Channel
) -> None:
    """A call that hangs costs a preview its own short time, and the final text nothing."""
    rest = open_rest(discord_server, preview_seconds=0.1)
    hanging = discord_server.delay_next("create_message")
    assert (await failure(rest.post(str(channel.id), HELLO, is_preview=True))).retry_after is None
    await rest.post(str(channel.id), HELLO)
    hanging.release()
    await rest.close()


async def test_nobody_there_is_an_error_like_others() -> None:
    """Without a server there is a sentence for a person."""
    rest = Rest("token", root="http://127.0.0.1:1/api/v10")
    assert "reached" in str(await failure(rest.post("1", HELLO)))
    await rest.close()


async def test_a_refusal_carries_its_code(rest: Rest, channel: Channel) -> None:
    """What can never be done says which of Discord's reasons it has."""
    with pytest.raises(RefusedError) as caught:
        await rest.edit(str(channel.id), "17", HELLO)
    assert (caught.value.status, caught.value.code) == (404, 10008)


async def test_a_token_that_was_reset_is_reported_once(
    discord_server: DiscordServer, rest: Rest, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is asked with it for a while, and one line tells the owner what to look at."""
    assert channel.guild
    discord_server.reset_token()
    for name in ("one", "two"):
        error = await failure(rest.post(str(channel.guild.channel(name).id), HELLO))
        assert 59 < (error.retry_after or 0) < 61
    assert len(discord_server.calls) == 1
    assert caplog.text.count("DISCORD_BOT_TOKEN") == 1


async def test_an_interaction_is_answered_in_every_way(
    discord_server: DiscordServer, rest: Rest, channel: Channel, ann: User
) -> None:
    """Deferred, hidden or not, edited, followed up; suggested to; answered at once."""
    assert channel.guild
    interaction, ticket = await ask(rest, channel, ann)
    message = await rest.defer(str(interaction.id), interaction.token)
    assert interaction.original
    assert message == str(interaction.original.id)
    text = f"@everyone {ann.mention}"
    await rest.edit_by(ticket, "@original", Body(text=text, file=WHOLE))
    further = await rest.post_by(ticket, Body(text=text, is_hidden=True))
    assert interaction.texts == [text, text]
    assert interaction.original.attachments[0].data == b"# All"
    assert interaction.original.pinged == interaction.followups[0].pinged == set()
    assert interaction.followups[0].asker is ann
    await rest.delete_by(ticket, further["id"])
    assert interaction.texts == [text]
    hidden = channel.slash(ann, "ask")
    await rest.defer(str(hidden.id), hidden.token, is_hidden=True)
    assert hidden.is_ephemeral
    at_once = channel.slash(ann, "ask")
    await rest.reply(str(at_once.id), at_once.token, "No.")
    assert (at_once.text, at_once.is_ephemeral) == ("No.", True)
    typing = channel.autocomplete(ann, "ask", focused="model", model="g")
    choices = [{"name": f"gpt-{n}", "value": f"gpt-{n}"} for n in range(40)]
    await rest.suggest(str(typing.id), typing.token, choices)
    assert typing.choices == choices[:25]
    assert discord_server.remarks == []


async def test_the_menu_is_read_and_replaced(discord_server: DiscordServer, rest: Rest) -> None:
    """What stands can be compared with what should."""
    application = str(discord_server.application_id)
    assert await rest.commands(application) == []
    await put_command(rest, discord_server)
    assert [command["name"] for command in await rest.commands(application)] == ["ask"]


async def test_threads_and_direct_messages_are_opened(
    discord_server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """A thread gets its message's id; a person's channel is always the same."""
    assert channel.guild
    message = (await rest.post(str(channel.id), HELLO))["id"]
    await rest.open_thread(str(channel.id), message, "x" * 200)
    await rest.type(message)
    assert discord_server.channels[int(message)].is_typing
    user = str(channel.guild.owner.id)
    assert await rest.open_direct(user) == await rest.open_direct(user)
    assert discord_server.remarks == []


async def test_a_file_is_fetched_up_to_a_size(
    discord_server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """Its bytes come as they are; one that is larger than allowed is not read to its end."""
    data = bytes(range(256)) * 1000
    file = channel.attach(File(name="voice.ogg", data=data))
    url = discord_server.cdn.json(file)["url"]
    assert await rest.fetch(url, most=len(data)) == data
    with pytest.raises(FetchError, match="at most 255999 bytes"):
        await rest.fetch(url, most=len(data) - 1)
    discord_server.cdn.expire()
    with pytest.raises(FetchError, match="send it again"):
        await rest.fetch(url, most=len(data))
    with pytest.raises(FetchError):
        await rest.fetch("nowhere", most=1)


@pytest.mark.parametrize("status", [302, 500, 429])
async def test_a_file_that_cannot_be_had_now_may_be_later(
    discord_server: DiscordServer, rest: Rest, channel: Channel, status: int
) -> None:
    """Not now is a DeliveryError, and so is a connection that breaks."""
    url = discord_server.cdn.json(channel.attach(File(name="a", data=b"abc")))["url"]
    discord_server.fail_next("download", status=status, is_html=True)
    await failure(rest.fetch(url, most=10))
    discord_server.drop_next("download", times=2)  # the first, aiohttp makes up for
    await failure(rest.fetch(url, most=10))
    assert await rest.fetch(url, most=10) == b"abc"


async def test_no_secret_and_no_text_is_logged(
    discord_server: DiscordServer,
    rest: Rest,
    channel: Channel,
    ann: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever goes wrong, log and errors name neither a token nor what is said."""
    caplog.set_level(logging.DEBUG)
    interaction, ticket = await ask(rest, channel, ann)
    await rest.defer(str(interaction.id), interaction.token)
    secret = Body(text="Nobody reads this")
    faults: list[dict[str, Any]] = [
        {"status": 500},
        {"status": 404, "code": 10015},
        {"status": 403, "is_html": True},
    ]
    errors: list[BaseException] = []
    for fault in faults:
        discord_server.fail_next("edit_original_interaction_response", **fault)
        errors += await outcomes([rest.edit_by(ticket, "@original", secret)])  # type: ignore[arg-type]
    discord_server.drop_next("create_message")
    errors += await outcomes([rest.post(str(channel.id), secret)])  # type: ignore[arg-type]
    discord_server.limit_next("create_message", 1.0, scope="global")
    errors += await outcomes([rest.post(str(channel.id), secret)])  # type: ignore[arg-type]
    assert len(errors) == 5
    told = caplog.text + "".join("".join(traceback.format_exception(e)) for e in errors)
    told += repr(ticket)
    assert "/channels/{}/messages" in told
    for word in (discord_server.token, interaction.token, secret.text):
        assert word not in told


async def test_a_proxy_is_used(discord_server: DiscordServer, channel: Channel) -> None:
    """Calls go through the proxy that is named, and only through it."""
    rest = open_rest(
        discord_server, root="http://discord.invalid/api/v10", proxy=discord_server.url
    )
    await rest.post(str(channel.id), HELLO)
    assert len(channel.answers) == 1
    await rest.close()


async def test_the_systems_proxy_is_used_if_none_is_named(
    discord_server: DiscordServer, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But never for this machine itself."""
    monkeypatch.setenv("http_proxy", discord_server.url)
    monkeypatch.setenv("no_proxy", "")
    rest = open_rest(discord_server, root="http://discord.invalid/api/v10")
    await rest.post(str(channel.id), HELLO)
    await rest.close()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    rest = open_rest(discord_server)
    await rest.post(str(channel.id), HELLO)
    await rest.close()
    assert len(channel.answers) == 2


def test_a_ticket_is_no_messages_id() -> None:
    """It comes back from its spelling as it was; a message's id, and nonsense, are none."""
    starter = Starter(message="1", channel="2", name='Ünï → "x"')
    ticket = Ticket(
        application="1", interaction="2", token="t:k/n", user="3", created_at=4, starter=starter
    )
    hidden = Ticket(
        application="1", interaction="2", token="t", user="3", created_at=4, is_hidden=True
    )
    assert Ticket.read(ticket.spell()) == ticket
    assert Ticket.read(hidden.spell()) == hidden
    for other in (None, "", "123456", "ticket:", "ticket:{}", "ticket:[1]", 'ticket:{"a": 1}'):
        assert Ticket.read(other) is None
    assert not ticket.is_over(889.0)
    assert ticket.is_over(890.1)
