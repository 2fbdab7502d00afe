"""Transactions about what is stored of a person: how much, what, and that it is deleted.

Somebody's own are their messages and the answers to them, all of their private chats, and what
their calls cost. What others said stays, and so do sums: they lose the name, not the number. What
an owner or a host decided about them stays, too, so that nobody escapes a decision by being
forgotten.
"""

from collections.abc import Iterable, Sequence

from core.kept import Kept, Stored
from core.store.inbox import hush
from core.store.people import CODE_MS
from core.store.queue import check
from core.store.spending import periods
from core.store.sums import rename
from core.store.tx import Row, Tx
from core.types import Lease, Turn

ANONYMOUS = "anonymous"
REQUEST_MS = 10 * 60 * 1000
_THEIR_CHATS = (
    "SELECT chat_id FROM inbox WHERE person = ? UNION SELECT private_chat FROM person"
    " WHERE id = ? UNION SELECT chat_id FROM usage_day WHERE person = ?"
)

_CHATS = f"SELECT * FROM chat WHERE id IN ({_THEIR_CHATS})"


def kept(tx: Tx, held: Lease, turn: Turn) -> Kept:
    """Count what is stored about somebody, and note that they may want it deleted."""
    check(tx, held)
    person = turn.person.id
    tx.do(
        "UPDATE person SET forget_at = ?, forget_in = ? WHERE id = ?",
        tx.now,
        held.chat_id,
        person,
    )
    return Kept(
        messages=_count(tx, "inbox WHERE person = ? AND body <> '' AND done_at > 0", person),
        waiting=_count(
            tx, "inbox WHERE person = ? AND done_at IS NULL AND id <> ?", person, turn.id
        ),
        answers=_count(
            tx,
            "inbox WHERE person = ? AND id = turn AND (EXISTS (SELECT 1 FROM outbox WHERE"
            " outbox.turn = inbox.turn) OR EXISTS (SELECT 1 FROM message WHERE"
            " message.chat_id = inbox.chat_id AND message.turn = inbox.turn))",
            person,
        ),
        summaries=sum(bool(chat["summary"]) for chat in _chats(tx, person)),
        calls=_count(tx, "usage_day WHERE person = ?", person, what="SUM(calls)"),
    )


def may_forget(tx: Tx, held: Lease, turn: Turn) -> bool:
    """Say whether somebody has just been told, in the same chat, what would be deleted."""
    asked = tx.one(
        "SELECT 1 FROM person WHERE id = ? AND forget_in = ? AND forget_at > ?",
        turn.person.id,
        held.chat_id,
        tx.now - REQUEST_MS,
    )
    return asked is not None


def erase(tx: Tx, person: str) -> None:
    """Delete what is stored about somebody."""
    chats = tx.lock(f"{_CHATS} ORDER BY id", *(person,) * 3)  # no answer is committed meanwhile
    wipe(tx, tx.all("SELECT id, chat_id FROM inbox WHERE person = ? ORDER BY id", person))
    for chat in chats:
        is_theirs = bool(chat["is_private"])
        _anonymise_chat(tx, chat["id"], person, is_theirs=is_theirs)
        if is_theirs:
            _empty(tx, chat["id"])
        # What a summary holds of whom cannot be told apart, so that all of it goes.
        tx.do("UPDATE chat SET summary = '', erased = erased + 1 WHERE id = ?", chat["id"])
    _untell(tx, person)
    own = [str(chat["id"]) for chat in chats if chat["is_private"]]
    # The day and month that last go on to count: nobody escapes a limit by being forgotten.
    tx.do(
        "DELETE FROM budget WHERE period NOT IN (?, ?) AND (scope = 'user' AND subject = ?"
        f" OR scope = 'chat' AND subject IN {_any(own)})",
        *(*periods(tx.now), person, *own),
    )
    tx.do("UPDATE admitted SET name = id WHERE id = ?", person)
    _leave(tx, person)
    tx.wipe()


def _untell(tx: Tx, person: str) -> None:
    """Delete what owners were told of somebody, or are still to be told.

    It names them by their id, in backticks. With what waits an owner loses nothing that could be
    acted on: a message that was given up is deleted, and who asks to be let in has the code
    themselves and stands among /users while it holds.
    """
    notices = "FROM outbox WHERE turn IS NULL AND text LIKE ?"
    words = f"%`{person}`%"
    tx.do(f"DELETE FROM receipt WHERE turn IN (SELECT -id {notices})", words)
    tx.do(f"DELETE {notices}", words)


