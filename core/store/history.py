"""Transactions of memory: what a chat remembers, what it has chosen, what models taught us."""

from core.store.inbox import read
from core.store.outbox import OF_TURN
from core.store.queue import check, turn_of
from core.store.spending import settle
from core.store.sums import spend
from core.store.tx import Tx
from core.types import Lease, Message, Turn, Usage

MOST_TURNS = 2**63 - 1  # no turn has a higher number


def window(
    tx: Tx, chat: int, *, start: int, tokens: int | None, before: int | None
) -> list[Message]:
    """Return the newest messages after `start` that fit into `tokens`, oldest first.

    Messages of the turn `before` and of later ones are left out.

    Reads as many rows as it returns, however long the history: `total` is the running sum,
    and its unique index is walked from the newest message back.
    """
    floor = "?" if tokens is None else "CASE WHEN total - ? > ? THEN total - ? ELSE ? END"
    rows = tx.all(
        "SELECT role, name, content, tokens, total"
        f" FROM (SELECT id, {floor} AS floor FROM chat WHERE id = ?) AS chat"
        " JOIN message ON chat_id = chat.id AND total > floor AND total - tokens >= floor"
        " WHERE turn < ? ORDER BY total",
        *((start,) if tokens is None else (tokens, start, tokens, start)),
        chat,
        MOST_TURNS if before is None else before,
    )
    return [
        Message(
            role=r["role"],
            name=r["name"],
            content=r["content"],
            tokens=r["tokens"],
            total=r["total"],
        )
        for r in rows
    ]


def compact(
    tx: Tx,
    chat: int,
    *,
    old: int,
    new: int,
    summary: str,
    usage: tuple[Usage, ...],
    hold: str,
    erased: int,
) -> bool:
    """Let memory start at `new` with `summary`.

    Not if its start has moved from `old`, nor if the message that ended at `new` was replaced, nor
    if anything was deleted of what the summary was made from.
    """
    # Its row before the sums and budgets, as where a turn ends, and it is changed below: of two
    # that lock the same in another order, each would wait for the other.
    tx.lock("SELECT id FROM chat WHERE id = ?", chat)
    spend(tx, chat, "", usage, None)
    settle(tx, hold, usage)
    return bool(
        tx.run(
            "UPDATE chat SET start = ?, summary = ?, summarised_at = ? WHERE id = ? AND start = ?"
            " AND erased = ? AND EXISTS (SELECT 1 FROM message WHERE chat_id = ? AND total = ?)",
            new,
            summary,
            tx.now,
            chat,
            old,
            erased,
            chat,
            new,
        )
    )


def forget(tx: Tx, held: Lease) -> None:
    """Start afresh: memory begins after everything so far; the store keeps it."""
    check(tx, held)
    tx.do("UPDATE chat SET start = total, summary = '' WHERE id = ?", held.chat_id)


def choose(
    tx: Tx, held: Lease, *, model: str | None, persona: str | None, is_off_record: bool | None
) -> None:
    """Set the chat's model or persona, or whether what is said is kept; None leaves it."""
    check(tx, held)
    tx.do(
        "UPDATE chat SET model = COALESCE(?, model), persona = COALESCE(?, persona),"
        " is_off_record = COALESCE(?, is_off_record) WHERE id = ?",
        model,
        persona,
        None if is_off_record is None else int(is_off_record),
        held.chat_id,
    )


def last_turn(tx: Tx, held: Lease) -> Turn | None:
    """Return the chat's last turn that was no command."""
    row = check(tx, held)
    last = tx.one(
        "SELECT turn FROM inbox WHERE chat_id = ? AND turn IS NOT NULL"
        " AND kind IN ('message', 'question') AND body <> ''"
        " ORDER BY turn DESC LIMIT 1",
        held.chat_id,
    )
    if not last:
        return None
    rows = tx.all(
        f"SELECT inbox.*, {OF_TURN} FROM inbox WHERE chat_id = ? AND turn = ?"
        " AND body <> '' ORDER BY id",
        held.chat_id,
        last["turn"],
    )
    found, _ = read(rows)
    return turn_of(tx, row, found) if found else None


def calibrations(tx: Tx) -> dict[str, float]:
    """Return what was learned about each model's tokens: its own per reference token."""
    rows = tx.all("SELECT model, millionths FROM calibration")
    return {r["model"]: r["millionths"] / 1_000_000 for r in rows}


def calibrate(tx: Tx, model: str, factor: float) -> None:
    """Keep what was learned about a model's tokens."""
    tx.do(
        "INSERT INTO calibration (model, millionths) VALUES (?, ?)"
        " ON CONFLICT (model) DO UPDATE SET millionths = excluded.millionths",
        model,
        round(factor * 1_000_000),
    )
