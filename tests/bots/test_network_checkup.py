"""What is said of the way to the servers: proxies, and whether the clocks agree."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web

from bots import network_checkup
from bots.discord.checkup import check_discord
from bots.settings import BotSettings
from bots.telegram.checkup import check_telegram
from core import settings
from core.checkup import check_chat
from core.finding import Finding
from tests.ports import free_port

SELF_SIGNED = Path(__file__).parents[1] / "data" / "self_signed.pem"
TOKENS = {"telegram_bot_token": "7:x", "discord_bot_token": "x", "openai_api_key": "sk-x"}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def proxies(**fields: object) -> list[Finding]:
    """Return what is found of proxies."""
    chosen = settings.load(BotSettings, _env_file=None, **fields)
    return [finding async for finding in network_checkup.check_proxies(chosen)]


async def clock(**fields: object) -> list[str]:
    """Return what is found of the clock, in short."""
    chosen = settings.load(BotSettings, _env_file=None, **fields)
    found = [finding async for finding in network_checkup.check_clock(chosen)]
    return [f"{finding.level}: {finding.text}" for finding in found]


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[str]:
    """Be a proxy that takes connections; yield host and port."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def telling(
    *, ahead: float, asked: list[web.Request] | None = None, is_encrypted: bool = False
) -> AsyncIterator[str]:
    """Be a server whose clock is so many seconds ahead; yield its root."""

    async def answer(request: web.Request) -> web.Response:
        if asked is not None:
            asked.append(request)
        told = formatdate(time.time() + ahead, usegmt=True)
        return web.Response(status=404, headers={"Date": told})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    context = None
    if is_encrypted:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(SELF_SIGNED)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"{'https' if is_encrypted else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_each_side_has_a_proxy_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting counts before the environment; no password is shown."""
    async with listening() as first, listening() as second:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:in-no-log@{second}")
        found = await proxies(
            **TOKENS,
            http_proxy_telegram=f"http://me:in-no-log@{first}",
            speech_base_url="http://127.0.0.1:9/v1",
        )
    assert {finding.level for finding in found} == {"ok"}
    assert [finding.text for finding in found] == [
        f"{first} for telegram (HTTP_PROXY_TELEGRAM)",
        f"{second} for discord and chat (HTTPS_PROXY)",
        "none for speech",
    ]


async def test_a_proxy_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fix names what it is set by."""
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")
    (found,) = await proxies(**TOKENS)
    assert found.level == "fault"
    assert found.text.startswith("the proxy for telegram and discord and chat, 127.0.0.1:")
    assert found.fix == "set HTTPS_PROXY to a proxy that runs, or to nothing"


async def test_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY is told where it counts, and so is what is no HTTP proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setenv("NO_PROXY", "api.telegram.org")
    unfit, telegram, discord = await proxies(telegram_bot_token="7:x", discord_bot_token="x")
    assert (unfit.level, unfit.fix) == ("warning", "write it as http://host:port")
    assert telegram.text == "none for telegram, as NO_PROXY says"
    assert discord.text == "none for discord"


async def test_the_model_server_has_no_rules_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of its proxy is what it is reached by."""
    async with listening() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
        found = await proxies(openai_base_url="http://a.example/v1")
        found += await proxies(openai_base_url="http://10.0.0.1/v1")
    assert [f"{finding.level}: {finding.text}" for finding in found] == [
        f"ok: {proxy} for chat (ALL_PROXY)",
        "ok: none for chat, as NO_PROXY says",
    ]


async def test_nobody_is_talked_to() -> None:
    """Then there is nothing to say."""
    assert await proxies() == []
    assert await clock() == []


async def test_the_clocks_agree() -> None:
    """One server that tells the same time is enough; none of them is sent a key."""
    asked: list[web.Request] = []
    async with telling(ahead=0, asked=asked) as right, telling(ahead=9000) as wrong:
        found = await clock(
            telegram_bot_token="7:in-no-url",
            telegram_api_url=wrong,
            openai_api_key="sk-x",
            openai_base_url=f"{right}/v1",
        )
    assert found == [f"ok: the same time as that of {right[7:]}"]
    (request,) = asked
    assert "Authorization" not in request.headers


async def test_the_clock_is_wrong() -> None:
    """By how much is told."""
    async with telling(ahead=3600) as url:
        (found,) = await clock(telegram_bot_token="7:x", telegram_api_url=url)
    assert found.startswith("warning: this machine's clock is 3,")
    assert f"s behind that of {url[7:]}" in found


async def test_a_certificate_that_is_not_trusted() -> None:
    """Each check says so; the clock, which may be why, is compared all the same."""
    async with telling(ahead=3600, is_encrypted=True) as url:
        fields = {"telegram_api_url": url, "discord_api_url": url, "openai_base_url": url}
        chosen = settings.load(BotSettings, _env_file=None, **TOKENS, **fields)
        for check in (check_telegram, check_discord, check_chat):
            (found,) = [finding async for finding in check(chosen)]
            assert found.text == f"{url[8:]} cannot be reached (its certificate is not trusted)"
            assert "SSL_CERT_FILE" in found.fix
        (told,) = await clock(**TOKENS, **fields)
    assert told.startswith("warning: this machine's clock is 3,")


@pytest.mark.parametrize("is_there", [True, False])
async def test_certificates_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    """SSL_CERT_FILE counts for a model server on this machine, too."""
    name = SELF_SIGNED.name if is_there else "none.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(SELF_SIGNED.with_name(name)))
    async with telling(ahead=0, is_encrypted=True) as url:
        chosen = settings.load(BotSettings, _env_file=None, openai_base_url=url)
        found = [finding.text async for finding in check_chat(chosen)]
    unreachable = [text for text in found if "cannot be reached (SSL_CERT_FILE names no" in text]
    assert bool(unreachable) is not is_there
    assert is_there or not found[1:]


async def test_nobody_tells_the_time() -> None:
    """What cannot be reached is another check's business."""
    found = await clock(telegram_bot_token="7:x", telegram_api_url="http://127.0.0.1:9")
    assert found == ["ok: not compared, since no server told the time"]
