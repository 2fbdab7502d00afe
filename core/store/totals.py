"""Transactions that only read the ledger's sums: what was spent, by whom, where, on what."""

from datetime import date

from core.money import By, Total
from core.store.tx import Tx

_EPOCH = date(1970, 1, 1).toordinal()
_KEYS: dict[By, str] = {
    "day": "CAST(day AS TEXT)",
    "person": "usage_day.person",
    "chat": "CAST(chat_id AS TEXT)",
    "model": "model",
    "purpose": "purpose",
    "all": "''",
}
_NAMES: dict[By, str] = {
    "person": "(SELECT name FROM person WHERE id = usage_day.person)",
    "chat": "(SELECT CASE WHEN title = '' THEN platform || ':' || ref ELSE title END FROM chat"
    " WHERE id = chat_id)",
}


def totals(
    tx: Tx, by: By, since: date | None, person: str | None, chat: int | None
) -> list[Total]:
    """Return sums of the ledger since a day, the dearest first; those of days in their order."""
    key, name = _KEYS[by], _NAMES.get(by, "''")
    rows = tx.all(
        f"SELECT {key} AS id, {name} AS name, SUM(calls) AS calls, SUM(input) AS input,"  # noqa: S608 - our own words
        " SUM(cached) AS cached, SUM(output) AS output, SUM(milliseconds) AS milliseconds,"
        " SUM(cost) AS cost, SUM(unpriced) AS unpriced FROM usage_day WHERE day >= ?"
        " AND (? IS NULL OR person = ?) AND (? IS NULL OR chat_id = ?) GROUP BY 1, 2"
        " ORDER BY SUM(cost) DESC, SUM(input) + SUM(output) DESC",
        since.toordinal() - _EPOCH if since else 0,
        person,
        person,
        chat,
        chat,
    )
    found = [
        Total(
            id=_day(row["id"]) if by == "day" else row["id"],
            name=row["name"] or row["id"],
            calls=row["calls"],
            input=row["input"],
            cached=row["cached"],
            output=row["output"],
            seconds=row["milliseconds"] / 1000,
            cost=row["cost"],
            unpriced=row["unpriced"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda total: total.id) if by == "day" else found


def _day(number: str) -> str:
    return date.fromordinal(int(number) + _EPOCH).isoformat()
