"""Transactions of the queue: chats leased, work handed out.

Plain functions of a transaction; see `core.protocols.Store` for what each promises.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from core.errors import LeaseLostError
from core.store.inbox import bury, chat_of, hush, read
from core.store.outbox import OF_TURN, note_sent, receipts, unsent, waiting
from core.store.tx import Row, Tx, among
from core.types import (
    MOST_FAILURES,
    ChatState,
    Incoming,
    Lease,
    Outgoing,
    Turn,
)

LEASE_MS = 15_000
LONGEST_WAIT_MS = 5_000  # also what another process told may be missed
LOCKED_MS = 20  # longer than most transactions take
MOST_MERGED = 50
# In place of is_leased: nobody holds the chat, but no message makes it ready sooner.
POSTPONED = 2
UNREADABLE = "I cannot read this message any more. Please send it again; my owner knows about it."

# What waits in an inbox, as much as may be answered at once.
_UNDONE = (
    f"SELECT inbox.*, {OF_TURN} FROM inbox WHERE chat_id = ? AND done_at IS NULL"
    " ORDER BY id LIMIT ?"
)

# Ids of a chat and of a message in it that could not be read.
Buried = tuple[int, int]


def lease(
    tx: Tx, platforms: Sequence[str], limit: int
) -> tuple[list[tuple[Lease, Outgoing | Turn]], float, list[Buried]]:
    """Lease the chats that have waited longest; say when the next becomes ready, in seconds.

    What cannot be read is buried, and told of last.
    """
    taken: list[tuple[Lease, Outgoing | Turn]] = []
    buried: list[Buried] = []
    soonest = tx.now + LONGEST_WAIT_MS
    for platform in platforms:
        ready_at = _first_ready(tx, platform)
        if ready_at <= tx.now:
            most = limit - len(taken)
            rows = tx.lock(
                "SELECT * FROM chat WHERE platform = ? AND ready_at <= ?"
                " ORDER BY ready_at LIMIT ?",
                platform,
                tx.now,
                most,
                skip=True,
            )
            taken += _take(tx, rows, buried) if rows else ()
            ready_at = _first_ready(tx, platform)
            if ready_at <= tx.now and len(rows) < most:  # another transaction had it locked
                ready_at = tx.now + LOCKED_MS
        soonest = min(soonest, ready_at)
    return taken, max(0, soonest - tx.now) / 1000, buried


def _first_ready(tx: Tx, platform: str) -> int:
    """Return when a chat becomes ready; a query alone, which costs less than a transaction."""
    [first] = tx.all(
        "SELECT MIN(ready_at) AS at FROM chat WHERE platform = ? AND ready_at IS NOT NULL",
        platform,
    )
    at: int = tx.now + LONGEST_WAIT_MS if first["at"] is None else first["at"]
    return at


def _take(
    tx: Tx, rows: Sequence[Row], buried: list[Buried]
) -> list[tuple[Lease, Outgoing | Turn]]:
    """Lease chats, and return those in which something is to be done, with that."""
    chats = [row["id"] for row in rows]
    some, values = among(chats)
    tx.do(
        f"UPDATE chat SET ready_at = ?, is_leased = 1, epoch = epoch + 1 WHERE id IN ({some})",
        tx.now + LEASE_MS,
        *values,
    )
    full = waiting(tx, chats)
    inboxes = tx.each(_UNDONE, [(chat, MOST_MERGED) for chat in chats], locks=True)
    taken: list[tuple[Lease, Outgoing | Turn]] = []
    for row, undone in zip(rows, inboxes, strict=True):
        held = Lease(chat_id=row["id"], chat=chat_of(row), epoch=row["epoch"] + 1)
        outgoing = unsent(tx, held) if held.chat_id in full else None
        work = outgoing or _next_turn(tx, held, row, undone, buried)
        if work:
            taken.append((held, work))
    _attempt(tx, [number for _, work in taken if isinstance(work, Turn) for number in work.ids])
    return taken


def renew(tx: Tx, leases: Sequence[Lease]) -> set[int]:
    """Extend leases; return the chats whose lease is lost.

    A renewal that was held up after it had begun takes nothing back of what a later one extended.
    Their rows are locked in the order in which groups of jobs lock them.
    """
    until = tx.now + LEASE_MS
    held = sorted(leases, key=lambda lease: (lease.chat.platform, lease.chat.ref))
    renewed = tx.each(
        "UPDATE chat SET ready_at = CASE WHEN ready_at < ? THEN ? ELSE ready_at END"
        " WHERE id = ? AND epoch = ? RETURNING id",
        [(until, until, lease.chat_id, lease.epoch) for lease in held],
    )
    return {lease.chat_id for lease, found in zip(held, renewed, strict=True) if not found}


def advance(
    tx: Tx, held: Lease, sent: int | None = None
) -> tuple[Outgoing | Turn | None, list[Buried]]:
    """Mark a text as sent; return the next piece of work, or let the chat go.

    What cannot be read is buried, and told of last.
    """
    buried: list[Buried] = []
    row = check(tx, held)
    if sent is not None:
        note_sent(tx, sent)
    if row["is_off_record"]:
        tx.wipe()
    if _let_go_if_idle(tx, held):
        return None, buried
    work: Outgoing | Turn | None = unsent(tx, held)
    if not work:
        undone = tx.lock(_UNDONE, held.chat_id, MOST_MERGED)
        work = _next_turn(tx, held, row, undone, buried)
    if isinstance(work, Turn):
        _attempt(tx, work.ids)
    return work, buried


def _let_go_if_idle(tx: Tx, held: Lease) -> bool:
    """Let a chat go if nothing waits in it; return whether that was so.

    Its row is locked before: a statement that waits for that does not see what came meanwhile.
    """
    return bool(
        tx.run(
            "UPDATE chat SET ready_at = NULL, is_leased = 0, epoch = epoch + 1 WHERE id = ?"
            " AND NOT EXISTS (SELECT 1 FROM outbox WHERE chat_id = chat.id AND sent_at IS NULL"
            " AND outbox.failures < ?)"
            " AND NOT EXISTS (SELECT 1 FROM inbox WHERE chat_id = chat.id AND done_at IS NULL)",
            held.chat_id,
            MOST_FAILURES,
        )
    )


def release(tx: Tx, held: Lease, turn: Turn | None = None) -> None:
    """Let the chat go as it is, ready at once; `turn` does not count as attempted."""
    check(tx, held)
    if turn:
        for message in turn.ids:
            tx.do("UPDATE inbox SET attempts = attempts - 1 WHERE id = ?", message)
    _let_go(tx, held, tx.now)


def release_all(tx: Tx) -> None:
    """Free every lease: the process that opens the store alone knows that nobody holds one.

    A chat that was postponed waits on: a platform that asked for it counts the seconds, too.
    """
    tx.do(
        "UPDATE chat SET is_leased = 0, epoch = epoch + 1, ready_at = ? WHERE is_leased = 1",
        tx.now,
    )


def postpone(tx: Tx, held: Lease, milliseconds: int, failed: Turn | Outgoing | None) -> None:
    """Give the chat up; it becomes ready again later, and not by a new message."""
    check(tx, held)
    if isinstance(failed, Outgoing):
        tx.do("UPDATE outbox SET failures = failures + 1 WHERE id = ?", failed.id)
    elif failed:
        for message in failed.ids:
            tx.do("UPDATE inbox SET failures = failures + 1 WHERE id = ?", message)
    tx.do(
        "UPDATE chat SET ready_at = ?, is_leased = ?, epoch = epoch + 1 WHERE id = ?",
        tx.now + milliseconds,
        POSTPONED,
        held.chat_id,
    )
    tx.tell(None)


def check(tx: Tx, held: Lease, *, more: int = 0) -> Row:
    """Return the chat's row, and keep it from changing.

    Args:
        tx: The transaction.
        held: Its lease.
        more: Tokens by which its history is longer now.

    Raises:
        LeaseLostError: The lease is not its newest.
    """
    if more:
        found = tx.all(
            "UPDATE chat SET total = total + ? WHERE id = ? AND epoch = ? RETURNING *",
            *(more, held.chat_id, held.epoch),
        )
    else:
        found = tx.lock("SELECT * FROM chat WHERE id = ? AND epoch = ?", held.chat_id, held.epoch)
    if not found:
        raise LeaseLostError("Another worker has taken this chat over.")
    return found[0]


def turn_of(tx: Tx, row: Row, found: Sequence[tuple[Row, Incoming]]) -> Turn:
    """Make a turn of a chat's row, and of rows of the inbox with what they say."""
    rows = [r for r, _ in found]
    transcripts = {i: r["transcript"] for i, r in enumerate(rows) if r["transcript"] is not None}
    posted, _ = receipts(tx, rows[0]["id"]) if rows[0]["is_begun"] else ((), 0)
    return Turn(
        ids=tuple(r["id"] for r in rows),
        kind=rows[0]["kind"],
        messages=tuple(incoming for _, incoming in found),
        state=ChatState(**{name: row[name] for name in ChatState.__slots__}),
        transcripts=transcripts,
        attempts=rows[0]["attempts"] + 1,
        failures=rows[0]["failures"],
        posted=posted,
        status=rows[0]["status"] or "",
    )


