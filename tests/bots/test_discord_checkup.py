"""What the doctor says of Discord: one fix for each fault."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import discord
import pytest

from bots.discord import invite
from bots.discord.checkup import check_discord
from core.finding import Finding
from tests.bots.answering import answering
from tests.bots.test_doctor import finds
from tests.servers.discord import DiscordServer
from tests.servers.openai import OpenAIServer

NOWHERE = "http://127.0.0.1:9"
PORTAL = "https://discord.com/developers/applications"


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    """A loopback Discord with the bot in a guild."""
    async with DiscordServer() as server:
        server.guild("School", server.user("Ann"))
        yield server


async def examined(server: DiscordServer, **fields: object) -> list[Finding]:
    """Return what is found with a server's token and address, unless told otherwise."""
    usual = {"discord_bot_token": server.token, "discord_api_url": server.url}
    return await finds(check_discord, **(usual | fields))


async def about(application: dict[str, Any]) -> list[Finding]:
    """Return what is found of an application that says this of itself."""
    limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
    answers = {
        "users/@me": {"id": "1", "username": "causerie"},
        "applications/@me": {"id": "42", "flags": 1 << 18, **application},
        "gateway/bot": {"url": "wss://127.0.0.1", "session_start_limit": limit},
    }
    async with answering(answers) as url:
        return await finds(check_discord, discord_bot_token="x", discord_api_url=url)


@pytest.mark.parametrize(
    ("fields", "text", "fix"),
    [
        ({"discord_bot_token": "wrong"}, "refuses DISCORD_BOT_TOKEN", "page Bot"),
        ({"discord_api_url": NOWHERE}, "127.0.0.1:9 cannot", "check DISCORD_API_URL: see"),
        ({"http_proxy_discord": NOWHERE}, "cannot be reached", "check HTTP_PROXY_DISCORD"),
    ],
)
async def test_settings_that_lead_nowhere(
    server: DiscordServer, fields: dict[str, object], text: str, fix: str
) -> None:
    """A wrong token, address or proxy is one fault, which names the setting."""
    (found,) = await examined(server, **fields)
    assert found.level == "fault"
    assert text in found.text
    assert fix in found.fix


async def test_the_real_one_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Discord itself cannot be reached, the fix is a proxy."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.setattr(discord.http.Route, "BASE", "https://discord.com/api/v10")
    (found,) = await finds(check_discord, discord_bot_token="x")
    assert found.text == "discord.com cannot be reached (no connection to the proxy)"
    assert "set HTTP_PROXY_DISCORD to a proxy that reaches it" in found.fix


async def test_another_server(server: DiscordServer, openai_server: OpenAIServer) -> None:
    """What is not Discord is told from a token that is refused."""
    (found,) = await examined(server, discord_api_url=openai_server.url)
    assert "is not the right server (HTTP 404)" in found.text
    async with answering({"users/@me": []}) as url:
        (found,) = await examined(server, discord_api_url=url)
    assert "is not the right server (HTTP 200)" in found.text


@pytest.mark.parametrize(
    ("spoil", "level", "text", "fix"),
    [
        (lambda s: s.fail_next("get_current_user", status=502), "fault", "HTTP 502", "log"),
        (lambda s: s.limit_next("get_current_user", 7), "warning", "pause of 7 s", "again"),
        (
            lambda s: s.fail_next("get_current_user", status=429, is_html=True),
            "fault",
            "blocks this machine's address (HTTP 429)",
            "let an hour pass",
        ),
        (
            lambda s: s.drop_next("get_current_user", times=9),
            "fault",
            "it hangs up",
            "DISCORD_API_URL",
        ),
    ],
    ids=["trouble", "pause", "ban", "drop"],
)
async def test_what_a_server_may_say(
    server: DiscordServer,
    spoil: Callable[[DiscordServer], object],
    level: str,
    text: str,
    fix: str,
) -> None:
    """Trouble, a pause, a ban and a lost connection are told apart."""
    spoil(server)
    (found,) = await examined(server)
    assert found.level == level
    assert text in found.text
    assert fix in found.fix


async def test_a_server_that_is_silent(server: DiscordServer) -> None:
    """Silence is a fault of its own, in time for the doctor to say so."""
    fault = server.delay_next("get_current_user")
    (found,) = await finds(
        partial(check_discord, seconds=0.05),
        discord_bot_token=server.token,
        discord_api_url=server.url,
    )
    fault.release()
    assert "(no answer in time)" in found.text


async def test_trouble_with_one_call_hides_nothing_else(server: DiscordServer) -> None:
    """Who it is, what its application is and whether it may connect are told one by one."""
    server.fail_next("get_current_application", status=500)
    who, application, gateway = await examined(server)
    assert [who.level, application.level, gateway.level] == ["ok", "fault", "ok"]
    server.fail_next("get_gateway_bot", status=500)
    *_, gateway = await examined(server)
    assert "HTTP 500" in gateway.text


