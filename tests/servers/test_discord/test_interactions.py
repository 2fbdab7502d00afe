"""Interactions: the 3 seconds, the 15 minutes, answers and who sees them."""

from typing import Any

import pytest

from tests.servers.discord import Channel, DiscordServer, Interaction, Limits, User
from tests.servers.discord.errors import Json
from tests.servers.test_discord.client import Rest

EPHEMERAL = 1 << 6
COMMANDS: list[Json] = [
    {
        "name": "ask",
        "description": "a",
        "options": [{"type": 3, "name": "model", "description": "a", "autocomplete": True}],
    }
]


def callback(asked: Interaction, query: str = "") -> str:
    """Return the path to acknowledge by."""
    return f"/interactions/{asked.id}/{asked.token}/callback{query}"


def webhook(asked: Interaction, message: object = None) -> str:
    """Return the path of an interaction's answers, or of one."""
    found = f"/webhooks/{asked.channel.server.application_id}/{asked.token}"
    return found if message is None else f"{found}/messages/{message}"


@pytest.fixture
async def asked(server: DiscordServer, rest: Rest, channel: Channel, ann: User) -> Interaction:
    """A command that Ann has just sent."""
    await rest("PUT", f"/applications/{server.application_id}/commands", COMMANDS)
    return channel.slash(ann, "ask")


async def test_an_answer_at_once(rest: Rest, channel: Channel, asked: Interaction) -> None:
    """Everybody sees it as the bot's message; it can be changed, read and deleted."""
    assert asked.state == "waiting"
    assert await rest("POST", callback(asked), {"type": 4, "data": {"content": "Hi"}}) is None
    message = await asked.answer()
    assert (rest.status, asked.state, message.type) == (204, "answered", 20)
    assert channel.answers == [message]
    await rest("PATCH", webhook(asked, "@original"), {"content": "Hello"})
    found = await rest("GET", webhook(asked, "@original"))
    assert (found["content"], found["webhook_id"]) == ("Hello", found["application_id"])
    await rest("PATCH", f"/channels/{channel.id}/messages/{message.id}", {"content": "Hey"})
    assert asked.text == "Hey"
    await rest("DELETE", webhook(asked, "@original"))
    assert (asked.state, asked.texts) == ("deleted", [])
    assert await rest.refused("GET", webhook(asked, "@original")) == (404, 10008)


async def test_a_deferred_answer(
    server: DiscordServer, rest: Rest, channel: Channel, asked: Interaction
) -> None:
    """It is "thinking…" until it is edited; the token cannot be used after 15 minutes."""
    found = await rest("POST", callback(asked, "?with_response=true"), {"type": 5})
    assert asked.original
    assert found["interaction"]["response_message_id"] == str(asked.original.id)
    assert found["interaction"]["response_message_loading"]
    assert (asked.state, asked.text, channel.answers) == ("thinking", "", [])
    server.advance(899)
    assert asked.state == "thinking"
    await rest("PATCH", webhook(asked, "@original"), {"content": "Done"})
    assert (asked.state, asked.text) == ("answered", "Done")
    assert (asked.original.flags, channel.answers) == (0, [asked.original])
    server.advance(1)
    late = {"content": "Late"}
    assert await rest.refused("PATCH", webhook(asked, "@original"), late) == (401, 50027)
    assert await rest.refused("POST", webhook(asked), late) == (401, 50027)


async def test_who_is_never_answered_sees_it(
    server: DiscordServer, rest: Rest, asked: Interaction
) -> None:
    """A defer that is never followed up fails after 15 minutes."""
    await rest("POST", callback(asked), {"type": 5})
    server.advance(900)
    assert asked.state == "failed"
    with pytest.raises(TimeoutError, match="the person sees failed"):
        await asked.answer(seconds=0.01)


async def test_the_three_seconds(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User, asked: Interaction
) -> None:
    """Too late is 404, twice is 400, unknown is 404; the person is told after 3 s."""
    body = {"type": 5}
    assert await rest.refused("POST", webhook(asked), {"content": "x"}) == (404, 10015)
    server.advance(3)
    assert asked.state == "failed"
    assert await rest.refused("POST", callback(asked), body) == (404, 10062)
    assert await rest.refused("POST", "/interactions/1/x/callback", body) == (404, 10062)
    second = channel.slash(ann, "ask")
    await rest("POST", callback(second), body)
    assert await rest.refused("POST", callback(second), body) == (400, 40060)
    server.limits = Limits(ack_seconds=0.02)
    third = channel.slash(ann, "ask")
    await third.until(lambda: third.state == "failed")


