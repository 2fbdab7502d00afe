"""Guilds, permissions, threads: where the bot may do what."""

import pytest

from tests.servers.discord import Channel, DiscordServer, Guild, User
from tests.servers.discord import permissions as may
from tests.servers.test_discord.client import Bot, Rest


async def test_what_does_not_exist_and_where_the_bot_is_not(
    server: DiscordServer, rest: Rest, guild: Guild, channel: Channel, ann: User
) -> None:
    """Unknown is 404, closed is 403, a crooked id is a wrong form."""
    elsewhere = server.guild("Elsewhere", ann, has_bot=False)
    closed = elsewhere.channel("general")
    assert await rest.refused("GET", "/channels/1") == (404, 10003)
    assert await rest.refused("GET", "/channels/one") == (400, 50035)
    assert await rest.refused("GET", f"/channels/{closed.id}") == (403, 50001)
    assert await rest.refused("GET", f"/guilds/{elsewhere.id}") == (403, 50001)
    assert await rest.refused("GET", "/guilds/1") == (404, 10004)
    assert await rest.refused("GET", "/nowhere") == (404, 0)
    assert await rest.refused("PUT", f"/channels/{channel.id}") == (405, 0)
    assert await rest.refused("GET", f"/guilds/{guild.id}/members/1") == (404, 10007)
    found = await rest("GET", f"/guilds/{guild.id}/members/{ann.id}")
    assert found["user"]["global_name"] == "Ann"
    guild.delete(channel)
    assert await rest.refused("GET", f"/channels/{channel.id}") == (404, 10003)


async def test_the_token_is_checked(server: DiscordServer, rest: Rest) -> None:
    """Without it nothing is told, but where the gateway is."""
    headers = {"Authorization": "Bot no"}
    assert await rest.refused("GET", "/users/@me", headers=headers) == (401, 0)
    assert (await rest("GET", "/gateway", headers=headers))["url"] == server.gateway_url
    server.reset_token()
    assert (await rest("GET", "/users/@me"))["id"] == str(server.bot.id)


@pytest.mark.parametrize(
    ("denied", "body", "code"),
    [
        (may.VIEW_CHANNEL, {"content": "x"}, 50001),
        (may.SEND_MESSAGES, {"content": "x"}, 50013),
        (may.EMBED_LINKS, {"embeds": [{"title": "x"}]}, 50013),
    ],
)
async def test_overwrites_decide(
    rest: Rest, guild: Guild, denied: int, body: dict[str, object], code: int
) -> None:
    """Everybody's overwrite, then the roles', then the member's."""
    channel = guild.channel("general")
    path = f"/channels/{channel.id}/messages"
    assert guild.bot_role
    channel.allow(guild.everyone, deny=denied)
    assert (await rest.refused("POST", path, body))[1] == code
    channel.allow(guild.bot_role, denied)
    await rest("POST", path, body)
    assert rest.status == 200
    channel.allow(guild.server.bot, deny=denied)
    assert (await rest.refused("POST", path, body))[1] == code


async def test_owners_and_administrators_may_everything(
    guild: Guild, channel: Channel, ann: User
) -> None:
    """No overwrite stops them."""
    channel.allow(guild.everyone, deny=may.VIEW_CHANNEL)
    assert may.in_channel(guild.members[ann.id], channel) == may.ALL
    assert not channel.is_seen
    assert guild.bot_role
    guild.permit(guild.bot_role, may.ADMINISTRATOR)
    assert channel.bot_permissions == may.ALL
    assert guild.role("Teacher").json()["permissions"] == "0"


async def test_a_thread_at_a_message_has_its_id(rest: Rest, channel: Channel, ann: User) -> None:
    """A message has one thread; the bot is in it, and it begins by pointing back."""
    said = channel.say(ann, "Hello")
    path = f"/channels/{channel.id}/messages/{said.id}/threads"
    found = await rest("POST", path, {"name": "About that", "auto_archive_duration": 60})
    assert (rest.status, found["id"], found["type"]) == (201, str(said.id), 11)
    assert found["thread_metadata"]["auto_archive_duration"] == 60
    assert found["member"]["user_id"] == str(channel.server.bot.id)
    assert await rest.refused("POST", path, {"name": "Again"}) == (400, 160004)
    (starter,) = await rest("GET", f"/channels/{said.id}/messages")
    assert (starter["type"], starter["referenced_message"]["content"]) == (21, "Hello")
    assert said.json()["thread"]["id"] == str(said.id)
    inner = f"/channels/{said.id}/threads"
    assert await rest.refused("POST", inner, {"name": "Deeper"}) == (400, 50024)


