"""Transactions of the queue: chats leased, work handed out.

Plain functions of a transaction; see `core.protocols.Store` for what each promises.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from core.errors import LeaseLostError
from core.store.inbox import BODY, chat_of
from core.store.tx import Row, Tx
from core.types import (
    MOST_FAILURES,
    ChatState,
    File,
    Lease,
    Outgoing,
    Turn,
)

LEASE_MS = 30_000
LONGEST_WAIT_MS = 60_000
MOST_MERGED = 50


def lease(
    tx: Tx, platforms: Sequence[str], limit: int
) -> tuple[list[tuple[Lease, Outgoing | Turn]], float]:
    """Lease the chats that have waited longest; say when the next becomes ready, in seconds."""
    taken: list[tuple[Lease, Outgoing | Turn]] = []
    soonest = tx.now + LONGEST_WAIT_MS
    for platform in platforms:
        rows = tx.all(
            "SELECT * FROM chat WHERE platform = ? AND ready_at <= ? ORDER BY ready_at LIMIT ?",
            platform,
            tx.now,
            limit - len(taken),
        )
        for row in rows:
            held = _hold(tx, row)
            work = _work(tx, held, row)
            if work:
                taken.append((held, work))
        first = tx.one(
            "SELECT MIN(ready_at) AS at FROM chat WHERE platform = ? AND ready_at IS NOT NULL",
            platform,
        )
        if first and first["at"] is not None:
            soonest = min(soonest, first["at"])
    return taken, max(0, soonest - tx.now) / 1000


def _hold(tx: Tx, row: Row) -> Lease:
    epoch = row["epoch"] + 1
    tx.run(
        "UPDATE chat SET ready_at = ?, is_leased = 1, epoch = ? WHERE id = ?",
        tx.now + LEASE_MS,
        epoch,
        row["id"],
    )
    return Lease(chat_id=row["id"], chat=chat_of(row), epoch=epoch)


def renew(tx: Tx, leases: Sequence[Lease]) -> set[int]:
    """Extend leases; return the chats whose lease is lost."""
    return {
        held.chat_id
        for held in leases
        if not tx.run(
            "UPDATE chat SET ready_at = ? WHERE id = ? AND epoch = ?",
            tx.now + LEASE_MS,
            held.chat_id,
            held.epoch,
        )
    }


def advance(tx: Tx, held: Lease, sent: int | None = None) -> Outgoing | Turn | None:
    """Mark a text as sent; return the next piece of work, or let the chat go."""
    row = check(tx, held)
    if sent is not None:
        _note_sent(tx, sent)
    if row["is_off_record"]:
        tx.wipe()
    return _work(tx, held, row)


def _note_sent(tx: Tx, sent: int) -> None:
    """Keep a text that was sent, unless nothing is kept any more of what it answers."""
    tx.run("UPDATE outbox SET sent_at = ? WHERE id = ?", tx.now, sent)
    tx.run("DELETE FROM outbox_file WHERE outbox_id = ?", sent)
    tx.run("DELETE FROM receipt WHERE turn = ?", -sent)
    answered = tx.one(
        "SELECT inbox.id FROM outbox JOIN inbox ON inbox.id = outbox.turn"
        " WHERE outbox.id = ? AND body = ''",
        sent,
    )
    if answered:
        tx.run("DELETE FROM receipt WHERE turn = ?", answered["id"])
        tx.run("DELETE FROM outbox WHERE id = ?", sent)


def release(tx: Tx, held: Lease, turn: Turn | None = None) -> None:
    """Let the chat go as it is, ready at once; `turn` does not count as attempted."""
    check(tx, held)
    if turn:
        for message in turn.ids:
            tx.run("UPDATE inbox SET attempts = attempts - 1 WHERE id = ?", message)
    _let_go(tx, held, tx.now)
    tx.tell(None)


def release_all(tx: Tx) -> None:
    """Free every lease: the process that opens the store alone knows that nobody holds one."""
    tx.run(
        "UPDATE chat SET is_leased = 0, epoch = epoch + 1, ready_at = ? WHERE is_leased = 1",
        tx.now,
    )


def postpone(tx: Tx, held: Lease, milliseconds: int, failed: Turn | Outgoing | None) -> None:
    """Give the chat up; it becomes ready again later, and not by a new message."""
    check(tx, held)
    if isinstance(failed, Outgoing):
        tx.run("UPDATE outbox SET failures = failures + 1 WHERE id = ?", failed.id)
    elif failed:
        for message in failed.ids:
            tx.run("UPDATE inbox SET failures = failures + 1 WHERE id = ?", message)
    tx.run(
        "UPDATE chat SET ready_at = ?, epoch = epoch + 1 WHERE id = ?",
        tx.now + milliseconds,
        held.chat_id,
    )


def check(tx: Tx, held: Lease) -> Row:
    """Return the chat's row.

    Raises:
        LeaseLostError: The lease is not its newest.
    """
    row = tx.one("SELECT * FROM chat WHERE id = ? AND epoch = ?", held.chat_id, held.epoch)
    if not row:
        raise LeaseLostError("Another worker has taken this chat over.")
    return row


def turn_of(tx: Tx, row: Row, rows: Sequence[Row]) -> Turn:
    """Make a turn of a chat's row and rows of the inbox."""
    transcripts = {i: r["transcript"] for i, r in enumerate(rows) if r["transcript"] is not None}
    posted, _ = _receipts(tx, rows[0]["id"])
    return Turn(
        ids=tuple(r["id"] for r in rows),
        kind=rows[0]["kind"],
        messages=tuple(BODY.validate_json(r["body"]) for r in rows),
        state=ChatState(**{name: row[name] for name in ChatState.__slots__}),
        transcripts=transcripts,
        attempts=rows[0]["attempts"] + 1,
        failures=rows[0]["failures"],
        posted=posted,
    )


