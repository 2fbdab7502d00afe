"""Logging for people and for machines, with secrets taken out of every line."""

import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

# SDKs log URLs, and a platform's URLs may carry its token.
_LOUD = (
    "aiohttp",
    "aiosqlite",
    "asyncio",
    "discord",
    "httpcore",
    "httpx",
    "httpx2",
    "openai",
    "telegram",
)


class _Text(logging.Formatter):
    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return _masked(super().format(record), self._secrets)


class _Json(logging.Formatter):
    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        masked = {key: _masked(text, self._secrets) for key, text in line.items()}
        return json.dumps(masked, ensure_ascii=False)


def _masked(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def configure(*, level: str, as_json: bool, secrets: Sequence[str]) -> None:
    """Log to standard error.

    Args:
        level: Of our own loggers; the SDKs' stay at WARNING, lest they log what people say.
        as_json: One JSON object per line instead of text.
        secrets: Strings that are replaced by `***` wherever they occur, in tracebacks too.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(secrets) if as_json else _Text(secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
