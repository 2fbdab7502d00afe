"""Asking a model server what it has and whether it answers, for as little as a token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.finding import Way
from core.provider import OPENAI_URL, Connection, Failure, call_errors, failure_of, limit_names
from core.settings import Settings

# Less than `causerie doctor` waits. A model that is only now loaded into memory takes longer.
SECONDS = 8.0

_QUESTION = [{"role": "user", "content": "Hello"}]

Entry = Mapping[str, Any]
Listing = dict[str, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A model server, and the settings that lead to it.

    Attributes:
        key_setting: Name of the setting for its key.
        has_key: Whether there is one.
        models_setting: Name of the setting for its models.
    """

    connection: Connection
    way: Way
    key_setting: str
    has_key: bool
    models_setting: str

    async def close(self) -> None:
        """Let go of connections."""
        await self.connection.close()

    async def list_models(self, url: str = "/models") -> Listing | Failure:
        """Return what the server says of its models, by name.

        Args:
            url: Where to ask: below the server's root, or anywhere with a whole URL.
        """
        try:
            client = await self.connection.open()
            answer = await client.get(url, cast_to=object)
        except call_errors() as error:
            return failure_of(error)
        entries: object = answer.get("data") if isinstance(answer, dict) else answer
        if not isinstance(entries, list):
            return Failure(cause="unclear")
        return {
            entry["id"]: entry
            for entry in entries
            if isinstance(entry, dict) and isinstance(entry.get("id"), str)
        }

    async def ask(self, model: str) -> Failure | None:
        """Ask a model for one token; return why it did not answer, or None if it did."""
        first, second = limit_names(model)
        failure = await self._ask(model, first)
        if failure and failure.parameter:
            return await self._ask(model, second)
        return failure

    async def _ask(self, model: str, limit: str) -> Failure | None:
        try:
            client = await self.connection.open()
            body = {"model": model, "messages": _QUESTION, limit: 1}
            answer = await client.post("/chat/completions", cast_to=object, body=body)
        except call_errors() as error:
            return failure_of(error)
        is_answer = isinstance(answer, dict) and "choices" in answer
        return None if is_answer else Failure(cause="unclear")


def open_chat_server(settings: Settings, *, seconds: float) -> Server:
    """Return the server that `core.brain` would have answer; nothing is asked yet."""
    key = settings.openai_api_key
    return _open(
        settings,
        key=("OPENAI_API_KEY", key.get_secret_value() if key else None),
        url=("OPENAI_BASE_URL", settings.openai_base_url),
        models_setting="CHAT_MODEL",
        seconds=seconds,
    )


def open_speech_server(settings: Settings, *, seconds: float) -> Server:
    """Return the server that `core.brain` would have listen, which may be the same."""
    if not (settings.speech_base_url or settings.speech_api_key):
        return open_chat_server(settings, seconds=seconds)
    key = settings.speech_key
    return _open(
        settings,
        key=("SPEECH_API_KEY", key.get_secret_value() if key else None),
        url=("SPEECH_BASE_URL", settings.speech_base_url),
        models_setting="SPEECH_MODEL",
        seconds=seconds,
    )


def _open(
    settings: Settings,
    *,
    key: tuple[str, str | None],
    url: tuple[str, str | None],
    models_setting: str,
    seconds: float,
) -> Server:
    """Put a server together; `key` and `url` are the setting's name and its value."""
    proxy = settings.http_proxy_openai
    return Server(
        connection=Connection(key=key[1], base_url=url[1], proxy=proxy, read_seconds=seconds),
        way=Way(
            url=url[1] or OPENAI_URL,
            setting=url[0],
            is_default=url[1] is None,
            proxy=proxy,
            proxy_setting="HTTP_PROXY_OPENAI",
        ),
        key_setting=key[0],
        has_key=key[1] is not None,
        models_setting=models_setting,
    )
