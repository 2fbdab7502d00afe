"""The queue of updates, as getUpdates and webhooks promise it."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from tests import leaks
from tests.servers.bell import Bell
from tests.servers.telegram.params import ApiError

Update = dict[str, Any]

# Bot API 10.1, Update: its optional fields are the update types.
_NAMES = (
    "message edited_message channel_post edited_channel_post business_connection "
    "business_message edited_business_message deleted_business_messages guest_message "
    "message_reaction message_reaction_count inline_query chosen_inline_result "
    "callback_query shipping_query pre_checkout_query purchased_paid_media poll poll_answer "
    "my_chat_member chat_member chat_join_request chat_boost removed_chat_boost managed_bot"
)
TYPES = frozenset(_NAMES.split())
# Bot API 10.1, getUpdates.allowed_updates: what an empty list leaves out.
DEFAULT_TYPES = TYPES - {"chat_member", "message_reaction", "message_reaction_count"}
# Bot API 10.1, getUpdates.limit. The longest wait is that of the open-source server.
MOST_UPDATES = 100
MOST_SECONDS = 50

_OTHER_POLL = (
    "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running"
)
_WEBHOOK_SET = "Conflict: terminated by setWebhook request"
_HAS_WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)


class Updates:
    """Updates that the bot has not confirmed yet, oldest first.

    Attributes:
        allowed: Update types the bot wants, as it said last.
        confirmed: The highest update id that was confirmed, or 0.
        webhook: Parameters of setWebhook while one is set.
        webhook_error: When a webhook last failed, in Unix time, and how; None: never since set.
    """

    def __init__(self, first: int, bell: Bell) -> None:
        self.pending: deque[Update] = deque()
        self.allowed: frozenset[str] = DEFAULT_TYPES
        self.confirmed = 0
        self.webhook: dict[str, Any] | None = None
        self.webhook_error: tuple[int, str] | None = None
        self.arrived = asyncio.Event()
        self._next = first
        self._bell = bell
        self._poll: asyncio.Future[str] | None = None

    def push(self, update: Update) -> int:
        """Queue an update of an allowed type, with the next id unless it names one.

        Returns:
            Its id; 0 if the bot did not ask for this type.
        """
        if "update_id" not in update:
            kind = next(iter(update), "")
            if kind in TYPES and kind not in self.allowed:
                return 0
            update = {"update_id": self._next, **update}
        leaks.note_event(update)
        self._next = max(self._next, update["update_id"]) + 1
        self.pending.append(update)
        self._wake()
        return int(update["update_id"])

    def allow(self, names: list[Any] | None) -> None:
        """Change which types of *future* updates the bot gets; None leaves it as it was."""
        if names is not None:
            self.allowed = TYPES.intersection(names) if names else DEFAULT_TYPES

    def confirm(self, offset: int) -> None:
        """Forget every update with an id below `offset`; negative counts from the end."""
        if offset < 0:
            while len(self.pending) > -offset:
                self._forget()
            return
        while self.pending and self.pending[0]["update_id"] < offset:
            self._forget()

    def _forget(self) -> None:
        self.confirmed = max(self.confirmed, self.pending.popleft()["update_id"])

    def heads(self) -> Iterator[tuple[object, Update]]:
        """Yield the oldest update of each queue: a chat, or what belongs to none by itself.

        A webhook gets the next of a queue only once it has accepted the one before
        (telegram-bot-api, Client.cpp, add_update with the chat's id; 2026-11).
        """
        queues = set()
        for update in self.pending:
            if (queue := _queue(update)) not in queues:
                queues.add(queue)
                yield queue, update

    def accept(self, update: Update) -> None:
        """Forget an update that a webhook accepted."""
        if update in self.pending:
            self.pending.remove(update)
        self.confirmed = max(self.confirmed, update["update_id"])

    def fail(self, reason: str) -> None:
        """Remember why a webhook did not accept an update."""
        self.webhook_error = int(time.time()), reason

    async def poll(self, *, offset: int, limit: int, seconds: int) -> list[Update]:
        """Return the first `limit` unconfirmed updates, waiting for one if there is none.

        Raises:
            ApiError: 409: a webhook is set, or a newer request took over while this waited.
        """
        if self.webhook:
            raise ApiError(409, _HAS_WEBHOOK)
        self._end_poll(_OTHER_POLL)
        self.confirm(offset)
        if not self.pending and seconds > 0:
            await self._wait(min(seconds, MOST_SECONDS))
        return [self.pending[index] for index in range(min(limit, len(self.pending)))]

    async def _wait(self, seconds: int) -> None:
        poll = self._poll = asyncio.get_running_loop().create_future()
        timer = poll.get_loop().call_later(seconds, _finish, poll)
        try:
            self._bell.ring()
            reason = await poll
        finally:
            timer.cancel()
            if self._poll is poll:
                self._poll = None
            self._bell.ring()
        if reason:
            raise ApiError(409, reason)

    def _wake(self) -> None:
        self.arrived.set()
        if self._poll:
            _finish(self._poll)

    def _end_poll(self, reason: str) -> None:
        if self._poll and not self._poll.done():
            self._poll.set_result(reason)
        self._poll = None

    @property
    def is_polled(self) -> bool:
        """Whether a getUpdates request waits right now."""
        return self._poll is not None

    def set_webhook(self, webhook: dict[str, Any] | None) -> None:
        """Set or delete the webhook; a waiting getUpdates ends in a conflict."""
        if webhook:
            self._end_poll(_WEBHOOK_SET)
        self.webhook = webhook
        self.webhook_error = None
        self.arrived.set()

    def close(self) -> None:
        """End a waiting request, as a server that goes away."""
        if self._poll:
            _finish(self._poll)


def _queue(update: Update) -> object:
    message = update.get("message") or update.get("edited_message")
    chat = message.get("chat") if isinstance(message, dict) else None
    known = chat.get("id") if isinstance(chat, dict) else None
    return known or ("alone", update["update_id"])


def _finish(poll: "asyncio.Future[str]") -> None:
    if not poll.done():
        poll.set_result("")
