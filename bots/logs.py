"""Logging for people and for machines, with secrets taken out of every line."""

import json
import logging
import math
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType

from core import tracing

log = logging.getLogger(__name__)

# Whose lines count from LOG_LEVEL on. Others log URLs, which may carry a token, or what they send.
_OURS = ("bots", "causerie", "core")
_OF_WORK = ("chat", "turn", "trace")
# While a database is away, every chat that waits for it would say so every second.
SELDOM_SECONDS = 10.0
_MOST_LINES = 1_000


class _Text(logging.Formatter):
    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record), self._secrets)


class _Json(logging.Formatter):
    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: record.__dict__[name] for name in _OF_WORK if name in record.__dict__}
        line |= record.__dict__.get("fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        cleaned = {
            key: masked(value, self._secrets) if isinstance(value, str) else value
            for key, value in line.items()
        }
        return json.dumps(cleaned, ensure_ascii=False)


class _Work(logging.Filter):
    """Adds to every record the ids of the work in which it is logged, by our code or an SDK's."""

    def filter(self, record: logging.LogRecord) -> bool:
        if work := tracing.current():
            record.chat, record.turn = work.chat, work.turn
            if work.span:
                record.trace = work.span.trace
        return True


class _Seldom(logging.Filter):
    """Leaves out a warning that was logged a moment ago; the next one says how many were."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or record.exc_info:
            return True
        line, now = (record.name, record.getMessage()), time.monotonic()
        at, left_out = self._told.get(line, (-math.inf, 0))
        if now - at < SELDOM_SECONDS:
            self._told[line] = at, left_out + 1
            return False
        if len(self._told) >= _MOST_LINES:
            self._told.clear()
        self._told[line] = now, 0
        if left_out:
            record.msg, record.args = f"{line[1]} ({left_out:,} more of these were left out)", ()
        return True


def masked(text: str, secrets: Sequence[str]) -> str:
    """Return a text with `***` in the place of secrets."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def configure(*, level: str, as_json: bool, secrets: Sequence[str]) -> None:
    """Log to standard error, also what nobody caught.

    Args:
        level: Of our own loggers; all others stay at WARNING, lest they log what people say.
        as_json: One JSON object per line instead of text.
        secrets: Strings that are replaced by `***` wherever they occur, in tracebacks too.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Seldom())
    handler.addFilter(_Work())
    handler.setFormatter(_Json(secrets) if as_json else _Text(secrets))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_of_thread


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    log.critical("broke off", exc_info=(kind, error, trace))


def _log_of_thread(args: threading.ExceptHookArgs) -> None:
    error = args.exc_value or args.exc_type()
    log.critical("a thread broke off", exc_info=(args.exc_type, error, args.exc_traceback))
