"""Transactions of money: what is held before a call, what is settled after it, what was spent.

Amounts of money are in micro-dollars. What is spent and held is kept for every scope and span,
limited or not, so that a limit that is set today counts what was spent this morning.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from core.money import Level, Limit, Span, Standing, Unit
from core.store.tx import Row, Tx
from core.types import Usage

HOLD_MS = 60 * 60 * 1000  # longer than any call takes
KEPT_MS = 24 * 60 * 60 * 1000
UNITS: tuple[Unit, ...] = ("usd", "tokens")
SPANS: tuple[Span, ...] = ("day", "month")
WARN_SHARE = 0.8
SUMMED = ("calls", "input", "cached", "output", "milliseconds", "cost", "unpriced")
# Where something is held: scope, subject and period of budgets.
_Places = list[tuple[str, str, str]]
_PLACES = TypeAdapter(_Places)
_EPOCH = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001 - a day, nowhere in particular


def hold(tx: Tx, name: str, limits: Sequence[Limit], usd: int, tokens: int) -> Standing:
    """Set an amount aside under every limit that applies, or under none.

    What was held under the same name before is let go first: it was for an attempt that crashed.
    """
    _expire(tx)
    release(tx, name)
    budgets = [(limit, _budget(tx, limit)) for limit in limits]
    amounts = {"usd": usd, "tokens": tokens}
    levels = [level for limit, row in budgets for level in _levels(tx, limit, row)]
    for level in levels:
        if amounts[level.unit] > level.left:
            return Standing(refused=level, levels=tuple(levels))
    places: _Places = [(limit.scope, limit.subject, row["period"]) for limit, row in budgets]
    _move(tx, places, held_usd=usd, held_tokens=tokens)
    tx.run(
        "INSERT INTO hold (name, usd, tokens, budgets, expires_at) VALUES (?, ?, ?, ?, ?)",
        name,
        usd,
        tokens,
        _PLACES.dump_json(places).decode(),
        tx.now + HOLD_MS,
    )
    return Standing(levels=tuple(levels), warned=tuple(_warn(tx, levels)))


def settle(tx: Tx, name: str, usage: Iterable[Usage]) -> None:
    """Put what was really spent in the place of what was held; once, however often it is asked."""
    row = tx.one("SELECT * FROM hold WHERE name = ?", name)
    if not row:
        return
    calls = list(usage)
    _move(
        tx,
        _places(row),
        held_usd=-row["usd"],
        held_tokens=-row["tokens"],
        spent_usd=sum(call.cost or 0 for call in calls),
        spent_tokens=sum(call.tokens for call in calls),
    )
    tx.run("DELETE FROM hold WHERE name = ?", name)


def release(tx: Tx, name: str) -> None:
    """Let go of what is held under a name."""
    settle(tx, name, ())


def levels(tx: Tx, limits: Sequence[Limit]) -> list[Level]:
    """Return how far each of the limits is used up."""
    return [level for limit in limits for level in _levels(tx, limit, _budget(tx, limit))]


def cap(tx: Tx, limit: Limit, unit: Unit, amount: int | None) -> None:
    """Set a limit in place of that of the settings; None for no limit."""
    tx.run(
        "INSERT INTO cap (scope, subject, span, unit, amount) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (scope, subject, span, unit) DO UPDATE SET amount = excluded.amount",
        limit.scope,
        limit.subject,
        limit.span,
        unit,
        amount,
    )


def uncap(tx: Tx, limit: Limit, unit: Unit) -> None:
    """Let the limit of the settings count again."""
    tx.run(
        "DELETE FROM cap WHERE scope = ? AND subject = ? AND span = ? AND unit = ?",
        limit.scope,
        limit.subject,
        limit.span,
        unit,
    )


def grant(tx: Tx, limit: Limit, unit: Unit, amount: int) -> None:
    """Allow so much more in the present day or month."""
    row = _budget(tx, limit)
    _move(tx, [(limit.scope, limit.subject, row["period"])], **{f"granted_{unit}": amount})


def reset(tx: Tx, limit: Limit) -> None:
    """Let what was spent in the present day or month count no longer; what is held still does.

    What was granted stays, and so does the ledger.
    """
    tx.run(
        "UPDATE budget SET spent_usd = 0, spent_tokens = 0, warned = ''"
        " WHERE scope = ? AND subject = ? AND period = ?",
        limit.scope,
        limit.subject,
        _period(_local(tx.now), limit.span),
    )


def spend(tx: Tx, chat: int, person: str, usage: Iterable[Usage], turn: int | None) -> None:
    """Enter paid calls into the ledger, and into the sums of their day."""
    for call in usage:
        milliseconds = round(call.seconds * 1000)
        amounts = (call.input, call.cached, call.output, milliseconds)
        tx.run(
            "INSERT INTO usage (chat_id, turn, person, purpose, model, input, cached, output,"
            " milliseconds, is_estimated, cost, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(chat, turn, person, call.purpose, call.model, *amounts),
            *(int(call.is_estimated), call.cost, tx.now),
        )
        key = {"person": person, "chat_id": chat, "model": call.model, "purpose": call.purpose}
        sums = {
            "calls": 1,
            "input": call.input,
            "cached": call.cached,
            "output": call.output,
            "milliseconds": milliseconds,
            "cost": call.cost or 0,
            "unpriced": int(call.cost is None),
        }
        day = {"day": day_of(tx.now)}
        _add_up(tx, day | key | sums)
        _add(tx, "usage_all", day | sums)


def rename(tx: Tx, row: Row, *, person: str, chat: int) -> None:
    """Let another person and chat have the sum of a day; with one that is alike, it becomes one.

    Args:
        tx: The transaction.
        row: Of usage_day.
        person: Whose it becomes.
        chat: Where it is entered then.
    """
    _add_up(tx, dict(row) | {name: -row[name] for name in SUMMED})
    _add_up(tx, dict(row) | {"person": person, "chat_id": chat})
    for time, number in (("day", row["day"]), ("month", _month(row["day"]))):
        tx.run(
            f"DELETE FROM usage_{time} WHERE {time} = ? AND person = ? AND chat_id = ?"  # noqa: S608
            " AND model = ? AND purpose = ? AND calls = 0",
            *(number, row["person"], row["chat_id"], row["model"], row["purpose"]),
        )


def _add_up(tx: Tx, row: Mapping[str, Any]) -> None:
    """Add to the sums of a day and its month; `row` names every column of usage_day."""
    rest = {name: value for name, value in row.items() if name != "day"}
    _add(tx, "usage_day", row)
    _add(tx, "usage_month", {"month": _month(row["day"])} | rest)


def _add(tx: Tx, table: str, row: Mapping[str, Any]) -> None:
    key = ", ".join(name for name in row if name not in SUMMED)
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMMED)
    tx.run(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608 - our own names
        f" ON CONFLICT ({key}) DO UPDATE SET {sums}",
        *row.values(),
    )


def month_of(day: date) -> int:
    """Return the month of a day, in months since January 1970."""
    return (day.year - 1970) * 12 + day.month - 1


def _month(day: int) -> int:
    return month_of(date.fromordinal(day + _EPOCH))


def day_of(now: int) -> int:
    """Return the day where the owner lives, in days since 1970."""
    return _local(now).toordinal() - _EPOCH


def _expire(tx: Tx) -> None:
    for row in tx.all("SELECT * FROM hold WHERE expires_at <= ? AND usd + tokens > 0", tx.now):
        _move(tx, _places(row), held_usd=-row["usd"], held_tokens=-row["tokens"])
        tx.run("UPDATE hold SET usd = 0, tokens = 0 WHERE name = ?", row["name"])
    tx.run("DELETE FROM hold WHERE expires_at <= ? AND usd + tokens = 0", tx.now - KEPT_MS)


def _budget(tx: Tx, limit: Limit) -> Row:
    [row] = tx.all(
        "INSERT INTO budget (scope, subject, period) VALUES (?, ?, ?)"
        " ON CONFLICT (scope, subject, period) DO UPDATE SET warned = budget.warned"
        " RETURNING *",
        limit.scope,
        limit.subject,
        _period(_local(tx.now), limit.span),
    )
    return row


def _levels(tx: Tx, limit: Limit, row: Row) -> Iterable[Level]:
    rows = tx.all(
        "SELECT unit, amount FROM cap WHERE scope = ? AND subject = ? AND span = ?",
        limit.scope,
        limit.subject,
        limit.span,
    )
    caps: dict[str, int | None] = {"usd": limit.usd, "tokens": limit.tokens}
    caps |= {r["unit"]: r["amount"] for r in rows}
    for unit in UNITS:
        amount = caps[unit]
        if amount is not None:
            yield Level(
                scope=limit.scope,
                subject=limit.subject,
                span=limit.span,
                unit=unit,
                cap=amount + row[f"granted_{unit}"],
                spent=row[f"spent_{unit}"],
                held=row[f"held_{unit}"],
                resets_at=_end(_local(tx.now), limit.span),
            )


def _warn(tx: Tx, levels: Iterable[Level]) -> Iterable[Level]:
    """Yield each limit that is nearly used up and of which nobody was told yet."""
    for level in levels:
        if level.spent < level.cap * WARN_SHARE:
            continue
        period = _period(_local(tx.now), level.span)
        if tx.run(
            "UPDATE budget SET warned = warned || ? WHERE scope = ? AND subject = ?"
            " AND period = ? AND warned NOT LIKE ?",
            f"{level.unit} ",
            level.scope,
            level.subject,
            period,
            f"%{level.unit}%",
        ):
            yield level


def _places(row: Row) -> _Places:
    """Return where something is held; nowhere if it cannot be read: what was held there stays."""
    try:
        return _PLACES.validate_json(row["budgets"])
    except ValidationError:
        return []


def _move(tx: Tx, places: _Places, **amounts: int) -> None:
    changes = ", ".join(f"{name} = {name} + ?" for name in amounts)  # our own names
    for scope, subject, period in places:
        tx.run(
            f"UPDATE budget SET {changes} WHERE scope = ? AND subject = ? AND period = ?",  # noqa: S608
            *amounts.values(),
            scope,
            subject,
            period,
        )


def _local(now: int) -> datetime:
    return datetime.fromtimestamp(now / 1000).astimezone()


def periods(now: int) -> tuple[str, ...]:
    """Return the day and the month that last, as budgets name them."""
    return tuple(_period(_local(now), span) for span in SPANS)


def _period(at: datetime, span: Span) -> str:
    return f"{at:%Y-%m-%d}" if span == "day" else f"{at:%Y-%m}"


def _end(at: datetime, span: Span) -> int:
    """Return when a day or month ends, in milliseconds since 1970."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    following = midnight + timedelta(days=1)
    if span == "month":
        following = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    return round(following.astimezone().timestamp() * 1000)