async def test_ephemeral_answers_are_the_askers(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User, asked: Interaction
) -> None:
    """Nobody else sees them, and REST does not find them as messages."""
    await rest("POST", callback(asked), {"type": 5, "data": {"flags": EPHEMERAL}})
    await rest("PATCH", webhook(asked, "@original"), {"content": "Psst"})
    await rest("POST", webhook(asked), {"content": "More", "flags": EPHEMERAL})
    await rest("POST", webhook(asked), {"content": "Aloud"})
    assert asked.texts == ["Psst", "More", "Aloud"]
    assert asked.original
    assert (asked.is_ephemeral, asked.original.asker) == (True, ann)
    assert [message.content for message in channel.answers] == ["Aloud"]
    path = f"/channels/{channel.id}/messages/{asked.original.id}"
    assert await rest.refused("PATCH", path, {"content": "x"}) == (404, 10008)
    assert not server.remarks


async def test_followups(
    server: DiscordServer, rest: Rest, asked: Interaction, channel: Channel
) -> None:
    """They reply to the first answer, and can be changed and deleted by their ids."""
    server.limits = Limits.unlimited()
    await rest("POST", callback(asked), {"type": 4, "data": {"content": "Hi"}})
    found = await rest("POST", webhook(asked), {"content": "More"})
    assert (found["type"], found["referenced_message"]["content"]) == (19, "Hi")
    await rest("PATCH", webhook(asked, found["id"]), {"content": "Else"})
    assert (await rest("GET", webhook(asked, found["id"])))["content"] == "Else"
    assert asked.texts == ["Hi", "Else"]
    await rest("DELETE", webhook(asked, found["id"]))
    assert await rest.refused("DELETE", webhook(asked, found["id"])) == (404, 10008)
    assert [call.name for call in channel.calls][-1] == "delete_followup_message"
    assert await rest.refused("POST", webhook(asked), {}) == (400, 50006)
    assert "content" in await rest.wrong("POST", webhook(asked), {"content": "x" * 2001})


async def test_a_followup_ends_thinking(
    server: DiscordServer, rest: Rest, asked: Interaction
) -> None:
    """The first one stands in for the deferred answer, which is deprecated."""
    await rest("POST", callback(asked), {"type": 5, "data": {"flags": EPHEMERAL}})
    await rest("POST", webhook(asked), {"content": "Hi"})
    assert (asked.texts, asked.followups, asked.is_ephemeral) == (["Hi"], [], True)
    assert len(server.remarks) == 1


@pytest.mark.usefixtures("asked")
async def test_five_followups_where_the_app_is_a_guest(
    server: DiscordServer, rest: Rest, ann: User
) -> None:
    """A user-installed app has five, and its answers stand where the bot is not."""
    ann.has_installed = True
    place = server.guild("Elsewhere", ann, has_bot=False).channel("general")
    guest = place.slash(ann, "ask")
    await rest("POST", callback(guest), {"type": 4, "data": {"content": "Hi"}})
    server.limits = Limits.unlimited()
    for number in range(5):
        await rest("POST", webhook(guest), {"content": str(number)})
    assert await rest.refused("POST", webhook(guest), {"content": "x"}) == (400, 40094)
    assert guest.texts == ["Hi", "0", "1", "2", "3", "4"]
    assert len(place.answers) == 6
    found = await rest.refused("POST", f"/channels/{place.id}/messages", {"content": "x"})
    assert found == (403, 50001)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "type"),
        ({"type": 6}, "type"),
        ({"type": 8, "data": {"choices": []}}, "type"),
        ({"type": 4, "data": {"content": "x" * 2001}}, "content"),
        ({"type": 9, "data": {"title": "x", "components": []}}, "data"),
    ],
)
async def test_wrong_callbacks(rest: Rest, asked: Interaction, body: Any, place: str) -> None:
    """The form is checked, and the interaction still waits."""
    assert place in await rest.wrong("POST", callback(asked), body)
    assert (asked.state, asked.callback) == ("waiting", 0)


async def test_autocomplete(rest: Rest, channel: Channel, ann: User, asked: Interaction) -> None:
    """It takes up to 25 choices and nothing else; it leaves no answer."""
    typing = channel.autocomplete(ann, "ask", focused="model", model="gp")
    assert typing.payload["type"] == 4
    assert typing.data["options"][0]["focused"] is True
    assert "type" in await rest.wrong("POST", callback(typing), {"type": 4})
    body: Any = {"type": 8, "data": {"choices": [{"name": "a", "value": 1}]}}
    assert "data" in await rest.wrong("POST", callback(typing), body)
    body["data"]["choices"] = [{"name": "a", "value": "a"}] * 26
    assert "data" in await rest.wrong("POST", callback(typing), body)
    body["data"]["choices"] = [{"name": "a", "value": "a"}]
    await rest("POST", callback(typing), body)
    assert typing.choices == [{"name": "a", "value": "a"}]
    assert await rest.refused("POST", webhook(typing), {"content": "x"}) == (404, 10015)
    assert not channel.answers
    modal = {"custom_id": "a", "title": "b", "components": [{}]}
    await rest("POST", callback(asked), {"type": 9, "data": modal})
    assert asked.modal == modal
