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

_GROUPS: dict[By, str] = {"chat": "chat_id", "person": "usage_day.person", "all": "1"}


def totals(
    tx: Tx, by: By, since: date | None, person: str | None, chat: int | None
) -> list[Total]:
    """Return sums of the ledger since a day, the dearest first; those of days in their order."""
    key, name = _KEYS[by], _NAMES.get(by, "''")
    bounds: dict[str, object] = {"day >= ?": since.toordinal() - _EPOCH if since else 0}
    if person is not None:
        bounds["person = ?"] = person
    if chat is not None:
        bounds["chat_id = ?"] = chat
    where, values = " AND ".join(bounds), tuple(bounds.values())
    rows = tx.all(
        f"SELECT {key} AS id, {name} AS name, SUM(calls) AS calls, SUM(input) AS input,"
        " SUM(cached) AS cached, SUM(output) AS output, SUM(milliseconds) AS milliseconds,"
        f" SUM(cost) AS cost, SUM(unpriced) AS unpriced FROM usage_day WHERE {where}"
        f" GROUP BY {_GROUPS.get(by, '1, 2')}"
        " ORDER BY SUM(cost) DESC, SUM(input) + SUM(output) DESC",
        *values,
    )
    found = [
        Total(
            id=_day(row["id"]) if by == "day" else row["id"],
            name=row["name"] or row["id"],
            calls=int(row["calls"]),
            input=int(row["input"]),
            cached=int(row["cached"]),
            output=int(row["output"]),
            seconds=int(row["milliseconds"]) / 1000,
            cost=int(row["cost"]),
            unpriced=int(row["unpriced"]),
        )
        for row in rows
    ]
    return sorted(found, key=lambda total: total.id) if by == "day" else found


def _day(number: str) -> str:
    return date.fromordinal(int(number) + _EPOCH).isoformat()
