"""Messages over REST: what may be posted, changed, deleted and read."""

from typing import Any

import pytest

from tests.servers.discord import Channel, DiscordServer, Limits, User
from tests.servers.test_discord.client import Rest


def path(channel: Channel, message: int | str | None = None) -> str:
    """Return the path of a channel's messages, or of one."""
    found = f"/channels/{channel.id}/messages"
    return found if message is None else f"{found}/{message}"


async def test_people_see_what_is_posted_changed_and_deleted(
    server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """Each step is kept in order, with every text a message had."""
    posted = await rest("POST", path(channel), {"content": "  One "})
    assert rest.status == 200
    message = await channel.answer(containing="One")
    assert (posted["id"], posted["content"]) == (str(message.id), "One")
    edited = await rest("PATCH", path(channel, message.id), {"content": "Two"})
    assert (edited["content"], bool(edited["edited_timestamp"])) == ("Two", True)
    assert message.versions == ["One", "Two"]
    await rest("DELETE", path(channel, message.id))
    assert rest.status == 204
    assert not channel.answers
    assert [shown.kind for shown in channel.shown] == ["message", "edit", "delete"]
    assert [call.name for call in channel.calls] == [
        "create_message",
        "edit_message",
        "delete_message",
    ]
    assert not server.remarks


@pytest.mark.parametrize(
    ("body", "place", "code"),
    [
        ({"content": "x" * 2001}, "content", "BASE_TYPE_MAX_LENGTH"),
        ({"content": 1}, "content", "STRING_TYPE_CONVERT"),
        ({"content": "x", "tts": 1}, "tts", "BOOLEAN_TYPE_CONVERT"),
        ({"content": "x", "flags": "4"}, "flags", "NUMBER_TYPE_COERCE"),
        ({"embeds": [{}] * 11}, "embeds", "BASE_TYPE_MAX_LENGTH"),
        ({"embeds": [{"description": "x" * 4000}] * 2}, "embeds", "MAX_EMBED_SIZE_EXCEEDED"),
        ({"content": "x", "nonce": "x" * 26}, "nonce", "BASE_TYPE_MAX_LENGTH"),
        ({"content": "x", "nonce": []}, "nonce", "NONCE_TYPE_INVALID"),
        ({"content": "x", "embeds": "x"}, "embeds", "LIST_TYPE_CONVERT"),
        (
            {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
            "allowed_mentions",
            "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
        ),
        (
            {"content": "x", "message_reference": {"message_id": "1"}},
            "message_reference",
            "MESSAGE_REFERENCE_UNKNOWN_MESSAGE",
        ),
        (
            {"content": "x", "flags": 1 << 15},
            "content",
            "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
        ),
        (
            {"flags": 1 << 15, "components": [{"type": 10, "content": "x" * 2001}] * 2},
            "components",
            "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
        ),
    ],
)
async def test_a_wrong_form_names_the_place(
    rest: Rest, channel: Channel, body: Any, place: str, code: str
) -> None:
    """Every problem is at its field, and nothing is posted."""
    errors = await rest.wrong("POST", path(channel), body)
    assert [error["code"] for error in errors[place]["_errors"]] == [code]
    assert not channel.answers


@pytest.mark.parametrize("body", [{}, {"content": ""}, {"content": " \n"}, {"embeds": []}])
async def test_empty_messages_are_refused(rest: Rest, channel: Channel, body: Any) -> None:
    """What shows nothing is no message."""
    assert await rest.refused("POST", path(channel), body) == (400, 50006)


async def test_an_edit_cannot_empty_a_message(rest: Rest, channel: Channel) -> None:
    """Something must stay."""
    posted = await rest("POST", path(channel), {"content": "One"})
    found = await rest.refused("PATCH", path(channel, posted["id"]), {"content": ""})
    assert found == (400, 50006)
    assert channel.answers[0].content == "One"


async def test_a_nonce_posts_once(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User
) -> None:
    """With enforce_nonce a repeat within minutes returns the first; elsewhere it is new."""
    body = {"content": "One", "nonce": "n-1", "enforce_nonce": True}
    first = await rest("POST", path(channel), body)
    again = await rest("POST", path(channel), body | {"content": "Two"})
    assert (again["id"], again["content"], again["nonce"]) == (first["id"], "One", "n-1")
    other = await rest("POST", path(server.direct(ann)), body)
    unforced = await rest("POST", path(channel), {"content": "Three", "nonce": "n-1"})
    server.advance(301)
    later = await rest("POST", path(channel), body)
    assert len({first["id"], other["id"], unforced["id"], later["id"]}) == 4
    assert [message.content for message in channel.answers] == ["One", "Three", "One"]


async def test_who_would_be_pinged(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User, bob: User
) -> None:
    """Mentions ping unless allowed_mentions forbids it; replies ping by default."""
    asked = channel.say(ann, "Hello?")
    text = f"{bob.mention} @everyone"
    reference = {"message_id": str(asked.id)}
    body: Any = {"content": text, "message_reference": reference}
    allowed: list[Any] = [
        None,
        {"parse": []},
        {"users": [str(bob.id)]},
        {"replied_user": True},
    ]
    for mentions in allowed:
        await rest("POST", path(channel), body | {"allowed_mentions": mentions})
    pinged = [message.pinged for message in channel.answers]
    assert pinged == [{bob.id, ann.id}, set(), {bob.id}, {ann.id}]
    assert channel.answers[0].replied is asked
    channel.allow(server.bot, 1 << 17)
    await rest("POST", path(channel), {"content": text})
    assert channel.answers[-1].pinged == {bob.id, "everyone"}


async def test_replies(rest: Rest, channel: Channel, ann: User) -> None:
    """A deleted message can be replied to only if that may fail; history must be readable."""
    asked = channel.say(ann, "Hello?")
    body: Any = {"content": "Hi", "message_reference": {"message_id": str(asked.id)}}
    found = await rest("POST", path(channel), body)
    assert (found["type"], found["referenced_message"]["content"]) == (19, "Hello?")
    channel.delete(asked)
    body["message_reference"]["fail_if_not_exists"] = False
    found = await rest("POST", path(channel), body)
    assert (found["type"], "message_reference" in found) == (0, False)
    channel.allow(channel.server.bot, deny=1 << 16)
    assert await rest.refused("POST", path(channel), body) == (400, 160002)
    assert await rest("GET", path(channel)) == []


async def test_forwards_are_snapshots(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User
) -> None:
    """A forward keeps what the message was, wherever it stood."""
    said = server.direct(ann).say(ann, "Once")
    reference = {"type": 1, "message_id": str(said.id), "channel_id": str(said.channel.id)}
    found = await rest("POST", path(channel), {"message_reference": reference})
    said.channel.edit(said, "Twice")
    assert found["message_snapshots"][0]["message"]["content"] == "Once"
    told = channel.forward(ann, said)
    assert told.json()["message_snapshots"][0]["message"]["content"] == "Twice"


async def test_messages_of_others(rest: Rest, channel: Channel, ann: User) -> None:
    """Nobody edits others' messages; deleting them needs Manage Messages, in DMs never."""
    said = channel.say(ann, "Hello")
    assert await rest.refused("PATCH", path(channel, said.id), {"content": "x"}) == (403, 50005)
    assert await rest.refused("DELETE", path(channel, said.id)) == (403, 50013)
    direct = channel.server.direct(ann)
    told = direct.say(ann, "Hello")
    assert await rest.refused("DELETE", path(direct, told.id)) == (403, 50003)
    channel.allow(channel.server.bot, 1 << 13)
    await rest("DELETE", path(channel, said.id))
    assert said.is_deleted
    assert await rest.refused("GET", path(channel, said.id)) == (404, 10008)


async def test_reading_pages(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User
) -> None:
    """Newest first, at most 100, before, after or around an id, deleted ones left out."""
    server.limits = Limits.unlimited()
    said = [channel.say(ann, str(number)) for number in range(12)]
    channel.delete(said[11])

    async def texts(query: str) -> list[str]:
        found = await rest("GET", f"{path(channel)}?{query}")
        return [item["content"] for item in found]

    assert await texts("limit=3") == ["10", "9", "8"]
    assert await texts(f"after={said[2].id}&limit=2") == ["4", "3"]
    assert await texts(f"before={said[2].id}") == ["1", "0"]
    assert await texts(f"around={said[5].id}&limit=4") == ["6", "5", "4", "3"]
    assert len(await texts("")) == 11
    assert not server.remarks
    assert await rest.refused("GET", f"{path(channel)}?limit=101") == (400, 50035)
    assert await rest.refused("GET", f"{path(channel)}?after=x") == (400, 50035)


async def test_reading_without_the_content_intent(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User
) -> None:
    """With the intent off in the portal, REST too hides what people wrote."""
    server.privileged = 0
    said = channel.say(ann, "Secret")
    assert (await rest("GET", path(channel, said.id)))["content"] == ""
    told = server.direct(ann).say(ann, "Direct")
    assert (await rest("GET", path(told.channel, told.id)))["content"] == "Direct"


async def test_direct_messages(server: DiscordServer, rest: Rest, ann: User) -> None:
    """A DM channel is opened by its recipient; who has blocked the bot gets none."""
    opened = await rest("POST", "/users/@me/channels", {"recipient_id": str(ann.id)})
    direct = server.direct(ann)
    assert (opened["id"], opened["type"]) == (str(direct.id), 1)
    await rest("POST", path(direct), {"content": "Hello"})
    ann.has_blocked = True
    assert await rest.refused("POST", path(direct), {"content": "x"}) == (403, 50007)
    found = await rest.refused("POST", "/users/@me/channels", {"recipient_id": "1"})
    assert found == (400, 50033)


async def test_what_is_passed_over_is_remarked(
    server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """Unknown fields, flags that cannot be set and a wrong User-Agent do no harm but show."""
    body = {"content": "x", "colour": "red", "flags": 1 << 6, "enforce_nonce": True}
    await rest("POST", path(channel), body, headers={"User-Agent": "curl"})
    assert rest.status == 200
    assert len(server.remarks) == 4


async def test_typing_shows_for_ten_seconds(
    server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """It ends by itself, or with the message."""
    await rest("POST", f"/channels/{channel.id}/typing")
    assert (rest.status, channel.is_typing) == (204, True)
    server.advance(10)
    assert not channel.is_typing
    await rest("POST", f"/channels/{channel.id}/typing")
    await rest("POST", path(channel), {"content": "x"})
    assert not channel.is_typing
