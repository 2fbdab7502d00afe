"""`causerie doctor`: what is printed, in which order, with which exit code, and without what."""

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncGenerator, Mapping

import pytest

from bots import doctor
from bots.checkup import check_access, check_names, check_platforms
from bots.discord.checkup import check_discord
from bots.settings import BotSettings
from bots.telegram.checkup import check_telegram
from core import settings
from core.checkup import check_chat, check_speech
from core.finding import Finding, fault, ok, warning
from tests.servers.discord import DiscordServer
from tests.servers.openai import OpenAIServer
from tests.servers.telegram import TelegramServer

CHECKS: Mapping[str, doctor.Check] = {
    "platforms": check_platforms,
    "access": check_access,
    "telegram": check_telegram,
    "discord": check_discord,
    "chat": check_chat,
    "speech": check_speech,
}
TOKENS = {"telegram_bot_token": "7:x", "discord_bot_token": "x"}


def chosen(**fields: object) -> BotSettings:
    """Return settings, without those of this machine."""
    return settings.load(BotSettings, _env_file=None, **fields)


async def finds(check: doctor.Check, **fields: object) -> list[Finding]:
    """Return what one check finds."""
    return [finding async for finding in check(chosen(**fields))]


async def check_something(_: BotSettings) -> AsyncGenerator[Finding]:
    """Find one of each."""
    yield ok("fine")
    yield warning("so so", fix="try this")
    yield fault("bad", fix="do that")


async def check_nothing(_: BotSettings) -> AsyncGenerator[Finding]:
    """Find all well."""
    yield ok("fine")


async def check_forever(_: BotSettings) -> AsyncGenerator[Finding]:
    """Hang after something was found."""
    yield ok("before it hung")
    await asyncio.Event().wait()


async def check_with_a_mistake(_: BotSettings) -> AsyncGenerator[Finding]:
    """Fail as no check should."""
    yield ok("before it failed")
    raise LookupError("secret words")


async def test_all_is_well(
    telegram_server: TelegramServer,
    openai_server: OpenAIServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A sound set-up: lines that begin with ok, a verdict, code 0, and nobody was disturbed."""
    async with DiscordServer() as discord_server:
        discord_server.guild("School", discord_server.user("Ann"))
        sound = chosen(
            telegram_bot_token=telegram_server.token,
            telegram_api_url=telegram_server.url,
            discord_bot_token=discord_server.token,
            discord_api_url=discord_server.url,
            openai_api_key=openai_server.key,
            openai_base_url=openai_server.url,
            owners="telegram:1",
        )
        assert await doctor.examine(sound, CHECKS) == 0
        assert discord_server.remarks == []
    *lines, empty, verdict = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {"ok"}
    assert list(dict.fromkeys(line.split()[1] for line in lines)) == list(CHECKS)
    assert (empty, verdict) == ("", "No faults, no warnings: all is well.")
    assert {call.method for call in telegram_server.calls} == {"getMe", "getWebhookInfo"}
    assert len(openai_server.requests) == 1


async def test_all_is_wrong(
    telegram_server: TelegramServer,
    openai_server: OpenAIServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Wrong secrets everywhere: a fault and its fix for each, code 1, and no secret is shown."""
    async with DiscordServer() as discord_server:
        wrong = chosen(
            telegram_bot_token="7000000001:AA-wrong-wrong-wrong-wrong-wrong-wrong",
            telegram_api_url=telegram_server.url,
            discord_bot_token="wrong-wrong",
            discord_api_url=discord_server.url,
            openai_api_key="sk-wrong-wrong",
            openai_base_url=openai_server.url,
        )
        assert await doctor.examine(wrong, CHECKS) == 1
    out = capsys.readouterr().out
    assert "wrong-wrong" not in out
    for name in ("TELEGRAM_BOT_TOKEN", "DISCORD_BOT_TOKEN", "OPENAI_API_KEY"):
        assert f"refuses {name}\n" in out
    assert out.count(" fix: ") == 4
    assert out.endswith("\n3 faults, 1 warning: mend what is at fault, and run this again.\n")


async def test_a_line_for_each_and_the_fix_below(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe gets whole lines in columns, and no colours."""
    code = await doctor.examine(chosen(), {"some": check_something, "nothing": check_nothing})
    assert code == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok       some     fine",
        "warning  some     so so",
        "                  fix: try this",
        "fault    some     bad",
        "                  fix: do that",
        "ok       nothing  fine",
        "",
        "1 fault, 1 warning: mend what is at fault, and run this again.",
    ]


async def test_warnings_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings alone leave the exit code at 0, and the verdict tells of them."""

    async def check(_: BotSettings) -> AsyncGenerator[Finding]:
        yield warning("so so", fix="try this")

    assert await doctor.examine(chosen(), {"it": check}) == 0
    assert "No faults, 1 warning: it works" in capsys.readouterr().out


async def test_a_check_that_hangs_or_breaks_disturbs_no_other(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What it had found counts, what happened is a fault of its own, the others are whole."""
    checks = {"slow": check_forever, "torn": check_with_a_mistake, "sound": check_nothing}
    assert await doctor.examine(chosen(), checks, seconds=0.05) == 1
    out = capsys.readouterr().out
    assert "ok       slow   before it hung\nfault    slow   this was not answered" in out
    assert "ok       torn   before it failed\nfault    torn   the check itself broke off" in out
    assert "ok       sound  fine" in out
    assert "secret words" not in out
    assert "the check of torn broke off" in caplog.text


async def test_it_can_be_interrupted() -> None:
    """Who does not want to wait leaves nothing running."""
    task = asyncio.create_task(doctor.examine(chosen(), {"slow": check_forever}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_others_write_is_tamed(capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets are masked wherever they come from, and no name of a server controls a terminal."""

    async def check(settings: BotSettings) -> AsyncGenerator[Finding]:
        yield ok(f"it said {settings.database_url} and \x1b[2J hunter2-secret\nok")
        yield ok("and sk-0123456789 and ollama")

    odd = chosen(
        database_url="sqlite:///file",
        http_proxy_openai="http://me:hunter2%2Dsecret@127.0.0.1:9",
        openai_api_key="sk-0123456789",
        speech_api_key="ollama",
    )
    await doctor.examine(odd, {"it": check})
    out = capsys.readouterr().out
    assert "ok       it  it said sqlite:///file and  [2J *** ok\n" in out
    assert "and *** and ollama\n" in out  # so short a key is a word that others use too


@pytest.mark.parametrize("has_colours", [True, False])
async def test_a_terminal_is_coloured_and_wrapped(
    monkeypatch: pytest.MonkeyPatch, *, has_colours: bool
) -> None:
    """Long texts are wrapped below their beginning; NO_COLOR is obeyed; links stay whole."""

    async def check(_: BotSettings) -> AsyncGenerator[Finding]:
        yield fault("word " * 20, fix=f"open https://example.org/{'x' * 90}")

    monkeypatch.setenv("NO_COLOR", "" if has_colours else "1")
    monkeypatch.setenv("COLUMNS", "70")
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        await doctor.examine(chosen(), {"it": check})
    read = b""
    with contextlib.suppress(OSError):  # nobody writes any more
        while part := os.read(reader, 10_000):
            read += part
    os.close(reader)
    shown = read.decode().replace("\r\n", "\n")
    start = "\x1b[31mfault  \x1b[0m  it  word" if has_colours else "fault    it  word"
    assert shown.startswith(start)
    assert "\n             word word" in shown
    assert f"\n                  https://example.org/{'x' * 90}\n" in shown
    assert ("\x1b[" in shown) == has_colours


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "no token is set, so causerie opens a chat in the terminal"),
        ({"telegram_bot_token": "7:x"}, "serves telegram (DISCORD_BOT_TOKEN not set)"),
        (TOKENS, "serves telegram and discord"),
    ],
)
async def test_platforms(fields: dict[str, object], text: str) -> None:
    """One line says where people will meet the bot."""
    assert await finds(check_platforms, **fields) == [ok(text)]


