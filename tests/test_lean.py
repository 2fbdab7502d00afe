"""A process loads what it uses: what it does not serve or draw costs no memory."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.platforms import Discord, Platform, Telegram
from tests.crash.world import World, served

# As `-X importtime` names what is imported, a line each.
_IMPORTED = re.compile(r"^import time:.*\| +(\S+)$", re.MULTILINE)
RARE = {
    *("PIL", "av", "faster_whisper", "numpy", "opentelemetry", "psycopg", "xllamacpp"),
    *("click", "latex2mathml", "prompt_toolkit", "pygments", "rich"),
}


@pytest.mark.parametrize(
    ("platform", "used", "unused"),
    [(Telegram, "telegram", {"discord"}), (Discord, "discord", {"telegram", "httpx"})],
    ids=["telegram", "discord"],
)
async def test_a_server_loads_no_more_than_it_uses(
    tmp_path: Path, platform: Callable[[], Platform], used: str, unused: set[str]
) -> None:
    """Who serves one platform from SQLite, and has answered, has loaded nothing for the others."""
    async with World(tmp_path, platform()) as world:
        async with served(world, "-X", "importtime", "-m", "bots"):
            world.ask(world.room())
            await world.settle()
        found = {name.partition(".")[0] for name in _IMPORTED.findall(world.log())}
    assert {used, "tiktoken", "prometheus_client"} <= found
    assert not found & (RARE | unused)