def _attempt(tx: Tx, messages: Sequence[int]) -> None:
    """Count an attempt to answer some messages."""
    if messages:
        some, values = among(messages)
        tx.do(f"UPDATE inbox SET attempts = attempts + 1 WHERE id IN ({some})", *values)


def _next_turn(
    tx: Tx, held: Lease, row: Row, rows: Sequence[Row], buried: list[Buried]
) -> Outgoing | Turn | None:
    """Return what is to be answered next, or told of it; let the chat go if there is nothing."""
    if not rows:
        _let_go(tx, held, None)
        return None
    if len(rows) < MOST_MERGED and rows[-1]["ready_at"] > tx.now:
        _let_go(tx, held, rows[-1]["ready_at"])
        return None
    mine = _first(rows)
    stops = _stops(tx, held, rows, rows[len(mine) :])
    found, lost = read([*mine, *stops])
    for message in lost:
        _bury(tx, row, message)
        buried.append((held.chat_id, message["id"]))
    if lost:
        return unsent(tx, held)
    said = [incoming for _, incoming in found[len(mine) :]]
    waited = max(0, tx.now - mine[0]["ready_at"]) / 1000
    return replace(turn_of(tx, row, found[: len(mine)]), stops=tuple(said), waited=waited)


def _stops(tx: Tx, held: Lease, rows: Sequence[Row], later: Sequence[Row]) -> Sequence[Row]:
    """Return the /stops behind what is answered next; `later` are those of `rows` behind it."""
    if len(rows) < MOST_MERGED:
        return [row for row in later if row["kind"] == "stop"]
    return tx.all(
        "SELECT * FROM inbox WHERE chat_id = ? AND id >= ? AND kind = 'stop' AND done_at IS NULL"
        " ORDER BY id LIMIT ?",
        held.chat_id,
        rows[-1]["id"] + 1 if not later else later[0]["id"],
        MOST_MERGED,
    )


