"""Transactions of the inbox: messages in, changed, withdrawn, moved, and how far they were read.

Plain functions of a transaction; see `core.protocols.Store` for what each promises.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, replace

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from core.store.tx import Row, Tx
from core.types import Chat, Incoming, Kind, Seen

PARTIAL_MS = 1_000  # the rest of a split paste follows within a second; no wait is prolonged more

BODY = TypeAdapter(Incoming)


def put(tx: Tx, incoming: Incoming, kind: Kind) -> bool:
    """Store a message unless its event is known; make its chat ready when it is idle."""
    soon = tx.now + (PARTIAL_MS if incoming.is_partial else 0)
    row = _chat(tx, incoming, soon)
    stored = tx.run(
        "INSERT INTO inbox (platform, event, chat_id, person, kind, message, body, ready_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        incoming.chat.platform,
        incoming.event,
        row["id"],
        incoming.person.id,
        kind,
        incoming.message,
        _body(incoming),
        soon if row["is_leased"] else row["ready_at"],
    )
    if stored:
        if not row["is_leased"]:
            tx.tell(None)
        _meet(tx, incoming, row)
    return bool(stored)


def amend(tx: Tx, incoming: Incoming, kind: Kind) -> bool:
    """Let an edited message stand in its own place; it keeps its event."""
    row = _untouched(tx, incoming.chat, incoming.message)
    if row is None:
        return False
    body = _body(replace(incoming, event=row["event"]))
    return bool(tx.run("UPDATE inbox SET body = ?, kind = ? WHERE id = ?", body, kind, row["id"]))


def withdraw(tx: Tx, chat: Chat, message: str) -> bool:
    """Drop a message; one that is done stays, so that its event stays known."""
    row = _untouched(tx, chat, message)
    return bool(row and tx.run("DELETE FROM inbox WHERE id = ?", row["id"]))


def _untouched(tx: Tx, chat: Chat, message: str) -> Row | None:
    found = tx.lock(
        "SELECT inbox.id, event FROM chat JOIN inbox ON inbox.chat_id = chat.id"
        " WHERE chat.platform = ? AND ref = ? AND message = ? AND done_at IS NULL"
        " AND attempts = 0",
        chat.platform,
        chat.ref,
        message,
    )
    return found[0] if found else None


def move(tx: Tx, incoming: Incoming) -> bool:
    """Let a message wait in another chat, known by its event; nobody waits for more there."""
    row = _chat(tx, incoming)
    if not tx.run(
        "UPDATE inbox SET chat_id = ?, message = ?, body = ?, ready_at = ? WHERE platform = ?"
        " AND event = ? AND done_at IS NULL AND attempts = 0",
        row["id"],
        incoming.message,
        _body(incoming),
        tx.now,
        incoming.chat.platform,
        incoming.event,
    ):
        return False
    if tx.run("UPDATE chat SET ready_at = ? WHERE id = ? AND is_leased = 0", tx.now, row["id"]):
        tx.tell(None)
    return True


def rename(tx: Tx, chat: Chat, ref: str) -> bool:
    """Let a chat have another ref, unless one has it; who was admitted there stays so."""
    if not tx.run(
        "UPDATE chat SET ref = ? WHERE platform = ? AND ref = ?"
        " AND NOT EXISTS (SELECT 1 FROM chat WHERE platform = ? AND ref = ?)",
        *(ref, chat.platform, chat.ref, chat.platform, ref),
    ):
        return False
    place = replace(chat, ref=ref).id
    tx.do("UPDATE admitted SET place = ? WHERE place = ?", place, chat.id)
    tx.do("UPDATE admitted SET id = ? WHERE id = ?", place, chat.id)
    return True


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
        Seen(chat=chat_of(row), sent_at=row["seen_at"], waiting=tuple(waiting[row["id"]]))
        for row in rows
    ]


def read(rows: Iterable[Row]) -> tuple[list[tuple[Row, Incoming]], list[Row]]:
    """Return rows with the messages in them, and the rows whose message cannot be read."""
    found: list[tuple[Row, Incoming]] = []
    lost: list[Row] = []
    for row in rows:
        incoming = message_of(row["body"])
        if incoming:
            found.append((row, incoming))
        else:
            lost.append(row)
    return found, lost


def message_of(body: str) -> Incoming | None:
    """Return a message as it was stored; None if it is damaged, or of a version unknown to us."""
    try:
        return BODY.validate_json(body)
    except ValidationError:  # dropped, since it quotes what was said
        return None


def bury(tx: Tx, message: int, reason: str) -> None:
    """Keep a message that is given up for the owner to look at."""
    tx.do(
        "INSERT INTO dead (inbox_id, chat_id, body, reason, died_at)"
        " SELECT id, chat_id, body, ?, ? FROM inbox WHERE id = ?",
        reason,
        tx.now,
        message,
    )


def hush(tx: Tx, message: int) -> None:
    """Delete the words of a message; what waits to be sent in answer to it stays."""
    tx.do("DELETE FROM dead WHERE inbox_id = ?", message)
    tx.do(
        "UPDATE inbox SET person = '', message = '', body = '', transcript = NULL,"
        " done_at = COALESCE(done_at, ?), turn = COALESCE(turn, id) WHERE id = ?",
        tx.now,
        message,
    )


def _body(incoming: Incoming) -> str:
    try:
        return BODY.dump_json(incoming).decode()
    except PydanticSerializationError:  # a lone surrogate; the transaction replaces it
        return json.dumps(asdict(incoming), ensure_ascii=False)


def _chat(tx: Tx, incoming: Incoming, ready_at: int | None = None) -> Row:
    """Return a message's chat, and what is known of who wrote it.

    With `ready_at` it is ready then, if it is idle; or earlier, if something has waited there for
    long. Where the message proves to be known, nothing is found then.
    """
    # An upsert, so that the row is locked before the inbox is written: the next worker's last
    # look then either sees the message or comes before it is stored.
    chat, person = incoming.chat, incoming.person.id
    [row] = tx.all(
        "INSERT INTO chat (platform, ref, is_private, title, seen_at, ready_at)"
        " VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (platform, ref) DO UPDATE SET title = excluded.title,"
        " seen_at = CASE WHEN excluded.seen_at > chat.seen_at AND ? = 0"
        " THEN excluded.seen_at ELSE chat.seen_at END,"
        " ready_at = CASE WHEN chat.is_leased <> 0 OR excluded.ready_at IS NULL THEN chat.ready_at"
        " ELSE COALESCE((SELECT CASE WHEN inbox.ready_at + ? < excluded.ready_at"
        " THEN inbox.ready_at + ? ELSE excluded.ready_at END FROM inbox"
        " WHERE chat_id = chat.id AND done_at IS NULL ORDER BY id LIMIT 1), excluded.ready_at) END"
        " RETURNING id, is_leased, ready_at,"
        " (SELECT name FROM person WHERE person.id = ?) AS name,"
        " (SELECT private_chat FROM person WHERE person.id = ?) AS private_chat",
        *(chat.platform, chat.ref, int(chat.is_private), chat.title, incoming.sent_at, ready_at),
        *(int(incoming.is_alone), PARTIAL_MS, PARTIAL_MS, person, person),
    )
    return row


def _meet(tx: Tx, incoming: Incoming, chat: Row) -> None:
    """Keep what is new of who wrote a message; `chat` is what `_chat` found."""
    private = chat["id"] if incoming.chat.is_private else chat["private_chat"]
    if (incoming.person.name, private) == (chat["name"], chat["private_chat"]):
        return
    tx.do(
        "INSERT INTO person (id, name, private_chat) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET name = excluded.name,"
        " private_chat = COALESCE(excluded.private_chat, person.private_chat)",
        incoming.person.id,
        incoming.person.name,
        chat["id"] if incoming.chat.is_private else None,
    )


def chat_of(row: Row) -> Chat:
    """Make a chat of its row."""
    return Chat(
        platform=row["platform"],
        ref=row["ref"],
        is_private=bool(row["is_private"]),
        title=row["title"],
    )