def _work(tx: Tx, held: Lease, row: Row) -> Outgoing | Turn | None:
    outgoing = unsent(tx, held)
    if outgoing:
        return outgoing
    rows = tx.all(
        "SELECT * FROM inbox WHERE chat_id = ? AND done_at IS NULL ORDER BY id LIMIT ?",
        held.chat_id,
        MOST_MERGED,
    )
    if rows and rows[-1]["ready_at"] <= tx.now:
        return _take(tx, row, rows)
    _let_go(tx, held, rows[-1]["ready_at"] if rows else None)
    return None


def _take(tx: Tx, row: Row, rows: Sequence[Row]) -> Turn:
    head = rows[0]
    mine = [head]
    if head["kind"] == "message":
        mine = list(takewhile(lambda r: _is_alike(r, head), rows))
    turn = turn_of(tx, row, mine)
    for message in turn.ids:
        tx.run("UPDATE inbox SET attempts = attempts + 1 WHERE id = ?", message)
    stops = tx.all(
        "SELECT body FROM inbox WHERE chat_id = ? AND id > ? AND kind = 'stop' AND done_at IS NULL"
        " ORDER BY id LIMIT ?",
        row["id"],
        turn.ids[-1],
        MOST_MERGED,
    )
    return replace(turn, stops=tuple(BODY.validate_json(r["body"]) for r in stops))


def _is_alike(row: Row, head: Row) -> bool:
    # A turn that is tried again stays as it was: what may be poison takes nothing with it.
    return all(row[name] == head[name] for name in ("kind", "person", "attempts"))


def unsent(tx: Tx, held: Lease, turn: int | None = None) -> Outgoing | None:
    """Return the oldest text that is still to go out, or the one of a turn."""
    row = tx.one(
        "SELECT * FROM outbox WHERE chat_id = ? AND sent_at IS NULL AND failures < ?"
        " AND COALESCE(turn, 0) = COALESCE(?, turn, 0)"
        " ORDER BY id LIMIT 1",
        held.chat_id,
        MOST_FAILURES,
        turn,
    )
    if not row:
        return None
    posted, attached = _receipts(tx, -row["id"] if row["turn"] is None else row["turn"])
    return Outgoing(
        id=row["id"],
        turn=row["turn"],
        chat=held.chat,
        to=row["reply_to"],
        text=row["text"],
        failures=row["failures"],
        posted=posted,
        files=_files(tx, row["id"]),
        attached=attached,
    )


def _receipts(tx: Tx, reply: int) -> tuple[tuple[str, ...], int]:
    """Return the ids of a reply's posted texts, in order, and how many of its files are."""
    rows = tx.all("SELECT part, ref FROM receipt WHERE turn = ? ORDER BY part", reply)
    texts = tuple(r["ref"] for r in rows if r["part"] >= 0)
    return texts, len(rows) - len(texts)


def _files(tx: Tx, outgoing: int) -> tuple[File, ...]:
    rows = tx.all(
        "SELECT name, mime, data FROM outbox_file WHERE outbox_id = ? ORDER BY part", outgoing
    )
    return tuple(File(name=r["name"], mime=r["mime"], data=r["data"]) for r in rows)


def _let_go(tx: Tx, held: Lease, ready_at: int | None) -> None:
    tx.run(
        "UPDATE chat SET ready_at = ?, is_leased = 0, epoch = epoch + 1 WHERE id = ?",
        ready_at,
        held.chat_id,
    )
