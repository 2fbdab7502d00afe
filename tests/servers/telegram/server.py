"""The server as a test sees it: the world, what goes wrong in it, what was called."""

import time
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

from aiohttp import web

from tests import leaks
from tests.servers.bell import Bell
from tests.servers.faults import Fault, Unreliable
from tests.servers.telegram import account
from tests.servers.telegram.chats import Chat
from tests.servers.telegram.gate import Call, Gate
from tests.servers.telegram.limits import Limits, Pace, too_many
from tests.servers.telegram.methods import METHODS
from tests.servers.telegram.params import ApiError, Params, bad
from tests.servers.telegram.updates import Updates
from tests.servers.telegram.webhook import Courier
from tests.servers.telegram.world import File, Json, User

T = TypeVar("T")

# More than 32 significant bits, as Bot API 10.1 warns about User.id.
_FIRST_USER = 5_000_000_001
_FIRST_SUPERGROUP = -1_001_000_000_001
_FIRST_UPDATE = 700_000_001


class TelegramServer(Unreliable):
    """A Bot API server on 127.0.0.1 with a world of people behind it.

    Attributes:
        url: Root for TELEGRAM_API_URL, without a slash at the end.
        calls: Every call, in order of arrival.
        remarks: What the real server passes over in silence although a careful bot does not
            do it: entities beyond the 100th, unknown parameters, calls before `retry_after`
            was over. A test can assert that it is empty.
        courier: Delivers to webhooks.

    Args:
        limits: The flood limits.
        has_privacy: In groups the bot is sent only what is meant for it.
        local: Where webhooks are delivered to, whatever host they name; see Courier.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        has_privacy: bool = True,
        local: Sequence[str] = (),
    ) -> None:
        super().__init__({*METHODS, "file"})
        self.token = "7000000001:AAloopback-token_for-tests_only-0000"
        leaks.note_secret(self.token)
        self.bot = User(id=7_000_000_001, name="Causerie", username="causerie_bot", is_bot=True)
        self.has_privacy = has_privacy
        self.url = ""
        self.calls: list[Call] = []
        self.remarks: list[str] = []
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, File] = {}
        self.paths: dict[str, File] = {}
        self.menus: dict[tuple[str, str], list[Json]] = {}
        self.bell = Bell()
        self.updates = Updates(_FIRST_UPDATE, self.bell)
        self.pace = Pace(limits or Limits())
        self.courier = Courier(self, *local)
        self._users = 0
        self._groups = 0
        self._private_id = 0
        self._runner: web.ServerRunner | None = None

    @property
    def limits(self) -> Limits:
        """The flood limits; setting them forgets what was counted."""
        return self.pace.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self.pace = Pace(limits)

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(Gate(self).server, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        await self.courier.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.courier.__aexit__()
        self.updates.close()
        self.faults.release()
        if self._runner:
            await self._runner.cleanup()

    # The world.

    def user(self, name: str, *, username: str = "", language: str = "en") -> User:
        """Let a person into the world."""
        self._users += 1
        number = _FIRST_USER + self._users
        return User(id=number, name=name, username=username, language=language)

    def private(self, user: User) -> Chat:
        """Return the private chat of a person with the bot, who has pressed Start."""
        chat = self.chats.get(user.id)
        if chat is None:
            chat = Chat(self, id=user.id, type="private", title=user.name, members=[user])
            self.chats[user.id] = chat
        return chat

    def group(
        self,
        title: str,
        members: Sequence[User] = (),
        *,
        is_forum: bool = False,
        is_basic: bool = False,
    ) -> Chat:
        """Return a new supergroup (or basic group) with the bot in it."""
        self._groups += 1
        number = -4_000_000 - self._groups if is_basic else _FIRST_SUPERGROUP - self._groups
        chat = Chat(
            self,
            id=number,
            type="group" if is_basic else "supergroup",
            title=title,
            members=members,
            is_forum=is_forum,
        )
        self.chats[number] = chat
        return chat

    def push(self, update: Json) -> int:
        """Queue an update as it is; return its id, 0 if the bot does not want this type."""
        number = self.updates.push(update)
        self.bell.ring()
        return number

    async def until(self, condition: Callable[[], T], *, seconds: float = 30.0) -> T:
        """Wait until a condition about the world holds; return its value.

        Raises:
            TimeoutError: With the last calls.
        """
        try:
            return await self.bell.until(condition, seconds)
        except TimeoutError:
            last = [f"{call.method} {call.error}".strip() for call in self.calls[-10:]]
            raise TimeoutError(f"after {seconds} s the last calls are {last}") from None

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._runner.server.connections) if self._runner and self._runner.server else 0

    def expire_links(self) -> None:
        """Let every download link expire, as they do after an hour; getFile gives new ones."""
        self.paths.clear()

    def next_private_id(self) -> int:
        """Return the next message id of private chats and basic groups, which share them."""
        self._private_id += 1
        return self._private_id

    # Faults.

    def fail_next(
        self,
        method: str,
        *,
        status: int = 500,
        description: str = "Internal Server Error",
        retry_after: int | None = None,
        is_html: bool = False,
        times: int = 1,
        place: Chat | None = None,
    ) -> Fault:
        """Refuse the next calls of a method without doing them.

        Args:
            method: Its name, `file` for downloads, or `*`.
            status: HTTP status; `retry_after` makes it a 429.
            description: What is said.
            retry_after: Seconds to wait.
            is_html: Answer in HTML, as a gateway in between does.
            times: How many calls.
            place: Only calls about this chat.
        """
        refusal = ApiError(status, description)
        if retry_after is not None:
            refusal = too_many(retry_after)
        return self.strike(
            method,
            "html" if is_html else "error",
            times=times,
            place=place,
            status=status,
            refusal=refusal,
            retry_after=retry_after,
        )

    def block(self, user: User) -> None:
        """Let a person block the bot, of which it is told."""
        self._set_blocked(user, has_blocked=True)

    def unblock(self, user: User) -> None:
        """Let a person talk to the bot again."""
        self._set_blocked(user, has_blocked=False)

    def _set_blocked(self, user: User, *, has_blocked: bool) -> None:
        user.has_blocked = has_blocked
        status = "kicked" if has_blocked else "member"
        self.set_bot_status(self.private(user), user, status)

    def set_bot_status(self, chat: Chat, by: User, status: str) -> None:
        """Make the bot `member`, `administrator`, `left` or `kicked`, of which it is told."""
        before, chat.bot_status = chat.bot_status, status
        bot = self.bot.json()
        self.push(
            {
                "my_chat_member": {
                    "chat": chat.json(),
                    "from": by.json(),
                    "date": int(time.time()),
                    "old_chat_member": account.member(bot, before),
                    "new_chat_member": account.member(bot, status),
                }
            }
        )

    # What the methods need.

    def remark(self, text: str) -> None:
        """Note something that the real server would pass over."""
        self.remarks.append(text)

    def open_chat(self, params: Params) -> Chat:
        """Return the chat that `chat_id` names, if the bot may write there.

        Raises:
            ApiError: It is not known, or the bot is not (any more) in it.
        """
        chat = self.chats.get(params["chat_id"])
        if chat is None:
            raise bad("chat not found")
        if chat.migrated_to:
            raise ApiError(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                {"migrate_to_chat_id": chat.migrated_to.id},
            )
        if chat.bot_status == "kicked":
            if chat.type == "private":
                raise ApiError(403, "Forbidden: bot was blocked by the user")
            raise ApiError(403, f"Forbidden: bot was kicked from the {chat.type} chat")
        if chat.bot_status == "left":
            raise ApiError(403, f"Forbidden: bot is not a member of the {chat.type} chat")
        return chat
