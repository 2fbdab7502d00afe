"""A loopback Telegram: the Bot API on one side, people who write to the bot on the other.

The bot under test talks to `server.url` with the real SDK; a test plays the people::

    async with TelegramServer() as server:
        ann = server.user("Ann")
        chat = server.private(ann)
        chat.say(ann, "Hello")
        answer = await chat.answer()

What the documentation (core.telegram.org/bots/api, Bot API 10.1) forbids is refused, with the
texts api.telegram.org uses where they are known. What the real server lets pass or mends in
silence although a careful bot does not do it is kept in `server.remarks`.
"""

from tests.servers.faults import Fault
from tests.servers.telegram.chats import Chat
from tests.servers.telegram.gate import Call
from tests.servers.telegram.limits import Limits
from tests.servers.telegram.server import TelegramServer
from tests.servers.telegram.webhook import Courier
from tests.servers.telegram.world import Draft, Message, Shown, User

__all__ = [
    "Call",
    "Chat",
    "Courier",
    "Draft",
    "Fault",
    "Limits",
    "Message",
    "Shown",
    "TelegramServer",
    "User",
]
