"""What is stored about somebody as an archive: `data.json` for programs, `chats.md` to read."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from core.kept import Rows, Stored
from core.store.inbox import message_of

Row = Mapping[str, Any]
Entry = tuple[int, str, str]  # milliseconds since 1970, who, what


def pack(stored: Stored) -> bytes:
    """Return a zip archive; the same rows make the same bytes."""
    data = _data(stored)
    files = {
        "data.json": json.dumps(data, ensure_ascii=False, indent=1),
        "chats.md": "\n\n".join(_page(stored)) + "\n",
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, text)
    return archive.getvalue()


def _data(stored: Stored) -> dict[str, Any]:
    return {
        "person": [_only(row, "id", "name", "status") for row in stored["person"]],
        "chats": [_chat(stored, chat) for chat in stored["chats"]],
        "spending": list(map(dict, stored["budgets"])),
        "limits": list(map(dict, stored["caps"])),
        "admitted": list(map(dict, stored["admitted"])),
    }


def _chat(stored: Stored, chat: Row) -> dict[str, Any]:
    names = ["id", "platform", "ref", "title", "is_private", "is_off_record", "model", "persona"]
    if chat["is_private"]:
        names.append("summary")  # of a group it holds what others said, too
    message = ("created_at", "role", "name", "content", "tokens")
    call = ("created_at", "purpose", "model", "input", "cached", "output", "milliseconds", "cost")
    return _only(chat, *names) | {
        "history": [_only(row, *message) for row in _of(stored["history"], chat)],
        "messages": [_message(row) for row in _of(stored["messages"], chat)],
        "answers": [
            _only(row, "created_at", "sent_at", "text") for row in _of(stored["answers"], chat)
        ],
        "calls": [_only(row, *call) for row in _of(stored["calls"], chat)],
    }


def _message(row: Row) -> dict[str, Any]:
    entry = {"kind": row["kind"], "transcript": row["transcript"]}
    entry["is_answered"] = row["done_at"] is not None
    said = message_of(row["body"])
    if said is None:
        return entry | {"sent_at": None, "text": str(row["body"])}
    own = {"", said.person.name}  # what others said is theirs, even where it was quoted
    return entry | {
        "sent_at": _time(said.sent_at),
        "text": said.text,
        "recording": asdict(said.voice) if said.voice else None,
        "documents": [asdict(document) for document in said.documents],
        "replied_to": said.quoted.text if said.quoted and said.quoted.name in own else None,
    }


def _page(stored: Stored) -> Iterable[str]:
    """Yield the paragraphs of a page that can be read."""
    for person in stored["person"]:
        yield f"# {person['name']} ({person['id']})"
    for chat in stored["chats"]:
        kind = "private" if chat["is_private"] else "a group"
        yield f"## {chat['title'] or 'Chat'} ({chat['platform']}, {kind})"
        if chat["is_private"] and chat["summary"]:
            yield f"What I remember of earlier:\n\n{chat['summary']}"
        for at, who, text in sorted(_entries(stored, chat)):
            yield f"**{who}**, {_time(at)}\n\n{text}"
        if calls := _of(stored["calls"], chat):
            yield _costs(calls)


def _entries(stored: Stored, chat: Row) -> Iterable[Entry]:
    """Yield what was said: the history, and around it commands, failures and what waits."""
    history = _of(stored["history"], chat)
    told = {row["turn"] for row in history}
    names = {row["id"]: row["name"] for row in stored["person"]}
    for row in history:
        is_answer = row["role"] == "assistant"
        who = "Causerie" if is_answer else row["name"] or next(iter(names.values()), "You")
        yield row["created_at"] + is_answer, who, row["content"]
    for row in _of(stored["messages"], chat):
        if row["turn"] not in told:
            said = _message(row)
            note = "" if said["is_answered"] else " (not answered yet)"
            words = "\n\n".join(filter(None, (said["transcript"], said["text"])))
            incoming = message_of(row["body"])
            at = incoming.sent_at if incoming else row["done_at"] or 0
            yield at, names.get(row["person"], "You") + note, words or "(a file)"
    for row in _of(stored["answers"], chat):
        if row["turn"] not in told:
            yield row["created_at"], "Causerie", row["text"]


def _costs(calls: Rows) -> str:
    read, written = (sum(row[name] for row in calls) for name in ("input", "output"))
    cost = sum(row["cost"] or 0 for row in calls) / 1_000_000
    return f"*{len(calls)} paid calls: {read:,} tokens read, {written:,} written, ${cost:.4f}*"


def _of(rows: Rows, chat: Row) -> Sequence[Row]:
    return [row for row in rows if row["chat_id"] == chat["id"]]


def _only(row: Row, *names: str) -> dict[str, Any]:
    return {name: _time(row[name]) if name.endswith("_at") else row[name] for name in names}


def _time(at: int | None) -> str | None:
    """Return a time in words that everybody understands alike."""
    if at is None:
        return None
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
