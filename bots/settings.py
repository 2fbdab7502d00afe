"""What an owner can set about the platforms, on top of core's settings."""

from typing import Annotated
from urllib.parse import quote, unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from core.settings import Key, Settings, Url

TELEGRAM_API_URL = "https://api.telegram.org"
# A shorter key, such as `ollama` or `none`, is no secret but a word that others use too.
SHORTEST_SECRET = 8
LAST_PORT = 65_535


def _check_listen(value: str) -> str:
    host, _, port = value.strip().rpartition(":")
    if value.strip().lower() == "off":
        return "off"
    if not host or not port.isdecimal() or int(port) > LAST_PORT:
        raise ValueError("should look like 127.0.0.1:9464, or be off")
    return value.strip()


Listen = Annotated[str, AfterValidator(_check_listen)]


class BotSettings(Settings):
    """Core's settings and those of every platform."""

    telegram_bot_token: Key | None = Field(
        None, description="token from @BotFather; serves Telegram"
    )
    telegram_api_url: Url = Field(
        TELEGRAM_API_URL, description="root of the Bot API server, also for files"
    )
    http_proxy_telegram: Url | None = Field(None, description="proxy for Telegram only")
    discord_bot_token: Key | None = Field(
        None, description="token from the Developer Portal; serves Discord"
    )
    discord_api_url: Url | None = Field(
        None, description="root of another server that speaks Discord's API; empty: Discord"
    )
    http_proxy_discord: Url | None = Field(None, description="proxy for Discord only")
    health_listen: Listen = Field(
        "127.0.0.1:9464",
        description="where monitors ask how it runs, as host:port; `off`: nowhere",
    )

    @property
    def has_platform(self) -> bool:
        """Whether a platform is served; if not, there is the terminal."""
        return bool(self.telegram_bot_token or self.discord_bot_token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every key, and the passwords within URLs, however they are spelled; the longest first.

        None of them belongs into a log or onto a screen.
        """
        found: set[str] = set()
        for name in type(self).model_fields:
            value = getattr(self, name)
            secret = ""
            if isinstance(value, SecretStr):
                secret = value.get_secret_value()
            elif isinstance(value, str) and "://" in value and "@" in value:
                secret = urlsplit(value).password or ""
            found |= {secret, unquote(secret), quote(secret, safe="")}
        return tuple(sorted((s for s in found if len(s) >= SHORTEST_SECRET), key=len)[::-1])