async def test_without_the_intent(server: DiscordServer) -> None:
    """The Message Content intent is off: where to turn it on."""
    server.privileged = 0
    _, found, *_ = await examined(server)
    assert found.level == "warning"
    assert found.fix.endswith(f" {PORTAL}/{server.application_id}/bot")


async def test_slash_commands_go_elsewhere() -> None:
    """An endpoint for interactions takes them away from us; of its URL only the host is shown."""
    url = "https://me:secret@example.org/secret"
    found = (await about({"interactions_endpoint_url": url}))[2]
    assert found.level == "fault"
    assert "go to example.org and" in found.text
    assert found.fix.endswith(f" {PORTAL}/42/information")


async def test_nobody_can_add_it() -> None:
    """A code grant is what the invitation has none of."""
    found = (await about({"bot_require_code_grant": True}))[2]
    assert (found.level, found.fix.endswith(f"{PORTAL}/42/bot")) == ("fault", True)


@pytest.mark.parametrize(
    ("application", "text"),
    [
        ({}, "people cannot install it for themselves"),
        ({"integration_types_config": {"1": {}}}, "it can be added to servers"),
        (
            {
                "approximate_guild_count": 2,
                "approximate_user_install_count": 1,
                "integration_types_config": {"1": {}},
            },
            "in 2 servers, installed by 1 person",
        ),
        (
            {
                "approximate_guild_count": 0,
                "approximate_user_install_count": 3,
                "integration_types_config": {"0": {}, "1": {}},
            },
            "installed by 3 people",
        ),
    ],
)
async def test_where_people_find_it(application: dict[str, Any], text: str) -> None:
    """In how many servers it is, and with how many people."""
    *_, found, _ = await about(application)
    assert (found.level, found.text) == ("ok", text)


async def test_an_invitation_for_a_bot_that_is_nowhere() -> None:
    """In no server and with nobody: the link that changes it."""
    async with DiscordServer() as server:
        *_, found, _ = await examined(server)
        assert found.level == "warning"
        assert found.fix == f"open {invite.server_link(server.application_id)}"


def test_the_links() -> None:
    """A server grants exactly the permissions that are used; a person grants commands only."""
    permissions = sum(1 << bit for bit in (10, 11, 14, 15, 16, 35, 38))
    root = "https://discord.com/oauth2/authorize?client_id=42&scope="
    assert invite.server_link(42) == (
        f"{root}bot+applications.commands&permissions={permissions}&integration_type=0"
    )
    assert invite.person_link(42) == f"{root}applications.commands&integration_type=1"


@pytest.mark.parametrize(("left", "level"), [(101, "ok"), (100, "warning"), (10, "fault")])
async def test_connections_that_are_left(server: DiscordServer, left: int, level: str) -> None:
    """A bot that connects again and again is warned before Discord resets its token."""
    server.gateway.starts.used = server.limits.identifies - left
    *_, found = await examined(server)
    assert found.level == level
    text = f"{left} of 1000 connections are left for the next 24.0 h"
    assert (
        found.text
        == {
            "ok": f"the gateway is open for 1 shard, {text}",
            "warning": text,
            "fault": f"{text}, too few for 1 shard",
        }[level]
    )


@pytest.mark.parametrize(
    ("spelled", "level", "text"),
    [
        ("0-3/8", "ok", "0-3/8 is set, Discord recommends 3 shards"),
        ("2", "warning", "one with more than 2,500 servers is refused"),
        ("13", "warning", "each start uses up one of a day's connections"),
    ],
)
async def test_shards_that_are_set(
    server: DiscordServer, spelled: str, level: str, text: str
) -> None:
    """Fewer than Discord recommends are soon refused, and far more cost starts."""
    server.shards = 3
    shared = {"database_url": "postgresql://127.0.0.1/causerie"}
    *_, found, gateway = await examined(server, discord_shards=spelled, **shared)
    assert (found.level, text in found.text) == (level, True)
    assert level == "ok" or "part 3 shards among its processes" in found.fix
    server.gateway.starts.used = 989
    *_, found = await examined(server)
    assert (found.level, gateway.level) == ("fault", "ok")
    assert found.text.endswith("too few for 3 shards")


async def test_a_range_that_nobody_completes(server: DiscordServer) -> None:
    """A SQLite file belongs to one process, so that the other shards have none."""
    *_, found, _ = await examined(server, discord_shards="0-3/8")
    assert (found.level, "nobody hears but shards 0-3/8" in found.text) == ("warning", True)


async def test_a_gateway_that_says_nonsense() -> None:
    """It is not the right server."""
    async with answering(
        {"users/@me": {"id": "1"}, "applications/@me": {"id": "1"}, "gateway/bot": {"shards": "x"}}
    ) as url:
        *_, found = await finds(check_discord, discord_bot_token="x", discord_api_url=url)
    assert "is not the right server" in found.text
