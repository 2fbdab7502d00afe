"""Telegram as a platform: updates in by long polling or a webhook, messages and drafts out."""

import logging
import os
import sys

# The SDK hands out retry_after and durations as timedelta, and without a deprecation warning,
# only if told so before it makes one (python-telegram-bot 22.8, telegram/_utils/datetime.py).
os.environ.setdefault("PTB_TIMEDELTA", "1")
# At DEBUG the SDK logs its URLs, which hold the token, and what people write.
logging.getLogger("telegram").setLevel(logging.WARNING)
# Where click and rich happen to be installed, httpx, below the SDK, would load its command line
# with them (4 MB). None is Python's word for a module that cannot be imported, which httpx
# allows for (0.28, httpx/__init__.py).
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from bots.telegram.bot import TelegramBot  # noqa: E402 - the SDK comes after the above
from bots.telegram.registration import Hook  # noqa: E402

__all__ = ["Hook", "TelegramBot"]
