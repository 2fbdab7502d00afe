"""Telegram as a platform: updates in by long polling or a webhook, messages and drafts out."""

import logging
import os

# The SDK hands out retry_after and durations as timedelta, and without a deprecation warning,
# only if told so before it makes one (python-telegram-bot 22.8, telegram/_utils/datetime.py).
os.environ.setdefault("PTB_TIMEDELTA", "1")
# At DEBUG the SDK logs its URLs, which hold the token, and what people write.
logging.getLogger("telegram").setLevel(logging.INFO)

from bots.telegram.bot import TelegramBot  # noqa: E402 - the SDK comes after the above
from bots.telegram.registration import Hook  # noqa: E402

__all__ = ["Hook", "TelegramBot"]
