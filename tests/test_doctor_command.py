"""`causerie doctor` as a process: what it looks at, and how it ends."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.servers.discord import DiscordServer
from tests.servers.openai import OpenAIServer
from tests.servers.telegram import TelegramServer


async def doctor(folder: Path, **settings: str) -> tuple[int | None, str]:
    """Run it in a folder without settings of its own; return its exit code and output."""
    known = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bots",
        "doctor",
        cwd=folder,
        env=known | {"PYTHONPATH": str(Path(__file__).parents[1])} | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, (out + err).decode()


@pytest.mark.parametrize("is_key_good", [True, False])
async def test_everything_is_looked_at(
    tmp_path: Path,
    telegram_server: TelegramServer,
    discord_server: DiscordServer,
    openai_server: OpenAIServer,
    *,
    is_key_good: bool,
) -> None:
    """Every platform with a token, and the model; one fault makes it end with 1."""
    code, text = await doctor(
        tmp_path,
        TELEGRAM_BOT_TOKEN=telegram_server.token,
        TELEGRAM_API_URL=telegram_server.url,
        DISCORD_BOT_TOKEN=discord_server.token,
        DISCORD_API_URL=discord_server.url,
        OPENAI_API_KEY=openai_server.key if is_key_good else "sk-wrong-0123456789",
        OPENAI_BASE_URL=openai_server.url,
        OWNER="telegram:1",
    )
    assert code == (0 if is_key_good else 1), text
    subjects = {line[9:].split()[0] for line in text.splitlines() if line[:1] in "owf" and line}
    # A key that both use is told of once.
    expected = {"settings", "platforms", "access", "telegram", "discord", "chat", "prices"}
    expected |= {"database", "disk", "clock", "proxies", "fonts"}
    assert subjects == expected | ({"speech"} if is_key_good else set())
    assert "OWNER is no setting, so it does not count" in text
    assert "fix: write it as OWNERS" in text
    assert "sk-wrong" not in text


async def test_wrong_settings_are_told_first(tmp_path: Path) -> None:
    """As at every start: a line each, and 2."""
    code, text = await doctor(tmp_path, ACCESS="perhaps")
    assert code == 2
    assert text.startswith("ACCESS: ")
