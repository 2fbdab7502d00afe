"""What an owner can set about the platforms, on top of core's settings."""

import hashlib
import hmac
import os
import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import SplitResult, quote, unquote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode

from bots.shards import Shards
from core.settings import Key, Settings, Url

TELEGRAM_API_URL = "https://api.telegram.org"
# Bot API 10.1, setWebhook: the ports that Telegram calls; None is 443.
WEBHOOK_PORTS = (None, 443, 80, 88, 8443)
# A shorter key, such as `ollama` or `none`, is no secret but a word that others use too.
SHORTEST_SECRET = 8
Range = Annotated[Shards | None, NoDecode, BeforeValidator(Shards.read)]

# Of somebody who logs in: up to the first @, as libpq reads it, or to the last, as others do.
_LOGINS = (re.compile(r"://[^:/@\s]*(:([^/@\s]+)@)"), re.compile(r"://[^:/?#@\s]*(:([^/?#\s]+)@)"))
_OPTION = re.compile(r"[?&](([^=&\s]+)=([^&\s]+))")
_SECRET_OPTIONS = {"password", "sslpassword"}  # libpq 17, 34.1.2
# opentelemetry.io/docs/specs/otel/protocol/exporter, 2026-11.
_HEADERS = re.compile(r"OTEL_EXPORTER_OTLP(_[A-Z]+)?_HEADERS")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")  # Bot API 10.1, setWebhook.secret_token
_WEBHOOK_PATH = re.compile(r"(/[\w.~-]+)*/?", re.ASCII)
_WEBHOOK = "should look like https://bot.example.org/telegram"


def _check_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    is_host = re.fullmatch(r"[\w.-]+|\[[0-9A-Fa-f:.]+\]", host, re.ASCII)
    if not is_host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 1 << 16:
        raise ValueError("should look like 127.0.0.1:8443")
    return value


def _check_listen(value: str) -> str:
    if value.lower() == "off":
        return "off"
    try:
        return _check_address(value)
    except ValueError:
        raise ValueError("should look like 127.0.0.1:9464, or be off") from None


def _check_webhook(value: str) -> str:
    parts = _split(value)
    if parts.query or parts.fragment or "@" in parts.netloc or not parts.hostname:
        raise ValueError(_WEBHOOK)
    if not _WEBHOOK_PATH.fullmatch(parts.path):
        raise ValueError("should have a path of letters, digits, dots and dashes")
    # As Telegram repeats it.
    return parts._replace(netloc=parts.netloc.lower(), path=parts.path or "/").geturl()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(_WEBHOOK) from None
    return parts


Address = Annotated[str, AfterValidator(_check_address)]
Listen = Annotated[str, AfterValidator(_check_listen)]
WebhookUrl = Annotated[str, AfterValidator(_check_webhook)]


class BotSettings(Settings):
    """Core's settings and those of every platform."""

    telegram_bot_token: Key | None = Field(
        None, description="token from @BotFather; serves Telegram"
    )
    telegram_api_url: Url = Field(
        TELEGRAM_API_URL, description="root of the Bot API server, also for files"
    )
    telegram_webhook_url: WebhookUrl | None = Field(
        None,
        description="public https URL that Telegram posts messages to; empty: they are fetched",
    )
    telegram_webhook_secret: SecretStr | None = Field(
        None, description="what Telegram proves itself with there; empty: made from the token"
    )
    telegram_webhook_listen: Address = Field(
        "127.0.0.1:8443", description="address on which the reverse proxy finds Causerie"
    )
    http_proxy_telegram: Url | None = Field(None, description="proxy for Telegram only")
    discord_bot_token: Key | None = Field(
        None, description="token from the Developer Portal; serves Discord"
    )
    discord_api_url: Url | None = Field(
        None, description="root of another server that speaks Discord's API; empty: Discord"
    )
    http_proxy_discord: Url | None = Field(None, description="proxy for Discord only")
    discord_shards: Range = Field(
        None,
        description="connections to Discord: `4`, or `0-3/8` for the first four of eight; "
        "empty: as many as it recommends",
    )
    health_listen: Listen = Field(
        "127.0.0.1:9464",
        description="where monitors ask how it runs, as host:port; `off`: nowhere",
    )

    @field_validator("telegram_webhook_url")
    @classmethod
    def _check_scheme(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return value
        parts = urlsplit(value)
        is_local = info.data.get("telegram_api_url") != TELEGRAM_API_URL
        if parts.scheme != "https" and not (is_local and parts.scheme == "http"):
            raise ValueError("should start with https://, which is all that Telegram calls")
        if parts.port not in WEBHOOK_PORTS and not is_local:
            raise ValueError("should have no port, or one that Telegram calls: 443, 80, 88, 8443")
        return value

    @field_validator("telegram_webhook_secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not _SECRET.fullmatch(value.get_secret_value()):
            raise ValueError("should be 1-256 of the characters A-Z, a-z, 0-9, _ and -")
        return value

    @field_validator("telegram_webhook_secret", "telegram_webhook_listen")
    @classmethod
    def _check_use(cls, value: object, info: ValidationInfo) -> object:
        is_set = value != cls.model_fields[str(info.field_name)].default
        if is_set and info.data.get("telegram_webhook_url", "") is None:
            raise ValueError("should be empty unless TELEGRAM_WEBHOOK_URL is set")
        return value

    @property
    def webhook_secret(self) -> str:
        """What Telegram proves itself with: as set, or else the same for the same token.

        So several listeners agree on it, and it survives a restart.
        """
        if self.telegram_webhook_secret:
            return self.telegram_webhook_secret.get_secret_value()
        if self.telegram_bot_token is None:
            return ""
        token = self.telegram_bot_token.get_secret_value().encode()
        return hmac.new(token, b"telegram webhook secret", hashlib.sha256).hexdigest()

    @property
    def has_platform(self) -> bool:
        """Whether a platform is served; if not, there is the terminal."""
        return bool(self.telegram_bot_token or self.discord_bot_token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every key, and the passwords within URLs, however they are spelled; the longest first.

        With what OpenTelemetry, which has settings of its own, is to show a collector of traces.
        None of them belongs into a log or onto a screen. A short password is one with what stands
        around it in its URL.
        """
        found, places = {self.webhook_secret}, set()
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                found |= _spelled(value.get_secret_value())
            elif isinstance(value, str) and "://" in value:
                for place, password in _passwords(value):
                    found |= _spelled(password)
                    places |= {place} if len(password) < SHORTEST_SECRET else set()
        for header in _headers():
            found |= _spelled(header) | _spelled(header.partition("=")[2].strip())
        long = {secret for secret in found if len(secret) >= SHORTEST_SECRET}
        return tuple(sorted(long | places, key=len, reverse=True))


def _headers() -> Iterator[str]:
    """Yield the headers of traces, each as `name=value`, or as it was mistyped: that is logged."""
    for name, value in os.environ.items():
        if _HEADERS.fullmatch(name):
            yield from map(str.strip, value.split(","))


def _spelled(secret: str) -> set[str]:
    return {secret, unquote(secret), quote(secret, safe="")}


def _passwords(url: str) -> Iterator[tuple[str, str]]:
    """Yield the passwords in a URL, each with what stands around it and itself."""
    for login in _LOGINS:
        if match := login.search(url):
            yield match[1], match[2]
    for place, name, value in _OPTION.findall(url):
        if unquote(name) in _SECRET_OPTIONS:
            yield place, value