def _first(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of what is to be answered next, at once."""
    head = rows[0]
    if head["kind"] != "message":
        return [head]
    return list(takewhile(lambda row: _is_alike(row, head), rows))


def _is_alike(row: Row, head: Row) -> bool:
    # A turn that is tried again stays as it was: what may be poison takes nothing with it.
    return all(row[name] == head[name] for name in ("kind", "person", "attempts"))


def _bury(tx: Tx, chat: Row, message: Row) -> None:
    """Give up a message that cannot be read, and say so to whoever wrote it."""
    tx.do(
        "INSERT INTO outbox (chat_id, turn, reply_to, text, created_at) VALUES (?, ?, ?, ?, ?)",
        *(chat["id"], message["id"], message["message"] or None, UNREADABLE, tx.now),
    )
    if chat["is_off_record"]:
        return hush(tx, message["id"])
    bury(tx, message["id"], "it could not be read")
    tx.do("UPDATE inbox SET done_at = ?, turn = id WHERE id = ?", tx.now, message["id"])
    return None


def _let_go(tx: Tx, held: Lease, ready_at: int | None) -> None:
    if ready_at is not None:
        tx.tell(None)
    tx.do(
        "UPDATE chat SET ready_at = ?, is_leased = 0, epoch = epoch + 1 WHERE id = ?",
        ready_at,
        held.chat_id,
    )
