"""Transactions that delete what is older than the owner wants to keep, a few rows at a time."""

from collections.abc import Callable, Sequence

from core.store.privacy import ANONYMOUS, nowhere, wipe
from core.store.sums import day_of, local, rename
from core.store.tx import Row, Tx, among
from core.types import MOST_FAILURES

DAY_MS = 24 * 60 * 60 * 1000
SLICE = 200
BUDGETS_MS = 62 * DAY_MS  # nothing is counted in a day or month that is over
# With a message go what was said twice, what was sent, and what buried it.
MESSAGES = SLICE // 5
_Step = Callable[[Tx, int], int]


def expire(tx: Tx, days: int | None) -> int:
    """Delete a slice of what is older; return how many rows it began with, 0 when none is left.

    Args:
        tx: The transaction.
        days: What is older goes; None to keep everything but what was never to be kept, and
            budgets of months that are long over: the ledger knows what was spent in them.
    """
    before = tx.now - days * DAY_MS if days else 0
    steps: tuple[_Step, ...] = (_words, _notices, _summaries, _calls, _sums) if days else ()
    for step in (*steps, _budgets, _stuck):
        if count := step(tx, before):
            tx.wipe()
            return count
    return 0


def _words(tx: Tx, before: int) -> int:
    rows = tx.all(
        "SELECT id, chat_id FROM inbox WHERE done_at IS NOT NULL AND body <> '' AND done_at < ?"
        " ORDER BY done_at, id LIMIT ?",
        before,
        MESSAGES,
    )
    # Chats first, as everywhere: what is answered anew meanwhile is remembered before, or never.
    for chat in sorted({row["chat_id"] for row in rows}):
        tx.do("UPDATE chat SET erased = erased + 1 WHERE id = ?", chat)
    wipe(tx, rows)
    return len(rows)


def _notices(tx: Tx, before: int) -> int:
    return tx.run(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE turn IS NULL"
        " AND (sent_at < ? OR (failures >= ? AND created_at < ?)) LIMIT ?)",
        before,
        MOST_FAILURES,
        before,
        SLICE,
    )


def _summaries(tx: Tx, before: int) -> int:
    """Drop the summaries that were not written anew for so long."""
    return tx.run(
        "UPDATE chat SET summary = '', erased = erased + 1 WHERE id IN"
        " (SELECT id FROM chat WHERE summary <> '' AND summarised_at < ? LIMIT ?)",
        before,
        SLICE,
    )


def _calls(tx: Tx, before: int) -> int:
    """Let costs lose their names."""
    rows = tx.all(
        "SELECT id, chat_id FROM usage WHERE person <> 'anonymous' AND created_at < ?"
        " ORDER BY created_at LIMIT ?",
        before,
        SLICE,
    )
    private = _private(tx, rows)
    for row in rows:
        tx.do(
            "UPDATE usage SET person = ?, turn = NULL, chat_id = ? WHERE id = ?",
            ANONYMOUS,
            nowhere(tx) if row["chat_id"] in private else row["chat_id"],
            row["id"],
        )
    return len(rows)


def _sums(tx: Tx, before: int) -> int:
    """Let the sums of days lose their names."""
    rows = tx.lock(
        "SELECT * FROM usage_day WHERE person <> 'anonymous' AND day < ? ORDER BY day LIMIT ?",
        day_of(before),
        SLICE,
    )
    private = _private(tx, rows)
    for row in rows:
        chat = nowhere(tx) if row["chat_id"] in private else row["chat_id"]
        rename(tx, row, person=ANONYMOUS, chat=chat)
    return len(rows)


def _private(tx: Tx, rows: Sequence[Row]) -> set[int]:
    """Return which chats of some rows name somebody by being theirs alone."""
    if not rows:
        return set()
    some, values = among([*{row["chat_id"] for row in rows}])
    found = tx.all(f"SELECT id FROM chat WHERE is_private = 1 AND id IN ({some})", *values)
    return {row["id"] for row in found}


def _budgets(tx: Tx, before: int) -> int:
    """Delete what was spent in days and months that are long over, by whomever and wherever."""
    month = f"{local(max(before, tx.now - BUDGETS_MS)):%Y-%m}"
    return tx.run(
        "DELETE FROM budget WHERE (scope, subject, period) IN"
        " (SELECT scope, subject, period FROM budget WHERE period < ? LIMIT ?)",
        month,
        SLICE,
    )


def _stuck(tx: Tx, _: int) -> int:
    """Delete answers that could not be sent and are to leave no trace."""
    return tx.run(
        "DELETE FROM outbox WHERE id IN (SELECT outbox.id FROM outbox"
        " JOIN inbox ON inbox.id = outbox.turn WHERE sent_at IS NULL AND outbox.failures >= ?"
        " AND body = '' LIMIT ?)",
        MOST_FAILURES,
        SLICE,
    )
