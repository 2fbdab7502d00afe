"""Transactions of the queue: messages in, chats leased, work handed out.

Plain functions of a transaction; see `core.protocols.Store` for what each promises.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import takewhile

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from core.errors import LeaseLostError
from core.store.tx import Row, Tx
from core.types import (
    MOST_FAILURES,
    Chat,
    ChatState,
    File,
    Incoming,
    Kind,
    Lease,
    Outgoing,
    Seen,
    Turn,
)

LEASE_MS = 30_000
LONGEST_WAIT_MS = 60_000
MERGE_MS = 20  # messages of one poll, stored one after the other, are one turn
PARTIAL_MS = 1_000  # the rest of a split paste follows within a second; no wait is prolonged more
MOST_MERGED = 50

_BODY = TypeAdapter(Incoming)


def put(tx: Tx, incoming: Incoming, kind: Kind) -> bool:
    """Store a message unless its event is known; make its chat ready when it is idle."""
    row = _chat(tx, incoming)
    chat = row["id"]
    ready_at = tx.now + (
        PARTIAL_MS if incoming.is_partial else MERGE_MS if kind == "message" else 0
    )
    if not row["is_leased"]:
        ready_at = min(ready_at, _patience(tx, chat, default=ready_at))
    stored = tx.run(
        "INSERT INTO inbox (platform, event, chat_id, person, kind, message, body, ready_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        incoming.chat.platform,
        incoming.event,
        chat,
        incoming.person.id,
        kind,
        incoming.message,
        _body(incoming),
        ready_at,
    )
    if stored:
        _ready(tx, chat, ready_at)
        _meet(tx, incoming, chat)
    return bool(stored)


def amend(tx: Tx, incoming: Incoming, kind: Kind) -> bool:
    """Let an edited message stand in its own place; it keeps its event."""
    row = _untouched(tx, incoming.chat, incoming.message)
    if row is None:
        return False
    event = _BODY.validate_json(row["body"]).event
    body = _body(replace(incoming, event=event))
    return bool(tx.run("UPDATE inbox SET body = ?, kind = ? WHERE id = ?", body, kind, row["id"]))


def withdraw(tx: Tx, chat: Chat, message: str) -> bool:
    """Drop a message; one that is done stays, so that its event stays known."""
    row = _untouched(tx, chat, message)
    return bool(row and tx.run("DELETE FROM inbox WHERE id = ?", row["id"]))


def _untouched(tx: Tx, chat: Chat, message: str) -> Row | None:
    return tx.one(
        "SELECT inbox.id, body FROM chat JOIN inbox ON inbox.chat_id = chat.id"
        " WHERE chat.platform = ? AND ref = ? AND message = ? AND done_at IS NULL"
        " AND attempts = 0",
        chat.platform,
        chat.ref,
        message,
    )


def move(tx: Tx, incoming: Incoming) -> bool:
    """Let a message wait in another chat, known by its event; nobody waits for more there."""
    chat = _chat(tx, incoming)["id"]
    if not tx.run(
        "UPDATE inbox SET chat_id = ?, message = ?, body = ?, ready_at = ? WHERE platform = ?"
        " AND event = ? AND done_at IS NULL AND attempts = 0",
        chat,
        incoming.message,
        _body(incoming),
        tx.now,
        incoming.chat.platform,
        incoming.event,
    ):
        return False
    _ready(tx, chat, tx.now)
    return True


def stop(tx: Tx, chat: Chat) -> None:
    """Let whoever works on a chat know that its turn is to end."""
    tx.tell((chat.platform, chat.ref))


def seen(tx: Tx, platform: str) -> list[Seen]:
    """Return every chat with the time of its newest message, the newest first."""
    waiting: dict[int, list[str]] = defaultdict(list)
    for row in tx.all(
        "SELECT chat_id, message FROM inbox WHERE done_at IS NULL AND attempts = 0"
        " AND platform = ? ORDER BY chat_id, id",
        platform,
    ):
        waiting[row["chat_id"]].append(row["message"])
    rows = tx.all("SELECT * FROM chat WHERE platform = ? ORDER BY seen_at DESC", platform)
    return [
        Seen(chat=_chat_of(row), sent_at=row["seen_at"], waiting=tuple(waiting[row["id"]]))
        for row in rows
    ]


def _body(incoming: Incoming) -> str:
    try:
        return _BODY.dump_json(incoming).decode()
    except PydanticSerializationError:  # a lone surrogate; the transaction replaces it
        return json.dumps(asdict(incoming), ensure_ascii=False)


def _ready(tx: Tx, chat: int, at: int) -> None:
    if tx.run("UPDATE chat SET ready_at = ? WHERE id = ? AND is_leased = 0", at, chat):
        tx.tell(None)


def _patience(tx: Tx, chat: int, *, default: int) -> int:
    """Return until when what waits in an idle chat may be kept waiting for more."""
    first = tx.one(
        "SELECT ready_at FROM inbox WHERE chat_id = ? AND done_at IS NULL ORDER BY id LIMIT 1",
        chat,
    )
    return first["ready_at"] + PARTIAL_MS if first else default


def _chat(tx: Tx, incoming: Incoming) -> Row:
    # An upsert, so that the row is locked before the inbox is written: the next worker's last
    # look then either sees the message or comes before it is stored.
    chat = incoming.chat
    [row] = tx.all(
        "INSERT INTO chat (platform, ref, is_private, title, seen_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (platform, ref) DO UPDATE SET title = excluded.title,"
        " seen_at = CASE WHEN excluded.seen_at > chat.seen_at AND ? = 0"
        " THEN excluded.seen_at ELSE chat.seen_at END"
        " RETURNING id, is_leased",
        chat.platform,
        chat.ref,
        int(chat.is_private),
        chat.title,
        incoming.sent_at,
        int(incoming.is_alone),
    )
    return row


def _meet(tx: Tx, incoming: Incoming, chat: int) -> None:
    tx.run(
        "INSERT INTO person (id, name, private_chat) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET name = excluded.name,"
        " private_chat = COALESCE(excluded.private_chat, person.private_chat)",
        incoming.person.id,
        incoming.person.name,
        chat if incoming.chat.is_private else None,
    )


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
    return Lease(chat_id=row["id"], chat=_chat_of(row), epoch=epoch)


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
        messages=tuple(_BODY.validate_json(r["body"]) for r in rows),
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
    stops = [r["body"] for r in rows[len(mine) :] if r["kind"] == "stop"]
    return replace(turn, stops=tuple(map(_BODY.validate_json, stops)))


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


def _chat_of(row: Row) -> Chat:
    return Chat(
        platform=row["platform"],
        ref=row["ref"],
        is_private=bool(row["is_private"]),
        title=row["title"],
    )
