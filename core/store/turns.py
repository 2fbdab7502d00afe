"""Transactions of a turn's end: history, ledger, receipts, and what goes out."""

from core.store.privacy import ANONYMOUS, erase, hush
from core.store.queue import check, unsent
from core.store.spending import settle, spend
from core.store.tx import Row, Tx
from core.types import Lease, Notice, Outcome, Outgoing, Transcript, Turn


def finish(tx: Tx, held: Lease, turn: Turn, outcome: Outcome) -> Outgoing | None:
    """Commit what a turn ended in: history, usage, outbox, inbox."""
    row = check(tx, held)
    is_settled = settle(tx, turn.hold, outcome.usage)
    if _is_done(tx, turn):
        if is_settled:
            spend(tx, held.chat_id, ANONYMOUS, outcome.usage, None)
        return unsent(tx, held, turn.id)
    _remember(tx, row, turn, outcome)
    spend(tx, held.chat_id, turn.person.id, outcome.usage, turn.id)
    for message in turn.ids:
        if outcome.buried:
            tx.run(
                "INSERT INTO dead (inbox_id, chat_id, body, reason, died_at)"
                " SELECT id, chat_id, body, ?, ? FROM inbox WHERE id = ?",
                outcome.buried,
                tx.now,
                message,
            )
        tx.run("UPDATE inbox SET done_at = ?, turn = ? WHERE id = ?", tx.now, turn.id, message)
    for notice in outcome.notices:
        _notify(tx, notice)
    if outcome.forgets:
        erase(tx, turn.person.id)
    elif row["is_off_record"]:
        for message in turn.ids:
            hush(tx, message)
    if not (outcome.text or outcome.files):
        return None
    _send(tx, held.chat_id, outcome, turn=turn)
    # Not the oldest unsent text: a notice may have come meanwhile, and only this one belongs
    # in the place of the preview.
    return unsent(tx, held, turn.id)


def heard(
    tx: Tx, held: Lease, turn: Turn, index: int, *, transcript: Transcript, hold: str
) -> None:
    """Keep a transcript and its cost before the turn goes on."""
    check(tx, held)
    settle(tx, hold, transcript.usage)
    if _is_done(tx, turn):
        spend(tx, held.chat_id, ANONYMOUS, transcript.usage, None)
    elif tx.run(
        "UPDATE inbox SET transcript = ? WHERE id = ? AND transcript IS NULL",
        transcript.text,
        turn.ids[index],
    ):  # or else it was committed before, only that nobody heard of it
        spend(tx, held.chat_id, turn.person.id, transcript.usage, turn.id)


def _is_done(tx: Tx, turn: Turn) -> bool:
    """Say whether a turn is done: committed, only that nobody heard of it, or forgotten.

    Somebody may have had everything of theirs deleted, elsewhere, while it was at work.
    """
    return not tx.one("SELECT 1 FROM inbox WHERE id = ? AND done_at IS NULL", turn.id)


def posted(tx: Tx, reply: int, part: int, ref: str) -> None:
    """Keep the platform's id of a posted part; see `core.reply.Reply` for its number."""
    tx.run(
        "INSERT INTO receipt (turn, part, ref) VALUES (?, ?, ?)"
        " ON CONFLICT (turn, part) DO UPDATE SET ref = excluded.ref",
        reply,
        part,
        ref,
    )


def _remember(tx: Tx, row: Row, turn: Turn, outcome: Outcome) -> None:
    total = row["total"]
    answered = turn.id if outcome.replaces is None else outcome.replaces
    if tx.run("DELETE FROM message WHERE chat_id = ? AND turn = ?", row["id"], answered):
        # It was the newest turn; what is gone does not go on to fill the window.
        [last] = tx.all("SELECT MAX(total) AS total FROM message WHERE chat_id = ?", row["id"])
        total = max(row["start"], last["total"] or 0)
    for message in outcome.history:
        total += message.tokens
        tx.run(
            "INSERT INTO message (chat_id, turn, role, name, content, tokens, total, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row["id"],
            answered,
            message.role,
            message.name,
            message.content,
            message.tokens,
            total,
            tx.now,
        )
    if total != row["total"]:
        tx.run("UPDATE chat SET total = ? WHERE id = ?", total, row["id"])


def _notify(tx: Tx, notice: Notice) -> None:
    row = tx.one("SELECT private_chat FROM person WHERE id = ?", notice.person)
    if not row or row["private_chat"] is None:
        return
    chat = row["private_chat"]
    _send(tx, chat, notice)
    tx.run("UPDATE chat SET ready_at = COALESCE(ready_at, ?) WHERE id = ?", tx.now, chat)
    tx.tell(None)


def _send(tx: Tx, chat: int, said: Outcome | Notice, *, turn: Turn | None = None) -> None:
    """Put a text with its files into the outbox, as the answer to a turn if there is one."""
    [row] = tx.all(
        "INSERT INTO outbox (chat_id, turn, reply_to, text, created_at) VALUES (?, ?, ?, ?, ?)"
        " RETURNING id",
        chat,
        turn.id if turn else None,
        turn.messages[-1].message if turn else None,
        said.text,
        tx.now,
    )
    for part, file in enumerate(said.files):
        tx.run(
            "INSERT INTO outbox_file (outbox_id, part, name, mime, data) VALUES (?, ?, ?, ?, ?)",
            row["id"],
            part,
            file.name,
            file.mime,
            file.data,
        )
