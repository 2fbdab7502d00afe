"""Transactions of what calls cost: each is entered into the ledger, and into its sums."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from core.store.tx import Row, Tx, marks
from core.types import Usage

SUMMED = ("calls", "input", "cached", "output", "milliseconds", "cost", "unpriced")
_EPOCH = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001 - a day, nowhere in particular


def spend(tx: Tx, chat: int, person: str, usage: Iterable[Usage], turn: int | None) -> None:
    """Enter paid calls into the ledger, and into the sums of their day."""
    for call in usage:
        milliseconds = round(call.seconds * 1000)
        amounts = (call.input, call.cached, call.output, milliseconds)
        tx.do(
            "INSERT INTO usage (chat_id, turn, person, purpose, model, input, cached, output,"
            " milliseconds, is_estimated, cost, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(chat, turn, person, call.purpose, call.model, *amounts),
            *(int(call.is_estimated), call.cost, tx.now),
        )
        _add_up(
            tx,
            {
                "day": day_of(tx.now),
                "person": person,
                "chat_id": chat,
                "model": call.model,
                "purpose": call.purpose,
                "calls": 1,
                "input": call.input,
                "cached": call.cached,
                "output": call.output,
                "milliseconds": milliseconds,
                "cost": call.cost or 0,
                "unpriced": int(call.cost is None),
            },
        )


def rename(tx: Tx, row: Row, *, person: str, chat: int) -> None:
    """Let another person and chat have the sum of a day; with one that is alike, it becomes one.

    Args:
        tx: The transaction.
        row: Of usage_day, locked.
        person: Whose it becomes.
        chat: Where it is entered then.
    """
    old = dict(row)
    _add_up(tx, old | {name: -old[name] for name in SUMMED})
    _add_up(tx, old | {"person": person, "chat_id": chat})
    for time, number in (("day", row["day"]), ("month", _month(row["day"]))):
        tx.do(
            f"DELETE FROM usage_{time} WHERE {time} = ? AND person = ? AND chat_id = ?"
            " AND model = ? AND purpose = ? AND calls = 0",
            *(number, row["person"], row["chat_id"], row["model"], row["purpose"]),
        )


def _add_up(tx: Tx, row: Mapping[str, Any]) -> None:
    """Add to the sums of a day and of its month; `row` has the columns of usage_day, in order.

    There are none that all chats share: others would wait for them.
    """
    _, *rest = row
    values = [row[name] for name in rest]
    sums = ", ".join(f"{name} = old.{name} + excluded.{name}" for name in SUMMED)
    for time, number in (("day", row["day"]), ("month", _month(row["day"]))):
        tx.do(
            f"INSERT INTO usage_{time} AS old ({time}, {', '.join(rest)})"
            f" VALUES {marks(len(row), 1)}"
            f" ON CONFLICT ({time}, person, chat_id, model, purpose) DO UPDATE SET {sums}",
            *(number, *values),
        )


def month_of(day: date) -> int:
    """Return the month of a day, in months since January 1970."""
    return (day.year - 1970) * 12 + day.month - 1


def _month(day: int) -> int:
    return month_of(date.fromordinal(day + _EPOCH))


def day_of(now: int) -> int:
    """Return the day where the owner lives, in days since 1970."""
    return local(now).toordinal() - _EPOCH


def local(now: int) -> datetime:
    """Return the time where the owner lives."""
    return datetime.fromtimestamp(now / 1000).astimezone()
