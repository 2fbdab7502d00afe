"""What the database of the program under test says, read beside it or after its end."""

import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg
from psycopg.rows import dict_row

from core.store.tx import Row

SQLITE = "sqlite:///"
# A database that is being restarted is asked again so often, each time after a tenth of a second.
ATTEMPTS = 300
# Every question carries marks, and its answer names them: a number, and how long the answer
# shall be (short, medium, extensive, wordy, long: the last two are several messages).
MARK = re.compile(r"\bm\d+[smxwl]\b")
_UNSETTLED = (
    "SELECT (SELECT COUNT(*) FROM inbox WHERE done_at IS NULL)"
    " + (SELECT COUNT(*) FROM outbox WHERE sent_at IS NULL)"
    " + (SELECT COUNT(*) FROM chat WHERE is_leased <> 0) AS number"
)
_HISTORY = "SELECT * FROM message ORDER BY chat_id, total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A message that was taken in, and the turn it became a part of."""

    id: int
    kind: str
    body: str
    turn: int | None

    @property
    def marks(self) -> list[str]:
        """The marks in its text."""
        return list(dict.fromkeys(MARK.findall(self.body)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A final text.

    Attributes:
        turn: None for a notice.
        at: When it was decided, in milliseconds since 1970.
        is_sent: It is known to stand in its chat.
    """

    turn: int | None
    text: str
    at: int
    is_sent: bool


class Ledger:
    """Reads a database, by its URL; every method sees what is committed now."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection:
            self._connection.close()

    @property
    def _is_file(self) -> bool:
        return self._url.startswith(SQLITE)

    def _all(self, sql: str, *values: object) -> Sequence[Row]:
        if not self._is_file:
            return self._ask(sql.replace("%", "%%").replace("?", "%s"), values)
        path = self._url.removeprefix(SQLITE)
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql, values).fetchall()

    def _ask(self, sql: str, values: Sequence[object]) -> Sequence[Row]:
        """Ask a server, which may have been restarted meanwhile."""
        for attempt in range(ATTEMPTS):
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = psycopg.connect(
                        self._url, row_factory=dict_row, autocommit=True
                    )
                return self._connection.execute(sql, values).fetchall()
            except psycopg.OperationalError:
                if self._connection:
                    self._connection.close()
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.1)
        raise AssertionError

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits, nothing is unsent and no chat is held."""
        return not int(self._all(_UNSETTLED)[0]["number"])

    @property
    def taken_in(self) -> dict[str, int]:
        """How many messages were stored, by chat; what came by a slash command is none."""
        rows = self._all(
            "SELECT ref, COUNT(*) AS number FROM inbox JOIN chat ON chat.id = chat_id"
            " WHERE event NOT LIKE '%:i%' GROUP BY ref"
        )
        return {r["ref"]: r["number"] for r in rows}

    def inbox(self, ref: str) -> list[Taken]:
        """Return what was taken in from a chat, in order."""
        rows = self._all(
            "SELECT inbox.* FROM inbox JOIN chat ON chat.id = chat_id WHERE ref = ?"
            " ORDER BY inbox.id",
            ref,
        )
        return [Taken(id=r["id"], kind=r["kind"], body=r["body"], turn=r["turn"]) for r in rows]

    def outbox(self, ref: str) -> list[Text]:
        """Return what was decided to be said in a chat, in order."""
        rows = self._all(
            "SELECT outbox.* FROM outbox JOIN chat ON chat.id = chat_id WHERE ref = ?"
            " ORDER BY outbox.id",
            ref,
        )
        return [
            Text(turn=r["turn"], text=r["text"], at=r["created_at"], is_sent=bool(r["sent_at"]))
            for r in rows
        ]

    def receipts(self, ref: str) -> set[int]:
        """Return the ids of posted messages that are known in a chat."""
        rows = self._all(
            "SELECT receipt.ref FROM receipt JOIN inbox ON inbox.id = receipt.turn"
            " JOIN chat ON chat.id = inbox.chat_id WHERE chat.ref = ?",
            ref,
        )
        return {int(r["ref"]) for r in rows}

    def usage(self, turn: int, purpose: str) -> list[tuple[int, bool]]:
        """Return input tokens of each call that was entered for a turn, and if estimated."""
        sql = "SELECT input, is_estimated FROM usage WHERE turn = ? AND purpose = ? ORDER BY id"
        return [(r["input"], bool(r["is_estimated"])) for r in self._all(sql, turn, purpose)]

    @property
    def budgets(self) -> Sequence[Row]:
        """What is spent and held, by scope, subject and period."""
        return self._all("SELECT * FROM budget")

    @property
    def spent(self) -> int:
        """All tokens in the ledger."""
        [row] = self._all("SELECT COALESCE(SUM(input + output), 0) AS tokens FROM usage")
        return int(row["tokens"])

    def memory_problems(self, ref: str) -> list[str]:
        """Return what is wrong unless a summary stands for what a chat's memory begins after."""
        (chat,) = self._all("SELECT * FROM chat WHERE ref = ?", ref)
        totals = [
            r["total"] for r in self._all("SELECT * FROM message WHERE chat_id = ?", chat["id"])
        ]
        if chat["start"] in totals and chat["summary"]:
            return []
        return [f"{ref}: starts at {chat['start']} of {totals} with {chat['summary']!r}"]

    def problems(self) -> list[str]:
        """Return what must not be: damage, dead messages, a history that does not add up."""
        checks = self._all("PRAGMA integrity_check") if self._is_file else ()
        words = [r["integrity_check"] for r in checks]
        found = [f"damage: {word}" for word in words if word != "ok"]
        found += [f"dead: {r['body']}" for r in self._all("SELECT body FROM dead")]
        totals = {r["id"]: r["total"] for r in self._all("SELECT id, total FROM chat")}
        for chat, rows in groupby(self._all(_HISTORY), key=lambda r: r["chat_id"]):
            found += _history_problems(list(rows), totals[chat])
        return found


def _history_problems(rows: list[Row], total: int) -> list[str]:
    found = []
    name = f"chat {rows[0]['chat_id']}"
    roles = [r["role"] for r in rows]
    if roles != ["user", "assistant"] * (len(rows) // 2):
        found.append(f"{name}: roles {roles}")
    turns = [r["turn"] for r in rows]
    if turns[::2] != turns[1::2] or len(set(turns[::2])) != len(turns[::2]):
        found.append(f"{name}: turns {turns}")
    before = 0
    for r in rows:
        if r["tokens"] <= 0 or r["total"] - r["tokens"] < before:
            found.append(f"{name}: total {r['total']} after {before}")
        before = r["total"]
    if before != total:
        found.append(f"{name}: ends at {before}, not {total}")
    for asked, answer in zip(rows[::2], rows[1::2], strict=False):
        marks = MARK.findall(asked["content"])
        if MARK.findall(answer["content"])[: len(marks)] != marks:
            found.append(f"{name}: {answer['content'][:40]!r} answers {marks}")
    return found