async def test_threads_without_a_message(rest: Rest, channel: Channel, ann: User) -> None:
    """They are private unless told otherwise; public ones are announced; DMs have none."""
    path = f"/channels/{channel.id}/threads"
    assert (await rest("POST", path, {"name": "a"}))["type"] == 12
    public = await rest("POST", path, {"name": "b", "type": 11})
    (announced,) = channel.messages.values()
    assert (announced.type, announced.content) == (18, "b")
    assert channel.answers == []
    errors = await rest.wrong("POST", path, {"name": "x" * 101})
    assert "name" in errors
    wrong = {"name": "a", "auto_archive_duration": 7}
    assert "auto_archive_duration" in await rest.wrong("POST", path, wrong)
    direct = channel.server.direct(ann)
    found = await rest.refused("POST", f"/channels/{direct.id}/threads", {"name": "a"})
    assert found == (400, 50024)
    channel.allow(channel.server.bot, deny=may.CREATE_PUBLIC_THREADS)
    assert await rest.refused("POST", path, {"name": "c", "type": 11}) == (403, 50013)
    assert public["owner_id"] == str(channel.server.bot.id)


async def test_archived_and_locked_threads(
    rest: Rest, channel: Channel, guild: Guild, ann: User
) -> None:
    """Writing reopens an archived thread, editing does not; a locked one takes nothing."""
    thread = channel.open_thread(ann, "homework")
    path = f"/channels/{thread.id}/messages"
    posted = await rest("POST", path, {"content": "One"})
    thread.archive()
    edit = {"content": "Two"}
    assert await rest.refused("PATCH", f"{path}/{posted['id']}", edit) == (400, 50083)
    assert await rest.refused("PUT", f"/channels/{thread.id}/thread-members/@me") == (400, 50083)
    await rest("POST", path, {"content": "Two"})
    assert thread.thread
    assert not thread.thread.is_archived
    thread.archive(is_locked=True)
    assert await rest.refused("POST", path, {"content": "Three"}) == (400, 160005)
    body = {"archived": False}
    assert await rest.refused("PATCH", f"/channels/{thread.id}", body) == (400, 160005)
    assert guild.bot_role
    guild.permit(guild.bot_role, may.DEFAULT | may.MANAGE_THREADS)
    await rest("PATCH", f"/channels/{thread.id}", {"archived": False, "locked": False})
    assert not thread.thread.is_locked
    await rest("DELETE", f"/channels/{thread.id}")
    assert thread.id not in guild.server.channels


async def test_sending_in_threads_is_a_permission_of_its_own(
    rest: Rest, guild: Guild, channel: Channel, ann: User, bob: User
) -> None:
    """Send Messages does not count there; people can be added by who may write."""
    thread = channel.open_thread(ann, "homework")
    channel.allow(channel.server.bot, deny=may.SEND_MESSAGES)
    await rest("POST", f"/channels/{thread.id}/messages", {"content": "x"})
    assert rest.status == 200
    await rest("PUT", f"/channels/{thread.id}/thread-members/{bob.id}")
    assert thread.thread
    assert bob.id in thread.thread.members
    channel.allow(channel.server.bot, deny=may.SEND_MESSAGES_IN_THREADS)
    found = await rest.refused("POST", f"/channels/{thread.id}/typing")
    assert found == (403, 50013)
    active = await rest("GET", f"/guilds/{guild.id}/threads/active")
    assert [item["id"] for item in active["threads"]] == [str(thread.id)]


async def test_members_roles_and_nicknames(guild: Guild, channel: Channel, bob: User) -> None:
    """They stand with the messages; a role counts only where it may be mentioned."""
    role = guild.role("Teacher")
    guild.join(bob, nick="Bobby", roles=(role,))
    said = channel.say(bob, f"{role.mention} Hello")
    member = said.event()["member"]
    assert (member["nick"], member["roles"]) == ("Bobby", [str(role.id)])
    assert said.pinged == set()
    role.is_mentionable = True
    assert channel.say(bob, role.mention).json()["mention_roles"] == [str(role.id)]
    guild.leave(bob)
    assert bob.id not in guild.members


async def test_a_post_in_a_forum_is_a_thread(bot: Bot, guild: Guild, ann: User) -> None:
    """Its first message has its id; nobody writes in the forum itself."""
    forum = guild.forum("questions")
    async with bot.socket() as socket:
        await socket.identify()
        (found,) = (await socket.event("GUILD_CREATE"))["channels"]
        assert (found["type"], found["name"]) == (15, "questions")
        post = forum.post(ann, "Salt", "How much?")
        opened = await socket.receive()
        assert (opened["t"], opened["d"]["parent_id"]) == ("THREAD_CREATE", str(forum.id))
        said = (await socket.receive())["d"]
        assert (said["id"], said["channel_id"]) == (str(post.id), str(post.id))
    await bot.rest("POST", f"/channels/{post.id}/messages", {"content": "A pinch"})
    assert [message.content for message in post.answers] == ["A pinch"]
    path = f"/channels/{forum.id}/messages"
    assert await bot.rest.refused("POST", path, {"content": "Hi"}) == (400, 50008)
