"""Bare relays for Telegram of a few lines, without storage, history or formatting.

Both show one draft at the first token and one message at the end: the fewest calls with which
something is seen while the model writes. `default` uses the SDKs as their manuals say, `fast`
the transports that Causerie uses, and reads the model's lines itself.
"""

import os
import sys

import telegram
from telegram.ext import Application, ContextTypes, MessageHandler, filters

from bots.telegram.transport import AiohttpRequest
from tests.bench.reading import Read, reader

MOST_CHATS = 256  # what concurrent_updates(True) means (python-telegram-bot 22.8)


def _relay(read: Read) -> MessageHandler[ContextTypes.DEFAULT_TYPE, None]:
    async def answer(update: telegram.Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        message = update.effective_message
        if message is None or message.text is None:
            return
        answer = ""
        async for text in read(message.text):
            if not answer:
                await context.bot.send_message_draft(message.chat_id, message.message_id, text)
            answer += text
        await context.bot.send_message(message.chat_id, answer)

    return MessageHandler(filters.TEXT, answer)


def main(kind: str) -> None:
    """Relay until a signal."""
    builder = Application.builder().concurrent_updates(MOST_CHATS)
    builder.token(os.environ["TELEGRAM_BOT_TOKEN"])
    builder.base_url(os.environ["TELEGRAM_API_URL"] + "/bot")
    if kind == "fast":
        builder.request(AiohttpRequest()).get_updates_request(AiohttpRequest())
    application = builder.build()
    application.add_handler(_relay(reader(kind)))
    application.run_polling(allowed_updates=["message"])


if __name__ == "__main__":
    main(sys.argv[1])