def _leave(tx: Tx, person: str) -> None:
    """Delete somebody but for what was decided about them, and what they have just asked for."""
    tx.do(
        "DELETE FROM person WHERE id = ? AND status NOT IN ('approved', 'denied')"
        " AND COALESCE(asked_at, 0) <= ?",
        person,
        tx.now - CODE_MS,
    )
    tx.do(
        "UPDATE person SET name = id, private_chat = NULL, forget_at = NULL, forget_in = NULL"
        " WHERE id = ?",
        person,
    )


def wipe(tx: Tx, rows: Iterable[Row]) -> None:
    """Delete the words of messages and of all that came of them; their events stay known.

    Args:
        tx: The transaction.
        rows: Of the inbox; `id` and `chat_id` are enough.
    """
    for row in rows:
        tx.do("DELETE FROM outbox WHERE turn = ?", row["id"])
        tx.do("DELETE FROM receipt WHERE turn = ?", row["id"])
        tx.do("DELETE FROM message WHERE chat_id = ? AND turn = ?", row["chat_id"], row["id"])
        hush(tx, row["id"])


def nowhere(tx: Tx) -> int:
    """Return the chat in which the costs of forgotten private chats are entered."""
    [row] = tx.all(
        "INSERT INTO chat (platform, ref, is_private, title) VALUES ('', '', 0, ?)"
        " ON CONFLICT (platform, ref) DO UPDATE SET title = excluded.title RETURNING id",
        ANONYMOUS,
    )
    return int(row["id"])


def _anonymise_chat(tx: Tx, chat: int, person: str, *, is_theirs: bool) -> None:
    # Who alone wrote in a chat is named by it: their costs move to a chat that is nowhere.
    target = nowhere(tx) if is_theirs else chat
    whose = "chat_id = ? AND (person = ? OR 1 = ?)"
    tx.do(
        f"UPDATE usage SET person = ?, chat_id = ?, turn = NULL WHERE {whose}",
        ANONYMOUS,
        target,
        chat,
        person,
        int(is_theirs),
    )
    sums = f"SELECT * FROM usage_day WHERE {whose}"
    for row in tx.lock(sums, chat, person, int(is_theirs)):
        rename(tx, row, person=ANONYMOUS, chat=target)


def _empty(tx: Tx, chat: int) -> None:
    """Delete all of a private chat but that it exists."""
    tx.do("DELETE FROM message WHERE chat_id = ?", chat)
    tx.do("DELETE FROM receipt WHERE turn IN (SELECT -id FROM outbox WHERE chat_id = ?)", chat)
    tx.do("DELETE FROM outbox WHERE chat_id = ?", chat)
    tx.do("UPDATE chat SET title = '', model = '', persona = '', start = total WHERE id = ?", chat)


def stored(tx: Tx, person: str) -> Stored:
    """Return what is stored about somebody, as rows by the kind of thing they hold."""
    own = [chat["id"] for chat in _chats(tx, person) if chat["is_private"]]
    where = {
        "person": ("person WHERE id = ?", person),
        "chats": (f"chat WHERE id IN ({_THEIR_CHATS}) ORDER BY id", *(person,) * 3),
        "messages": ("inbox WHERE person = ? AND body <> '' ORDER BY id", person),
        "calls": ("usage WHERE person = ? ORDER BY id", person),
        "budgets": ("budget WHERE scope = 'user' AND subject = ? ORDER BY period", person),
        "caps": ("cap WHERE scope = 'user' AND subject = ?", person),
        "admitted": ("admitted WHERE id = ? ORDER BY place", person),
    }
    found = {
        name: tx.all(f"SELECT * FROM {rest}", *values) for name, (rest, *values) in where.items()
    }
    turns = "turn IN (SELECT turn FROM inbox WHERE person = ?)"
    for name, table in (("history", "message"), ("answers", "outbox")):
        found[name] = tx.all(
            f"SELECT * FROM {table} WHERE ({turns} AND chat_id IN ({_THEIR_CHATS}))"
            f" OR chat_id IN {_any(own)} ORDER BY id",
            *(person,) * 4,
            *own,
        )
    return {name: [dict(row) for row in rows] for name, rows in found.items()}


def _chats(tx: Tx, person: str) -> Sequence[Row]:
    """Return the chats in which somebody wrote."""
    return tx.all(_CHATS, *(person,) * 3)


def _any(values: Sequence[object]) -> str:
    return f"({', '.join('?' * len(values)) or 'NULL'})"


def _count(tx: Tx, rest: str, *values: object, what: str = "COUNT(*)") -> int:
    row = tx.one(f"SELECT {what} AS number FROM {rest}", *values)
    return int(row["number"] or 0) if row else 0
