"""Transactions that only read the ledger's sums: what was spent, by whom, where, on what."""

from datetime import date

from core.money import By, Total
from core.store.sums import SUMMED, month_of
from core.store.tx import Row, Tx

_EPOCH = date(1970, 1, 1).toordinal()
_KEYS: dict[By, str] = {
    "day": "day",
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
    """Return sums of the ledger since a day, the dearest first; those of days in their order."""
    table, since_what = _source(by, since, person, chat)
    wanted = {"person = ?": person, "chat_id = ?": chat}
    where = {what: value for what, value in wanted.items() if value is not None} | since_what
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in SUMMED)
    summed = f"SELECT {_KEYS[by]} AS id, {sums} FROM {table} WHERE {' AND '.join(where)}"
    name, order = _NAMES.get(by, "''"), "id" if by == "day" else "cost DESC, input + output DESC"
    # Names are looked up for what is summed up, not for each row.
    rows = tx.all(
        f"SELECT summed.*, {name} AS name FROM ({summed} GROUP BY 1) AS summed ORDER BY {order}",
        *where.values(),
    )
    return [_total(row, by) for row in rows]


def _source(
    by: By, since: date | None, person: str | None, chat: int | None
) -> tuple[str, dict[str, object]]:
    """Return the table with the fewest rows to add up, and its condition for the time."""
    days: dict[str, object] = {"day >= ?": since.toordinal() - _EPOCH if since else 0}
    if by in {"day", "all"} and person is None and chat is None:
        return "usage_all", days
    if by == "day" or (since and since.day > 1):
        return "usage_day", days
    return "usage_month", {"month >= ?": month_of(since) if since else 0}


def _total(row: Row, by: By) -> Total:
    key = date.fromordinal(row["id"] + _EPOCH).isoformat() if by == "day" else str(row["id"])
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
