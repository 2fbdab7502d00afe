"""Transactions of a turn's end: history, ledger, receipts, and what goes out."""

from core.protocols import Calls
from core.store.inbox import bury, hush
from core.store.outbox import answer, notify, unsent
from core.store.privacy import ANONYMOUS, erase
from core.store.queue import check, release
from core.store.spending import grant, settle
from core.store.sums import spend
from core.store.tx import Row, Tx, marks
from core.types import Lease, Notice, Outcome, Outgoing, Transcript, Turn


def finish(tx: Tx, held: Lease, turn: Turn, outcome: Outcome) -> Outgoing | None:
    """Commit what a turn ended in: history, usage, outbox, inbox."""
    more = sum(message.tokens for message in outcome.history)
    row = check(tx, held, more=more)
    if not _close(tx, turn):
        check(tx, held, more=-more)
        if settle(tx, turn.hold, outcome.usage):
            spend(tx, held.chat_id, ANONYMOUS, outcome.usage, None)
        return unsent(tx, held, turn.id)
    _remember(tx, row, turn, outcome, total=row["total"] - more)
    if outcome.buried:
        for message in turn.ids:
            bury(tx, message, outcome.buried)
    for notice in outcome.notices:
        _notify(tx, notice)
    if outcome.forgets:
        erase(tx, turn.person.id)
    elif row["is_off_record"]:
        for message in turn.ids:
            hush(tx, message)
    outgoing = answer(tx, held, turn, outcome) if outcome.text or outcome.files else None
    # Last, since it is what all chats share: others wait for it until this is committed.
    for granted in outcome.grants:
        grant(tx, granted)
    person, entered = (ANONYMOUS, None) if outcome.forgets else (turn.person.id, turn.id)
    spend(tx, held.chat_id, person, outcome.usage, entered)
    settle(tx, turn.hold, outcome.usage)
    return outgoing


def is_its_own(outcome: Outcome) -> bool:
    """Return whether it changes nothing of other chats and people but sums that it adds to."""
    return not (outcome.notices or outcome.grants or outcome.forgets or outcome.buried)


def _close(tx: Tx, turn: Turn) -> bool:
    """Mark a turn's messages as done; False if they are.

    Then this was committed before, only that nobody heard of it; or somebody had everything of
    theirs deleted, elsewhere, while it was at work.
    """
    done = "UPDATE inbox SET done_at = ?, turn = ? WHERE id = ? AND done_at IS NULL"
    return sum(tx.run(done, tx.now, turn.id, message) for message in turn.ids) > 0


def break_off(tx: Tx, held: Lease, turn: Turn | None, spent: Calls) -> None:
    """Let the chat go as it is; what its turn has spent so far is entered."""
    release(tx, held, turn)
    if turn and spent:
        settle(tx, turn.hold, spent)
        person, entered = (turn.person.id, turn.id) if _is_kept(tx, turn.id) else (ANONYMOUS, None)
        spend(tx, held.chat_id, person, spent, entered)


def heard(
    tx: Tx, held: Lease, turn: Turn, index: int, *, transcript: Transcript, hold: str
) -> None:
    """Keep a transcript and its cost before the turn goes on."""
    check(tx, held)
    settle(tx, hold, transcript.usage)
    if not _is_kept(tx, turn.id):
        spend(tx, held.chat_id, ANONYMOUS, transcript.usage, None)
    elif tx.run(
        "UPDATE inbox SET transcript = ? WHERE id = ? AND transcript IS NULL",
        transcript.text,
        turn.ids[index],
    ):  # or else it was committed before, only that nobody heard of it
        spend(tx, held.chat_id, turn.person.id, transcript.usage, turn.id)


def posted(tx: Tx, reply: int, part: int, ref: str) -> None:
    """Keep the platform's id of a posted part; see `core.reply.Reply` for its number."""
    tx.do(
        "INSERT INTO receipt (turn, part, ref) VALUES (?, ?, ?)"
        " ON CONFLICT (turn, part) DO UPDATE SET ref = excluded.ref",
        reply,
        part,
        ref,
    )


def _remember(tx: Tx, row: Row, turn: Turn, outcome: Outcome, *, total: int) -> None:
    """Add to the history what was said behind its first `total` tokens."""
    answered = turn.id if outcome.replaces is None else outcome.replaces
    history = outcome.history
    if outcome.replaces is not None:
        if not _is_kept(tx, answered):
            history = ()
        if tx.run("DELETE FROM message WHERE chat_id = ? AND turn = ?", row["id"], answered):
            # It was the newest turn; what is gone does not go on to fill the window.
            [last] = tx.all("SELECT MAX(total) AS total FROM message WHERE chat_id = ?", row["id"])
            total = max(row["start"], last["total"] or 0)
    rows: list[object] = []
    for message in history:
        total += message.tokens
        words = (message.role, message.name, message.content)
        rows += [row["id"], answered, *words, message.tokens, total, tx.now]
    if rows:
        tx.do(
            "INSERT INTO message (chat_id, turn, role, name, content, tokens, total, created_at)"
            f" VALUES {marks(8, len(history))}",
            *rows,
        )
    if total != row["total"]:
        tx.do("UPDATE chat SET total = ? WHERE id = ?", total, row["id"])


def _is_kept(tx: Tx, turn: int) -> bool:
    """Say whether a turn is still somebody's, who did not have everything of theirs deleted."""
    return bool(tx.one("SELECT 1 FROM inbox WHERE id = ? AND body <> ''", turn))


def _notify(tx: Tx, notice: Notice) -> None:
    row = tx.one("SELECT private_chat FROM person WHERE id = ?", notice.person)
    if not row or row["private_chat"] is None:
        return
    chat = row["private_chat"]
    notify(tx, chat, notice)
    tx.do("UPDATE chat SET ready_at = COALESCE(ready_at, ?) WHERE id = ?", tx.now, chat)
    tx.tell(None)
