"""Transactions that only read the ledger's sums: what was spent, by whom, where, on what."""

from collections.abc import Callable
from datetime import date
from typing import Any

from core.money import By, Total
from core.store.sums import SUMMED, month_of
from core.store.tx import Row, Tx

_EPOCH = date(1970, 1, 1).toordinal()
_KEYS: dict[By, str] = {
    "day": "day",
    "month": "month",
    "person": "person",
    "chat": "chat_id",
    "model": "model",
    "purpose": "purpose",
    "all": "''",
}
_NAMES: dict[By, str] = {
    "person": "(SELECT name FROM person WHERE person.id = summed.id)",
    "chat": "(SELECT CASE WHEN title = '' THEN platform || ':' || ref ELSE title END FROM chat"
    " WHERE chat.id = summed.id)",
}


def totals(
    tx: Tx, by: By, since: date | None, person: str | None, chat: int | None
) -> list[Total]:
    """Return sums of the ledger since a day, the dearest first; those of times in their order."""
    table, first = _source(by, since)
    wanted = {first[0]: first[1], "person = ?": person, "chat_id = ?": chat}
    where = {what: value for what, value in wanted.items() if value is not None}
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in SUMMED)
    summed = f"SELECT {_KEYS[by]} AS id, {sums} FROM {table} WHERE {' AND '.join(where)}"
    order = "id" if by in _TIMES else "cost DESC, input + output DESC"
    # Names are looked up for what is summed up, not for each row.
    name = _NAMES.get(by, "''")
    rows = tx.all(
        f"SELECT summed.*, {name} AS name FROM ({summed} GROUP BY 1) AS summed ORDER BY {order}",
        *where.values(),
    )
    return [_total(row, _TIMES.get(by, str)) for row in rows]


def _source(by: By, since: date | None) -> tuple[str, tuple[str, int]]:
    """Return the table that has the fewest rows for it, and its condition for the time."""
    if by == "day" or (by != "month" and since and since.day > 1):
        return "usage_day", ("day >= ?", since.toordinal() - _EPOCH if since else 0)
    return "usage_month", ("month >= ?", month_of(since) if since else 0)


def _total(row: Row, spelled: Callable[[Any], str]) -> Total:
    key = spelled(row["id"])
    return Total(
        id=key,
        name=row["name"] or key,
        calls=row["calls"],
        input=row["input"],
        cached=row["cached"],
        output=row["output"],
        seconds=row["milliseconds"] / 1000,
        cost=row["cost"],
        unpriced=row["unpriced"],
    )


def _day(number: int) -> str:
    return date.fromordinal(number + _EPOCH).isoformat()


def _month(number: int) -> str:
    return f"{1970 + number // 12}-{number % 12 + 1:02}"


_TIMES: dict[By, Callable[[Any], str]] = {"day": _day, "month": _month}
