"""Transactions of what was given up: messages that were buried, texts that stayed unsent.

An id says which it is: `m12` is the turn that began with message 12 of the inbox, `t12` is text 12
of the outbox.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from core.store.privacy import wipe
from core.store.tx import Row, Tx
from core.types import MOST_FAILURES

UNSENT = "it could not be posted; the log of the bot says why"
_MESSAGES = (
    "SELECT dead.*, COALESCE(turn, id) AS turn, attempts FROM dead"
    " JOIN inbox ON inbox.id = inbox_id ORDER BY inbox_id"
)
_TEXTS = "SELECT * FROM outbox WHERE sent_at IS NULL AND failures >= ? ORDER BY id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """What was given up, without its words.

    Attributes:
        at: When it was given up, or when a text was decided; in milliseconds since 1970.
        chat: Its chat as `platform:ref`.
        title: Of its chat; may be empty.
        attempts: How often it was tried.
        reason: Why it was given up.
    """

    id: str
    kind: Literal["message", "text"]
    at: int
    chat: str
    title: str
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Turns with their messages, and texts, by their ids."""

    turns: dict[str, list[Row]]
    texts: dict[str, Row]

    @property
    def chats(self) -> set[int]:
        """In which they are."""
        heads = [rows[0] for rows in self.turns.values()]
        return {row["chat_id"] for row in (*heads, *self.texts.values())}

    @property
    def ids(self) -> set[str]:
        """Of all of it."""
        return {*self.turns, *self.texts}


def dead(tx: Tx) -> list[Dead]:
    """Return everything that was given up, the oldest first."""
    found = _find(tx, None)
    listed = []
    for name, rows in found.turns.items():
        # The attempt that buried it tried nothing.
        tried = max(0, rows[0]["attempts"] - 1)
        reason, at = rows[0]["reason"], rows[0]["died_at"]
        listed.append(_dead(tx, name, rows[0], at=at, attempts=tried, reason=reason))
    for name, row in found.texts.items():
        at, tried = row["created_at"], row["failures"]
        listed.append(_dead(tx, name, row, at=at, attempts=tried, reason=UNSENT))
    return sorted(listed, key=lambda one: one.at)


def _dead(tx: Tx, name: str, row: Row, *, at: int, attempts: int, reason: str) -> Dead:
    [chat] = tx.all("SELECT platform, ref, title FROM chat WHERE id = ?", row["chat_id"])
    return Dead(
        id=name,
        kind="message" if name.startswith("m") else "text",
        at=at,
        chat=f"{chat['platform']}:{chat['ref']}",
        title=chat["title"],
        attempts=attempts,
        reason=reason,
    )


def retry(tx: Tx, ids: Collection[str] | None) -> set[str]:
    """Let what was given up be answered or posted, by whoever works on its chat.

    A message is asked anew, behind what waits; what the bot said of giving it up counts no more.
    A text goes out before anything else.

    Args:
        tx: The transaction.
        ids: Of what; None for all.

    Returns:
        The ids of what was found.
    """
    found = _lock(tx, ids)
    for rows in found.turns.values():
        _ask_anew(tx, rows)
    for row in found.texts.values():
        tx.do("UPDATE outbox SET failures = 0 WHERE id = ?", row["id"])
    for chat in found.chats:
        tx.do("UPDATE chat SET ready_at = ? WHERE id = ? AND is_leased = 0", tx.now, chat)
        tx.tell(None)
    return found.ids


def drop(tx: Tx, ids: Collection[str] | None) -> set[str]:
    """Delete what was given up for good: of a text, also what it answers and what is remembered.

    Args:
        tx: The transaction.
        ids: Of what; None for all.

    Returns:
        The ids of what was found.
    """
    found = _lock(tx, ids)
    heads = [*(rows[0] for rows in found.turns.values()), *found.texts.values()]
    for row in found.texts.values():
        tx.do("DELETE FROM receipt WHERE turn = ?", -row["id"])
        tx.do("DELETE FROM outbox WHERE id = ?", row["id"])
    for chat, turn in {(row["chat_id"], row["turn"]) for row in heads}:  # none of a mere notice
        wipe(
            tx,
            tx.all("SELECT id, chat_id FROM inbox WHERE chat_id = ? AND turn = ?", chat, turn),
        )
    for chat in found.chats:
        tx.do("UPDATE chat SET erased = erased + 1 WHERE id = ?", chat)
    if found.ids:
        tx.wipe()
    return found.ids


def _lock(tx: Tx, ids: Collection[str] | None) -> _Found:
    """Return what was given up, in chats that nobody else changes until this ends."""
    for chat in sorted(_find(tx, ids).chats):
        tx.lock("SELECT id FROM chat WHERE id = ?", chat)
    return _find(tx, ids)


def _find(tx: Tx, ids: Collection[str] | None) -> _Found:
    turns: dict[str, list[Row]] = defaultdict(list)
    for row in _wanted("m", "turn", tx.all(_MESSAGES), ids):
        turns[f"m{row['turn']}"].append(row)
    texts = _wanted("t", "id", tx.all(_TEXTS, MOST_FAILURES), ids)
    return _Found(turns=dict(turns), texts={f"t{row['id']}": row for row in texts})


def _wanted(
    letter: str, column: str, rows: Iterable[Row], ids: Collection[str] | None
) -> list[Row]:
    return [row for row in rows if ids is None or f"{letter}{row[column]}" in ids]


def _ask_anew(tx: Tx, rows: Iterable[Row]) -> None:
    """Let messages come in again, under the events that they have.

    They get new ids, so that within a chat turns stay in the order in which they are remembered.
    """
    for row in rows:
        tx.do("DELETE FROM outbox WHERE turn = ?", row["turn"])
        tx.do("DELETE FROM receipt WHERE turn = ?", row["turn"])
        tx.do("DELETE FROM dead WHERE inbox_id = ?", row["inbox_id"])
        [message] = tx.all("DELETE FROM inbox WHERE id = ? RETURNING *", row["inbox_id"])
        # One attempt counts, so that it is not merged with what waits: it may be poison.
        changes = {"turn": None, "done_at": None, "attempts": 1, "failures": 0, "ready_at": tx.now}
        values = dict(message) | changes
        del values["id"]
        tx.do(
            f"INSERT INTO inbox ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
            *values.values(),
        )
