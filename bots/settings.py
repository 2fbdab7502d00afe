"""What an owner can set about the platforms, on top of core's settings."""

from pydantic import Field

from core.settings import Key, Settings, Url

TELEGRAM_API_URL = "https://api.telegram.org"


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
