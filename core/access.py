"""Who may talk to the bot, how often, and who owns it."""

import math
from collections.abc import Sequence
from typing import Literal

from core.errors import AccessError
from core.markdown import plain
from core.people import Pairing
from core.protocols import Store
from core.types import Chat, Incoming, Notice, Person, Turn

Mode = Literal["pairing", "open", "closed"]

MOST_REQUESTS = 5  # an hour; more would be a way to flood the owners


class Access:
    """The rules of the settings ACCESS, OWNERS and ALLOWED, and the owners' decisions.

    Owners may always. Then what an owner decided about a person counts, then the mode, then
    ALLOWED, then whom the hosts of a place admitted there. A stranger is answered, but never
    costs a model call. Nobody but owners is answered more than `per_minute` questions a minute,
    in all chats together; None: any number.
    """

    def __init__(
        self,
        store: Store,
        *,
        mode: Mode,
        owners: Sequence[str],
        allowed: Sequence[str],
        per_minute: int | None = None,
    ) -> None:
        self._store = store
        self._mode = mode
        self.owners = frozenset(owners)
        self._allowed = frozenset(allowed)
        self._per_minute = per_minute

    @property
    def is_open(self) -> bool:
        """Whether everybody may talk whom no owner kept out."""
        return self._mode == "open"

    def is_owner(self, person: str) -> bool:
        """Say whether somebody, by id, is an owner."""
        return person in self.owners

    def names(self, chat: Chat) -> bool:
        """Say whether the settings let everybody in a chat talk."""
        return chat.id in self._allowed

    async def may(self, incoming: Incoming, *, status: str | None = None) -> bool:
        """Say whether whoever wrote a message may talk to the bot, in its chat.

        Args:
            incoming: The message.
            status: What is known of them (see `Known`); None to look it up.
        """
        person, chat = incoming.person, incoming.chat
        if self.is_owner(person.id):
            return True
        if status is None:
            known = await self._store.known(person.id)
            status = known.status if known else ""
        if status in {"approved", "denied"}:
            return status == "approved"
        ids = {person.id, *person.groups, chat.id, *chat.places}
        if self._mode == "open" or ids & self._allowed:
            return True
        return not chat.is_private and await self._store.admits(chat.place, ids)

    async def check(self, turn: Turn) -> None:
        """Let whoever's turn it is pass, or say why not.

        In pairing mode a stranger gets a code, and the owners hear of it once; without owners,
        the stranger is told how to become one.

        Raises:
            AccessError: They may not; the text tells them what to do.
        """
        incoming, person = turn.messages[0], turn.person
        if await self.may(incoming, status=turn.status):
            return
        if self._mode != "pairing" or turn.status == "denied":
            raise AccessError(
                "I only talk to people my owner has let in. "
                f"If you know the owner, tell them your id: `{person.id}`"
            )
        if not incoming.chat.is_private:
            raise AccessError(
                f"I do not know you yet, {plain(person.name)}. Write to me in private, "
                "and I will give you a code for my owner."
            )
        asked = await self._store.ask(person.id, turn=turn.id)
        raise AccessError(
            f"Hello {plain(person.name)}! I do not know you yet. Give my owner this code, and "
            f"once they have approved it, write to me again: `{asked.code}`\n\n"
            f"It holds for an hour. Your id is `{person.id}`.{self._orphaned(person)}",
            self._request(person, asked) if asked.is_new else (),
        )

    async def ration(self, turn: Turn) -> None:
        """Let a question pass, or say when its person can go on.

        They are told once a minute; what else they ask meanwhile is left unanswered, but where
        the platform waits for an answer.

        Raises:
            AccessError: They have asked too much; the text is empty if they know.
        """
        most, person = self._per_minute, turn.person.id
        if most is None or self.is_owner(person):
            return
        pause = await self._store.ration(person, turn=turn.id, most=most)
        if pause is None:
            return
        if pause.is_told and not turn.messages[-1].is_alone:
            raise AccessError("")
        seconds = math.ceil(pause.seconds)
        raise AccessError(
            f"You ask faster than I may answer: {_times('question', most)} a minute. Please go on "
            f"in {_times('second', seconds)}; /retry will then answer the last one."
        )

    def _orphaned(self, person: Person) -> str:
        """Return what somebody has to do if there is no owner because it is they who run us."""
        if self.owners:
            return ""
        return (
            f" I have no owner so far: if it is you who runs me, put `OWNERS={person.id}` into my "
            "settings, the file `.env`, and start me again."
        )

    def _request(self, person: Person, asked: Pairing) -> tuple[Notice, ...]:
        if asked.recent > MOST_REQUESTS:
            return ()
        text = (
            f"{plain(person.name)} (`{person.id}`) would like to talk to me.\n\n"
            f"`/approve {asked.code}` lets them in, `/deny {asked.code}` does not."
        )
        if asked.recent == MOST_REQUESTS:
            text += "\n\nThis is the last one I tell you of for now; /users lists who else asks."
        return self.to_owners(text)

    def to_owners(self, text: str) -> tuple[Notice, ...]:
        """Return a notice for every owner."""
        return tuple(Notice(person=owner, text=text) for owner in sorted(self.owners))


def _times(noun: str, number: int) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
