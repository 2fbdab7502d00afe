"""Files both ways, and their links."""

import json

import aiohttp

from tests.servers.discord import Channel, DiscordServer, File, Limits, User
from tests.servers.test_discord.client import Bot, Rest


def form(payload: object, *files: bytes) -> aiohttp.FormData:
    """Return a form with files."""
    found = aiohttp.FormData(quote_fields=False)
    found.add_field("payload_json", json.dumps(payload))
    for index, data in enumerate(files):
        found.add_field(f"files[{index}]", data, filename=f"{index} a.md")
    return found


async def test_what_people_attach_can_be_fetched(
    server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """Real bytes lie behind a signed link, until it expires; a refreshed one works."""
    said = channel.say(ann, files=[File(name="a b.txt", data=b"Hello", mime="text/plain")])
    (found,) = said.json()["attachments"]
    assert (found["filename"], found["size"], found["content_type"]) == (
        "a_b.txt",
        5,
        "text/plain",
    )
    async with bot.http.get(found["url"]) as response:
        assert await response.read() == b"Hello"
    server.advance(24 * 3600 + 1)
    for url in (found["url"], found["url"].split("?")[0]):
        async with bot.http.get(url) as response:
            assert response.status == 404
    body = {"attachment_urls": [found["url"], "https://example.org/x"]}
    urls = (await bot.rest("POST", "/attachments/refresh-urls", body))["refreshed_urls"]
    async with bot.http.get(urls[0]["refreshed"]) as response:
        assert response.status == 200
    assert urls[1]["refreshed"] is None
    server.cdn.expire()
    async with bot.http.get(urls[0]["refreshed"]) as response:
        assert response.status == 404


async def test_voice_messages(channel: Channel, ann: User) -> None:
    """They are flagged and carry their length and waveform."""
    said = channel.say_voice(ann, b"OggS", seconds=2.5).json()
    (found,) = said["attachments"]
    assert (said["flags"], found["duration_secs"], said["content"]) == (1 << 13, 2.5, "")
    assert found["waveform"]
    (sticker,) = channel.say_sticker(ann, "Wave").json()["sticker_items"]
    assert sticker["name"] == "Wave"


async def test_what_the_bot_attaches(server: DiscordServer, rest: Rest, channel: Channel) -> None:
    """Files come with a form; an edit keeps those it names; too large is 413."""
    path = f"/channels/{channel.id}/messages"
    payload = {"content": "Both", "attachments": [{"id": 0, "filename": "whole.md"}]}
    posted = await rest("POST", path, data=form(payload, b"one", b"two"))
    message = await channel.answer()
    assert [file.name for file in message.attachments] == ["whole.md", "1_a.md"]
    assert message.attachments[0].data == b"one"
    kept = {"attachments": [{"id": posted["attachments"][1]["id"]}]}
    await rest("PATCH", f"{path}/{posted['id']}", kept)
    assert [file.data for file in message.attachments] == [b"two"]
    server.limits = Limits(upload_bytes=2)
    found = await rest.refused("POST", path, data=form({"content": "x"}, b"one"))
    assert found == (413, 40005)
    channel.allow(channel.server.bot, deny=1 << 15)
    assert await rest.refused("POST", path, data=form({}, b"1")) == (403, 50013)
    assert await rest.refused("POST", path, data="{") == (400, 50035)
    headers = {"Content-Type": "application/json"}
    assert await rest.refused("POST", path, data="{", headers=headers) == (400, 50109)
