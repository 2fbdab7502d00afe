"""The only reader of the environment: what an owner can set, checked before anything starts."""

import math
import re
import zoneinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core import env_file, table
from core.errors import SettingsError
from core.money import Scope, Span, Unit
from core.provider import OPENAI_URL

# gpt-5.4-mini has no announced end (openai 3.54, types/shared/chat_model.py, 2026-11).
CHAT_MODELS = ("gpt-5.4-mini",)
# whisper-1 is shut down on 2027-02-26; gpt-transcribe follows it (openai 3.54, 2026-11).
SPEECH_MODELS = ("gpt-transcribe", "whisper-1")


MOST_DOLLARS = 1_000_000_000
MOST_DAYS = 36_500

SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgres://")
_POSTGRES = (
    "should look like postgresql://user:password@host/name, with %40 for an @ in a password"
)
# A further @ is one of the password's, of which the server would be told the rest as its name.
_POSTGRES_URL = re.compile(r"\w+://([^@/]*@)?[^@?]*(\?.*)?")
# Visible ASCII, all that a header takes; quotes were meant for a shell.
_KEY = re.compile(r"[!#-&(-~]+")
# In the words of a person, by what pydantic calls the problem.
_PROBLEMS = {
    "bool_parsing": "should be true or false",
    "int_parsing": "should be a whole number, such as 4096",
}


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _check_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("should start with http:// or https://")
    try:
        parts = urlsplit(value)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or not value.isprintable() or " " in value:
        raise ValueError("should name a server, and its port if any, such as http://127.0.0.1:80")
    return value.rstrip("/")


def _check_postgres(value: str) -> None:
    try:
        from psycopg import Error, conninfo  # noqa: PLC0415 - an optional extra
    except ImportError:
        return  # whoever opens the database says so
    try:
        ports = str(conninfo.conninfo_to_dict(value).get("port", "")).split(",")
    except (Error, ValueError):  # which may quote the password
        raise ValueError(_POSTGRES) from None
    are_numbers = all(not port or re.fullmatch(r"[0-9]{1,5}", port) for port in ports)
    if not are_numbers or not _POSTGRES_URL.fullmatch(value):
        raise ValueError(_POSTGRES)


def _check_key(value: SecretStr) -> SecretStr:
    if "://" in value.get_secret_value():
        raise ValueError("should be a key, not the address of a server")
    if not _KEY.fullmatch(value.get_secret_value()):
        raise ValueError("should be a key as its provider shows it; copy it anew")
    return value


def _micro(value: object) -> object:
    try:
        amount = Decimal(str(value).removeprefix("$"))
    except InvalidOperation:
        raise ValueError("should be a number of dollars, such as 0.50") from None
    if not amount.is_finite() or not 0 <= amount <= MOST_DOLLARS:
        raise ValueError("should be a number of dollars, such as 0.50")
    return math.floor(amount * 1_000_000)


def _check_table(value: Path) -> Path:
    table.read(value)
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