@pytest.mark.parametrize(
    ("fields", "level", "text", "fix"),
    [
        ({}, "warning", "OWNERS is empty, so nobody can let people in", "send /id to the bot"),
        ({"access": "closed"}, "warning", "so nobody can talk to it", "send /id to the bot"),
        ({"access": "open"}, "ok", "open, 0 owners", ""),
        ({"owners": "telegram:1"}, "ok", "pairing, 1 owner", ""),
        ({"access": "closed", "allowed": "telegram:-1"}, "ok", "closed, 0 owners", ""),
        (
            {"owners": "console:0,discord:1", "discord_bot_token": None},
            "warning",
            "OWNERS names discord:1, but DISCORD_BOT_TOKEN is not set",
            "set DISCORD_BOT_TOKEN, or take discord:1 out of OWNERS",
        ),
        (
            {"access": "open", "allowed": "discrod:1"},
            "warning",
            "ALLOWED names discrod:1, but there is no discrod, only telegram and discord",
            "/id",
        ),
    ],
)
async def test_access(fields: dict[str, object], level: str, text: str, fix: str) -> None:
    """Who owns the bot, who can talk to it, and who is named in vain."""
    last = (await finds(check_access, **(TOKENS | fields)))[-1]
    assert (last.level, text in last.text, fix in last.fix) == (level, True, True)


async def test_a_misspelt_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is named, without its value, and so is what was meant."""
    monkeypatch.setenv("TELEGRAM_TOKEN", "7:x")
    text = "TELEGRAM_TOKEN is no setting, so it does not count"
    assert await finds(check_names) == [warning(text, fix="write it as TELEGRAM_BOT_TOKEN")]
    assert await finds(check_names, **TOKENS) == []


async def test_nobody_needs_access_to_a_terminal() -> None:
    """Without a platform there is nobody to let in."""
    assert await finds(check_access) == []


async def test_platforms_without_a_token_are_not_asked() -> None:
    """Their checks find nothing."""
    assert await finds(check_telegram) == await finds(check_discord) == []
