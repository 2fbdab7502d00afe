"""The real discord.py against the loopback Discord."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import discord
import pytest
import yarl
from discord.gateway import DiscordWebSocket

from tests.servers.bell import Bell
from tests.servers.discord import Channel, DiscordServer, File, Guild, Limits, User

COMMAND = {
    "name": "ask",
    "description": "Ask",
    "options": [{"type": 11, "name": "file", "description": "A file"}],
}


class Client(discord.Client):
    """Keeps what it is told; identifies anew without the usual pause of 5 s."""

    def __init__(self) -> None:
        intents = discord.Intents(guilds=True, messages=True, message_content=True)
        super().__init__(intents=intents, max_messages=None, guild_ready_timeout=0.05)
        self.heard: list[discord.Message] = []
        self.asked: list[discord.Interaction] = []
        self.events: list[str] = []
        self._bell = Bell()

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until something about it holds; return its value."""
        return await self._bell.until(condition, 10.0)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do not wait."""

    async def on_socket_event_type(self, name: str) -> None:
        """Keep the name of an event."""
        self.events.append(name)
        self._bell.ring()

    async def on_message(self, message: discord.Message) -> None:
        """Keep what people write."""
        if message.author != self.user:
            self.heard.append(message)
            self._bell.ring()

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Keep what people ask."""
        self.asked.append(interaction)
        self._bell.ring()


@pytest.fixture
async def client(
    server: DiscordServer, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    """A client that is connected; `channel` is there before it."""
    assert channel.guild
    monkeypatch.setattr(discord.http.Route, "BASE", f"{server.url}/api/v10")
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
    client = Client()
    task = asyncio.create_task(client.start(server.token))
    await server.gateway.ready()
    await client.wait_until_ready()
    yield client
    await client.close()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_it_reads_writes_and_sees_the_guild(
    server: DiscordServer, client: Client, guild: Guild, channel: Channel, ann: User
) -> None:
    """Messages, members, permissions and threads arrive as the SDK's objects."""
    guild.join(ann, nick="Annie")
    said = channel.say(ann, f"Hello {server.bot.mention}")
    (message,) = await client.until(lambda: client.heard)
    assert (message.id, message.author.display_name) == (said.id, "Annie")
    assert message.mentions == [client.guilds[0].me]
    assert isinstance(message.channel, discord.TextChannel)
    assert message.channel.permissions_for(client.guilds[0].me).send_messages
    reply = await message.reply("Hi")
    assert (await channel.answer()).replied is said
    await reply.edit(content="Hi!")
    assert channel.answers[0].content == "Hi!"
    thread = await message.create_thread(name="About that")
    await thread.send("Here")
    assert guild.threads[thread.id].answers[0].content == "Here"
    history = [item.content async for item in message.channel.history(limit=5)]
    assert history == ["Hi!", said.content]
    await reply.delete()
    assert channel.answers == []
    assert not server.remarks


async def test_it_fetches_voice_messages(client: Client, server: DiscordServer, ann: User) -> None:
    """In a DM, with its length; the bytes come from the link."""
    server.direct(ann).say_voice(ann, b"OggS", seconds=1.5)
    (message,) = await client.until(lambda: client.heard)
    assert isinstance(message.channel, discord.DMChannel)
    (attachment,) = message.attachments
    assert attachment.is_voice_message()
    assert (attachment.duration, await attachment.read()) == (1.5, b"OggS")


async def test_it_answers_interactions(
    client: Client, server: DiscordServer, channel: Channel, ann: User, bob: User
) -> None:
    """In guilds, DMs and groups: deferred, edited, followed up, with the file resolved."""
    assert client.application_id
    await client.http.bulk_upsert_global_commands(
        client.application_id, [COMMAND | {"integration_types": [0, 1]}]
    )
    ann.has_installed = True
    places = [channel, channel.open_thread(ann, "t"), server.direct(ann), server.private(ann, bob)]
    places.append(server.private(ann, bob, server.user("Eve")))
    for index, place in enumerate(places):
        asked = place.slash(ann, "ask", file=File(name="a.txt", data=b"x"))
        await client.until(lambda: len(client.asked) > index)  # noqa: B023 - done within the round
        interaction = client.asked[index]
        assert interaction.channel_id == place.id
        await interaction.response.defer(ephemeral=True)
        assert asked.state == "thinking"
        await interaction.edit_original_response(content="Done")
        await interaction.followup.send("More", ephemeral=True)
        assert (asked.state, asked.texts) == ("answered", ["Done", "More"])
    assert not server.remarks


@pytest.mark.parametrize("fault", ["drop", "close", "reconnect"])
async def test_it_resumes(
    server: DiscordServer, client: Client, channel: Channel, ann: User, fault: str
) -> None:
    """After a cut, a close or a request, the session goes on and nothing is lost."""
    getattr(server.gateway, fault)()
    channel.say(ann, "Hello")
    await client.until(lambda: client.heard)
    await client.until(lambda: "RESUMED" in client.events)
    assert (server.gateway.identifies, server.gateway.resumes) == (1, 1)


async def test_it_identifies_anew_after_an_invalid_session(
    server: DiscordServer, client: Client, channel: Channel, ann: User
) -> None:
    """At DEFAULT_GATEWAY; what was said in between is not heard."""
    server.gateway.invalidate()
    channel.say(ann, "Lost")
    await server.gateway.ready(2)
    await client.until(lambda: client.events.count("GUILD_CREATE") == 2)
    channel.say(ann, "Heard")
    assert [message.content for message in await client.until(lambda: client.heard)] == ["Heard"]


async def test_it_survives_what_it_does_not_know(
    server: DiscordServer, client: Client, channel: Channel, ann: User
) -> None:
    """An unknown event or opcode is passed over."""
    server.gateway.push("SENT_BY_PIGEON", {"what": "ever"})
    server.gateway.push_text('{"op": 99, "d": null, "s": null, "t": null}')
    server.gateway.ask_for_heartbeat()
    channel.say(ann, "Hello")
    await client.until(lambda: client.heard)
    assert "SENT_BY_PIGEON" in client.events


async def test_it_waits_out_its_rate_limits(
    server: DiscordServer, client: Client, channel: Channel
) -> None:
    """The headers are such that it never runs into a 429."""
    server.limits = Limits(create=Limits().delete)
    found = client.get_channel(channel.id)
    assert isinstance(found, discord.TextChannel)
    await asyncio.gather(*(found.send(str(number)) for number in range(6)))
    assert len(channel.answers) == 6
    assert {call.status for call in channel.calls} == {200}
    server.limit_next("create_message", 0.01, place=channel)
    await found.send("x")
    assert not server.remarks
    channel.allow(server.bot, deny=1 << 11)
    with pytest.raises(discord.Forbidden, match="50013"):
        await found.send("x")


async def test_a_wrong_token_and_a_disallowed_intent(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both end it with the SDK's own errors."""
    monkeypatch.setattr(discord.http.Route, "BASE", f"{server.url}/api/v10")
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
    with pytest.raises(discord.LoginFailure):
        async with Client() as client:
            await client.start("wrong")
    server.privileged = 0
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with Client() as client:
            await client.start(server.token)
