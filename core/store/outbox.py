"""Transactions of the outbox: what is to be sent, what stands already, what was sent."""

from collections.abc import Sequence

from core.store.tx import Row, Tx, among
from core.types import MOST_FAILURES, Chat, File, Lease, Notice, Outcome, Outgoing, Turn

_IS_BEGUN = "EXISTS (SELECT 1 FROM receipt WHERE receipt.turn = {}) AS is_begun"
# What a turn takes from elsewhere, beside a row of the inbox.
OF_TURN = (
    f"{_IS_BEGUN.format('inbox.id')},"
    " (SELECT status FROM person WHERE person.id = inbox.person) AS status"
)
# What there is beside a row of the outbox, so that it is looked up only then.
_IS_POSTED = _IS_BEGUN.format("COALESCE(outbox.turn, -outbox.id)")
_HAS_FILES = "EXISTS (SELECT 1 FROM outbox_file WHERE outbox_id = outbox.id) AS has_files"


def unsent(tx: Tx, held: Lease, turn: int | None = None) -> Outgoing | None:
    """Return the oldest text that is still to go out, or the one of a turn."""
    row = tx.one(
        f"SELECT outbox.*, {_IS_POSTED}, {_HAS_FILES} FROM outbox"
        " WHERE chat_id = ? AND sent_at IS NULL AND failures < ?"
        " AND COALESCE(turn, 0) = COALESCE(?, turn, 0)"
        " ORDER BY id LIMIT 1",
        held.chat_id,
        MOST_FAILURES,
        turn,
    )
    files = _files(tx, row["id"]) if row and row["has_files"] else ()
    return _outgoing(tx, held.chat, row, files) if row else None


def waiting(tx: Tx, chats: Sequence[int]) -> set[int]:
    """Return in which of some chats a text is still to go out."""
    some, values = among(chats)
    rows = tx.all(
        f"SELECT chat_id FROM outbox WHERE chat_id IN ({some}) AND sent_at IS NULL"
        " AND failures < ?",
        *values,
        MOST_FAILURES,
    )
    return {row["chat_id"] for row in rows}


def answer(tx: Tx, held: Lease, turn: Turn, outcome: Outcome) -> Outgoing:
    """Put the answer to a turn into the outbox, and return it."""
    row = _put(tx, held.chat_id, turn.id, turn.messages[-1].message, outcome)
    return _outgoing(tx, held.chat, row, _files(tx, row["id"]) if outcome.files else ())


def notify(tx: Tx, chat: int, notice: Notice) -> None:
    """Put a text that answers nothing into the outbox of a chat."""
    _put(tx, chat, None, None, notice)


def receipts(tx: Tx, reply: int) -> tuple[tuple[str, ...], int]:
    """Return the ids of a reply's posted texts, in order, and how many of its files are."""
    rows = tx.all("SELECT part, ref FROM receipt WHERE turn = ? ORDER BY part", reply)
    texts = tuple(r["ref"] for r in rows if r["part"] >= 0)
    return texts, len(rows) - len(texts)


def note_sent(tx: Tx, sent: int) -> None:
    """Keep a text that was sent, unless nothing is kept any more of what it answers."""
    found = tx.all(
        f"UPDATE outbox SET sent_at = ? WHERE id = ? RETURNING turn, {_HAS_FILES},"
        " EXISTS (SELECT 1 FROM inbox WHERE inbox.id = outbox.turn AND body = '') AS is_hushed",
        tx.now,
        sent,
    )
    for row in found:
        if row["has_files"]:
            tx.do("DELETE FROM outbox_file WHERE outbox_id = ?", sent)
        if row["turn"] is None:
            tx.do("DELETE FROM receipt WHERE turn = ?", -sent)
        elif row["is_hushed"]:
            tx.do("DELETE FROM receipt WHERE turn = ?", row["turn"])
            tx.do("DELETE FROM outbox WHERE id = ?", sent)


def _put(tx: Tx, chat: int, turn: int | None, to: str | None, said: Outcome | Notice) -> Row:
    [row] = tx.all(
        "INSERT INTO outbox (chat_id, turn, reply_to, text, created_at) VALUES (?, ?, ?, ?, ?)"
        f" RETURNING *, {_IS_POSTED}",
        chat,
        turn,
        to,
        said.text,
        tx.now,
    )
    for part, file in enumerate(said.files):
        tx.do(
            "INSERT INTO outbox_file (outbox_id, part, name, mime, data) VALUES (?, ?, ?, ?, ?)",
            row["id"],
            part,
            file.name,
            file.mime,
            file.data,
        )
    return row


def _outgoing(tx: Tx, chat: Chat, row: Row, files: tuple[File, ...]) -> Outgoing:
    reply = -row["id"] if row["turn"] is None else row["turn"]
    posted, attached = receipts(tx, reply) if row["is_begun"] else ((), 0)
    return Outgoing(
        id=row["id"],
        turn=row["turn"],
        chat=chat,
        to=row["reply_to"],
        text=row["text"],
        failures=row["failures"],
        posted=posted,
        files=files,
        attached=attached,
    )


def _files(tx: Tx, outgoing: int) -> tuple[File, ...]:
    rows = tx.all(
        "SELECT name, mime, data FROM outbox_file WHERE outbox_id = ? ORDER BY part", outgoing
    )
    return tuple(File(name=r["name"], mime=r["mime"], data=r["data"]) for r in rows)
