"""An interaction: what somebody asked by a command, and what they see of the answer."""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from tests.servers.discord import messages
from tests.servers.discord.errors import Json, refused, unknown
from tests.servers.discord.messages import Message
from tests.servers.discord.people import User

if TYPE_CHECKING:
    from tests.servers.discord.channels import Channel

T = TypeVar("T")
# Interactions, "Interaction type" and "Interaction callback type", 2026-11.
COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
ANSWER, DEFER, DEFER_UPDATE, UPDATE, SUGGEST, MODAL = 4, 5, 6, 7, 8, 9
# As long as real ones are, so that what keeps them has room.
_TOKEN_BYTES = 159
State = Literal["waiting", "thinking", "answered", "failed", "deleted"]


class Interaction:
    """What somebody asked; its token expires by the server's clock.

    Attributes:
        type: 2 for a command, 4 for autocomplete.
        payload: As INTERACTION_CREATE carried it.
        callback: Type of the response that acknowledged it; 0 for none yet.
        original: The first answer; None while there is none.
        followups: Further answers, deleted ones included, oldest first.
        choices: What autocomplete suggested; None until it did.
        modal: The form it opened, or None.
        owners: By installation context, in whose name the app acts.
    """

    def __init__(
        self,
        channel: "Channel",
        user: User,
        *,
        type: int,  # noqa: A002 - as Discord names it
        data: Json,
        owners: dict[str, str],
    ) -> None:
        self.channel = channel
        self.user = user
        self.type = type
        self.data = data
        self.owners = owners
        self.id = channel.server.clock.snowflake()
        secret = f"interaction:{self.id}:".ljust(_TOKEN_BYTES, "x")
        self.token = base64.urlsafe_b64encode(secret.encode()).decode()
        self.at = channel.server.clock.now()
        self.payload: Json = {}
        self.callback = 0
        self.is_ephemeral = False
        self.original: Message | None = None
        self.followups: list[Message] = []
        self.choices: list[Json] | None = None
        self.modal: Json | None = None

    @property
    def state(self) -> State:
        """What the person sees: "thinking…", an answer, or that the app did not respond."""
        server = self.channel.server
        age = server.clock.now() - self.at
        if not self.callback:
            return "waiting" if age < server.limits.ack_seconds else "failed"
        if self.original is None:
            return "answered"
        if self.original.is_deleted:
            return "deleted"
        if self.original.is_loading:
            return "thinking" if age < server.limits.token_seconds else "failed"
        return "answered"

    @property
    def text(self) -> str:
        """The first answer's text; empty while there is none."""
        seen = self.original and not (self.original.is_loading or self.original.is_deleted)
        return self.original.content if self.original and seen else ""

    @property
    def texts(self) -> list[str]:
        """What the answers say, oldest first; those that are deleted left out."""
        there = [message for message in self.followups if not message.is_deleted]
        return [text for text in (self.text, *(m.content for m in there)) if text]

    async def answer(self, *, containing: str = "", seconds: float = 30.0) -> Message:
        """Wait for the first answer, until it contains `containing`.

        Raises:
            TimeoutError: With what the person sees instead.
        """
        await self.until(
            lambda: self.state == "answered" and containing in self.text, seconds=seconds
        )
        assert self.original
        return self.original

    async def until(self, condition: Callable[[], T], *, seconds: float = 30.0) -> T:
        """Wait until a condition about it holds; return its value.

        Raises:
            TimeoutError: With what the person sees instead.
        """
        try:
            return await self.channel.bell.until(condition, seconds)
        except TimeoutError:
            seen = f"{self.state} {[text[:80] for text in self.texts]}"
            raise TimeoutError(f"after {seconds} s the person sees {seen}") from None

    # What the routes need.

    def check_callback(self) -> None:
        """Raise the ApiError unless it can be acknowledged now: once, and in time."""
        if self.callback:
            raise refused(40060)
        if self.state == "failed":
            raise unknown("interaction")

    def check_token(self) -> None:
        """Raise the ApiError unless its token may be used: after the callback, for 15 minutes."""
        server = self.channel.server
        if server.clock.now() - self.at >= server.limits.token_seconds:
            raise refused(50027)
        if self.callback not in {ANSWER, DEFER}:
            raise unknown("Webhook")

    @property
    def is_user_install(self) -> bool:
        """Whether the app acts here in the name of the person alone."""
        return set(self.owners) == {"1"}

    @property
    def followup_count(self) -> int:
        """How many followups were made, deleted ones included."""
        return len(self.followups)

    def find(self, message_id: int) -> Message:
        """Return one of its answers.

        Raises:
            ApiError: 404: there is none of that id.
        """
        for message in (self.original, *self.followups):
            if message and message.id == message_id and not message.is_deleted:
                return message
        raise unknown("Message")

    def metadata(self) -> Json:
        """Return what its answers say of it."""
        kind = messages.CHAT_INPUT if self.data.get("type") == 1 else messages.CONTEXT_MENU
        server = self.channel.server
        return {
            "type": kind,
            "origin": {
                "application_id": str(server.application_id),
                "webhook_id": str(server.application_id),
                "interaction_metadata": {
                    "id": str(self.id),
                    "type": self.type,
                    "user": self.user.json(),
                    "authorizing_integration_owners": self.owners,
                },
            },
        }