# What no HTTP header takes would come out as a mysterious failure of every call.
Key = Annotated[SecretStr, AfterValidator(_check_key)]
Mode = Annotated[Literal["pairing", "open", "closed"], BeforeValidator(_lower)]
Format = Annotated[Literal["text", "json"], BeforeValidator(_lower)]
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]
# In micro-dollars, from a number of dollars.
Dollars = Annotated[int, BeforeValidator(_micro)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
TableFile = Annotated[Path, AfterValidator(_check_table)]
Url = Annotated[str, AfterValidator(_check_url)]


class Settings(BaseSettings):
    """Everything an owner can set, from the environment or from `.env`.

    An empty value means the default. Descriptions become the README's table and `.env.example`.
    """

    model_config = SettingsConfigDict(
        env_file=env_file.NAME, env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore"
    )

    openai_api_key: Key | None = Field(
        None, description="key of the model server; with neither this nor a URL: embedded model"
    )
    openai_base_url: Url | None = Field(
        None, description="any OpenAI-compatible server, such as http://127.0.0.1:11434/v1"
    )
    chat_model: Names = Field(
        CHAT_MODELS, description="chat models: the preferred one, then fallbacks"
    )
    model_concurrency: int | None = Field(
        None,
        ge=1,
        description="most answers that the model writes at once, for this process; further ones "
        "wait in line; empty: any number, 2 with the embedded model",
    )
    speech_model: Names = Field(
        SPEECH_MODELS, description="transcription models: the preferred one, then fallbacks"
    )
    speech_api_key: Key | None = Field(
        None, description="key of the speech server, if it is another one"
    )
    speech_base_url: Url | None = Field(
        None, description="URL of the speech server, if it is another one"
    )
    speech_language: Annotated[str, BeforeValidator(_lower)] | None = Field(
        None,
        description="language people speak, as ISO 639-1 (`de`); empty: detected",
    )
    model_table: TableFile | None = Field(
        None,
        description="your own JSON file of models: prices, limits, ends; see Models and prices",
    )
    context_tokens: int | None = Field(
        None,
        ge=512,
        description="most tokens of a prompt; empty: 16384, or less where a model takes less",
    )
    reply_tokens: int | None = Field(
        None,
        ge=16,
        description="most tokens of a reply; empty: 4096, or less where a model writes less",
    )
    system_prompt: str | None = Field(None, description="the default persona, in your words")
    database_url: str = Field("sqlite:///causerie.db", description="where everything is kept")
    retention_days: int | None = Field(
        None,
        ge=1,
        le=MOST_DAYS,
        description="days after which what was said is deleted, and costs lose their names; "
        "empty: never",
    )
    access: Mode = Field(
        "pairing",
        description="`pairing`: strangers get a code an owner approves; `open`; `closed`",
    )
    owners: Names = Field(
        (), description="who may use owner commands, by the id that /id shows: `platform:123`"
    )
    allowed: Names = Field(
        (), description="who else may talk: people or whole chats, by the ids that /id shows"
    )
    user_per_minute: int | None = Field(
        None, ge=1, description="most questions of a person that are answered in a minute"
    )
    user_daily_usd: Dollars | None = Field(
        None, description="most dollars that a person may cost in a day, such as 0.50"
    )
    user_monthly_usd: Dollars | None = Field(
        None, description="most dollars that a person may cost in a month, such as 0.50"
    )
    user_daily_tokens: int | None = Field(
        None, ge=0, description="most tokens of a person in a day"
    )
    user_monthly_tokens: int | None = Field(
        None, ge=0, description="most tokens of a person in a month"
    )
    chat_daily_usd: Dollars | None = Field(
        None, description="most dollars that a chat may cost in a day, such as 0.50"
    )
    chat_monthly_usd: Dollars | None = Field(
        None, description="most dollars that a chat may cost in a month, such as 0.50"
    )
    chat_daily_tokens: int | None = Field(None, ge=0, description="most tokens of a chat in a day")
    chat_monthly_tokens: int | None = Field(
        None, ge=0, description="most tokens of a chat in a month"
    )
    total_daily_usd: Dollars | None = Field(
        None, description="most dollars that all together may cost in a day, such as 0.50"
    )
    total_monthly_usd: Dollars | None = Field(
        None, description="most dollars that all together may cost in a month, such as 0.50"
    )
    total_daily_tokens: int | None = Field(
        None, ge=0, description="most tokens of all together in a day"
    )
    total_monthly_tokens: int | None = Field(
        None, ge=0, description="most tokens of all together in a month"
    )
    near_limit: Names = Field(
        ("memory",),
        description="when little is left: look back less far (`memory`), ask cheaper models of "
        "CHAT_MODEL (`model`), both, or `none`",
    )
    footer: bool = Field(
        default=False, description="`true`: a line below each answer with its tokens and cost"
    )
    tz: str | None = Field(
        None,
        description="where days begin at midnight, such as Europe/Berlin; empty: the system's",
    )
    http_proxy_openai: Url | None = Field(None, description="proxy for the model server only")
    log_level: Level = Field("INFO", description="how much is logged")
    log_format: Format | None = Field(
        None, description="`text` or `json`; empty: text on a terminal"
    )

    @model_validator(mode="before")
    @classmethod
    def _strip(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Leave out quotes around values, and white space, which copying adds."""
        return {
            name: env_file.bare(value) if isinstance(value, str) else value
            for name, value in values.items()
        }

    @field_validator("owners", "allowed")
    @classmethod
    def _check_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(name.lower() for name in value)
        for name in names:
            platform, _, number = name.partition(":")
            if not platform.isalpha() or not number.removeprefix("-").isdigit():
                raise ValueError("each should look like platform:123456789, as /id shows it")
        return names

    @field_validator("near_limit")
    @classmethod
    def _check_saving(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(name.lower() for name in value)
        if not set(names) <= {"memory", "model", "none"}:
            raise ValueError("should be memory, model, both with a comma, or none")
        return names

    @field_validator("tz")
    @classmethod
    def _check_zone(cls, value: str | None) -> str | None:
        try:
            if value:
                zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("should be a time zone such as Europe/Berlin") from None
        return value

    @field_validator("speech_language")
    @classmethod
    def _check_language(cls, value: str | None) -> str | None:
        if value and not re.fullmatch("[a-z]{2,3}", value):
            raise ValueError("should be a code of two letters, such as de")
        return value

    @field_validator("chat_model", "speech_model")
    @classmethod
    def _check_models(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("should name at least one model")
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str) -> str:
        if value.startswith(POSTGRES):
            _check_postgres(value)
            return value
        if not value.startswith(SQLITE) or value == SQLITE:
            raise ValueError(
                "should look like sqlite:///causerie.db or postgresql://user:password@host/name"
            )
        if Path(value.removeprefix(SQLITE)) == Path(":memory:"):
            raise ValueError("should name a file, such as sqlite:///causerie.db")
        return value

    @property
    def database(self) -> Path | str:
        """File of the SQLite database, or URL of the PostgreSQL one."""
        if self.database_url.startswith(POSTGRES):
            return self.database_url
        return Path(self.database_url.removeprefix(SQLITE))

    @property
    def caps(self) -> dict[tuple[Scope, Span, Unit], int]:
        """Spending limits, in micro-dollars and tokens; only those that are set."""
        scopes: dict[str, Scope] = {"user": "user", "chat": "chat", "total": "all"}
        spans: dict[str, Span] = {"daily": "day", "monthly": "month"}
        units: tuple[Unit, ...] = ("usd", "tokens")
        found = {
            (scope, span, unit): getattr(self, f"{whose}_{often}_{unit}")
            for whose, scope in scopes.items()
            for often, span in spans.items()
            for unit in units
        }
        return {key: value for key, value in found.items() if value is not None}

    @property
    def has_model_server(self) -> bool:
        """Whether a model server is configured; if not, the embedded model answers."""
        return bool(self.openai_api_key or self.openai_base_url)

    @property
    def has_speech_server(self) -> bool:
        """Whether speech goes to a server; if not, embedded Whisper hears it."""
        return self._has_own_speech_server or self.has_model_server

    @property
    def speech_url(self) -> str | None:
        """URL of the server that hears; None for OpenAI's own."""
        return self.speech_base_url if self._has_own_speech_server else self.openai_base_url

    @property
    def speech_key(self) -> Key | None:
        """Key of the server that hears; the other server's only where it is the same host."""
        urls = (self.speech_url or OPENAI_URL, self.openai_base_url or OPENAI_URL)
        is_same = len({urlsplit(url).hostname for url in urls}) == 1
        return self.speech_api_key or (self.openai_api_key if is_same else None)

    @property
    def _has_own_speech_server(self) -> bool:
        return bool(self.speech_api_key or self.speech_base_url)


S = TypeVar("S", bound=Settings)


def load(kind: type[S], **overrides: Any) -> S:  # noqa: ANN401 - any field
    """Read the settings.

    Args:
        kind: Settings, or the composition root's extension of it.
        overrides: Settings that count before the environment, by field name.

    Raises:
        SettingsError: One line per problem, each naming the variable and what would be right.
            Values are not repeated: they may be secrets.
    """
    try:
        if file := overrides.get("_env_file", env_file.NAME):
            env_file.check(Path(file))
        return kind(**overrides)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(".env: should be a readable file in UTF-8") from error
    except ValidationError as error:
        problems = (
            _problem(str(detail["loc"][0]), _PROBLEMS.get(detail["type"], detail["msg"]))
            for detail in error.errors(include_input=False)
        )
        raise SettingsError("\n".join(problems)) from None


def _problem(name: str, text: str) -> str:
    text = text.removeprefix("Value error, ").removeprefix("Input ")
    return f"{name.upper()}: {text[0].lower()}{text[1:]}"
