"""Transactions of access: who is known, who asked to be let in, who was."""

import secrets
from collections.abc import Collection
from dataclasses import replace

from core.people import Admitted, Known, Pairing, Pause
from core.store.tx import Row, Tx

# No letters or digits that are mistaken for another when read aloud or copied by hand.
_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 6
CODE_MS = 60 * 60 * 1000
MINUTE_MS = 60 * 1000


def known(tx: Tx, person: str) -> Known | None:
    """Return what is known of somebody, by id."""
    row = tx.one("SELECT * FROM person WHERE id = ?", person)
    return _known(row) if row else None


def ask(tx: Tx, person: str, turn: int) -> Pairing:
    """Return somebody's request to be let in.

    A code holds for an hour; asking again within it returns the same.
    """
    found = tx.lock("SELECT code, asked_at, asked_in FROM person WHERE id = ?", person)
    row = found[0] if found else None
    if row and row["code"] and row["asked_at"] > tx.now - CODE_MS:
        is_new = row["asked_in"] == turn
        return Pairing(code=row["code"], is_new=is_new, recent=_recent(tx))
    code = "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH))
    tx.do(
        "UPDATE person SET status = CASE status WHEN '' THEN 'asked' ELSE status END,"
        " code = ?, asked_at = ?, asked_in = ? WHERE id = ?",
        code,
        tx.now,
        turn,
        person,
    )
    return Pairing(code=code, is_new=True, recent=_recent(tx))


def _recent(tx: Tx) -> int:
    row = tx.one("SELECT COUNT(*) AS people FROM person WHERE asked_at > ?", tx.now - CODE_MS)
    return row["people"] if row else 0


def ration(tx: Tx, person: str, turn: int, most: int) -> Pause | None:
    """Let a turn of somebody's pass, or say how long they have to wait; only the former counts.

    A turn that is tried again is let pass, or told, again. The minute begins with its first turn.
    """
    found = tx.lock("SELECT * FROM person WHERE id = ?", person)
    row = found[0] if found else {"minute_at": 0}  # who is forgotten asks for the first time
    if row["minute_at"] <= tx.now - MINUTE_MS:
        tx.do(
            "UPDATE person SET minute_at = ?, minute_turns = 1, minute_last = ?, minute_told = 0"
            " WHERE id = ?",
            tx.now,
            turn,
            person,
        )
    elif row["minute_last"] == turn:
        return None
    elif row["minute_turns"] < most:
        tx.do(
            "UPDATE person SET minute_turns = minute_turns + 1, minute_last = ? WHERE id = ?",
            turn,
            person,
        )
    else:
        if not row["minute_told"]:
            tx.do("UPDATE person SET minute_told = ? WHERE id = ?", turn, person)
        seconds = (row["minute_at"] + MINUTE_MS - tx.now) / 1000
        return Pause(seconds=seconds, is_told=row["minute_told"] not in {0, turn})
    return None


def decide(tx: Tx, who: str, status: str) -> Known | None:
    """Approve or deny somebody, by id or by a pairing code that still holds.

    The code goes on to hold, so that a decision whose turn is tried again finds it.
    """
    row = tx.one(
        "SELECT * FROM person WHERE id = ? OR (code = ? AND asked_at > ?)",
        who,
        who.upper(),
        tx.now - CODE_MS,
    )
    if not row:
        return None
    tx.do("UPDATE person SET status = ? WHERE id = ?", status, row["id"])
    return replace(_known(row), status=status)


def everybody(tx: Tx) -> list[Known]:
    """Return everybody who ever wrote, by name."""
    return [_known(row) for row in tx.all("SELECT * FROM person ORDER BY name, id")]


def admits(tx: Tx, place: str, ids: Collection[str]) -> bool:
    """Say whether any of `ids` was admitted in a place."""
    return any(admitted.id in ids for admitted in in_place(tx, place))


def admit(tx: Tx, place: str, admitted: Admitted) -> None:
    """Let a group of people, or everybody in a part of a place, talk there."""
    tx.do(
        "INSERT INTO admitted (place, id, name) VALUES (?, ?, ?)"
        " ON CONFLICT (place, id) DO UPDATE SET name = excluded.name",
        place,
        admitted.id,
        admitted.name,
    )


def dismiss(tx: Tx, place: str, admitted: str) -> bool:
    """Take that back; False if there was nothing to take back."""
    return bool(tx.run("DELETE FROM admitted WHERE place = ? AND id = ?", place, admitted))


def in_place(tx: Tx, place: str) -> list[Admitted]:
    """Return all that was admitted in a place, by name."""
    rows = tx.all("SELECT id, name FROM admitted WHERE place = ? ORDER BY name, id", place)
    return [Admitted(id=row["id"], name=row["name"]) for row in rows]


def _known(row: Row) -> Known:
    return Known(id=row["id"], name=row["name"], status=row["status"])
