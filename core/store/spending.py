"""Transactions of money: what is held before a call, what is settled after it, what was spent.

Amounts of money are in micro-dollars. What is spent and held is kept for every scope and span,
limited or not, so that a limit that is set today counts what was spent this morning.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain

from pydantic import TypeAdapter, ValidationError

from core.money import Grant, Level, Limit, Span, Standing, Unit
from core.store.sums import local
from core.store.tx import Row, Tx, marks
from core.types import Usage

HOLD_MS = 60 * 60 * 1000  # longer than any call takes
KEPT_MS = 24 * 60 * 60 * 1000
UNITS: tuple[Unit, ...] = ("usd", "tokens")
SPANS: tuple[Span, ...] = ("day", "month")
WARN_SHARE = 0.8
UNLIMITED = -1  # as a row is read, where an owner took a limit of the settings away
_LATE = "SELECT * FROM hold WHERE expires_at <= ? AND (usd + tokens > 0 OR expires_at <= ?)"
# What owners set in place of the settings, beside a row of `budget`.
_CAPS = ", ".join(
    f"(SELECT COALESCE(amount, {UNLIMITED}) FROM cap WHERE cap.scope = budget.scope"
    " AND cap.subject = budget.subject AND cap.unit = '" + unit + "' AND cap.span ="
    f" CASE LENGTH(budget.period) WHEN 7 THEN 'month' ELSE 'day' END) AS cap_{unit}"
    for unit in UNITS
)
# Where something is held: scope, subject and period of budgets.
_Places = list[tuple[str, str, str]]
_PLACES = TypeAdapter(_Places)


def hold(
    tx: Tx,
    name: str,
    limits: Sequence[Limit],
    *,
    usd: int,
    tokens: int,
    spent: Sequence[Usage] = (),
) -> Standing:
    """Set an amount aside under every limit that applies, or under none.

    What was held under the same name before is let go first: it was for an attempt that crashed,
    or for calls that have spent a part of it. That stays held whatever the limits allow.
    """
    places = _where(tx, limits)
    kept = _spent(spent)
    usd, tokens = usd + kept["usd"], tokens + kept["tokens"]
    if _enter(tx, name, places, usd, tokens):
        tx.alone()
        _expire(tx)
    # Last, since it is what all chats share: others wait for it until this is committed.
    rows = _book(tx, places, held_usd=usd, held_tokens=tokens)
    amounts: dict[str, int] = {"usd": usd, "tokens": tokens}
    levels = list(_levels(tx, limits, rows, held=amounts))
    for level in levels:
        if amounts[level.unit] > level.left:
            tx.alone()  # or else it was in the way of others that the limit allows
            if not spent:
                release(tx, name)
            else:
                _shrink(tx, name, places, amounts, kept)
            return Standing(refused=level, levels=tuple(levels))
    return Standing(levels=tuple(levels), warned=tuple(_warn(tx, levels)))


def _enter(tx: Tx, name: str, places: _Places, usd: int, tokens: int) -> bool:
    """Keep what is held where, in place of what was; say whether something is held too long."""
    while True:
        found = tx.all(
            "INSERT INTO hold (name, usd, tokens, budgets, expires_at) VALUES (?, ?, ?, ?, ?)"
            f" ON CONFLICT (name) DO NOTHING RETURNING EXISTS ({_LATE}) AS has_late",
            *(name, usd, tokens, _PLACES.dump_json(places).decode(), tx.now + HOLD_MS),
            *(tx.now, tx.now - KEPT_MS),
        )
        if found:
            return bool(found[0]["has_late"])
        release(tx, name)


def _shrink(
    tx: Tx, name: str, places: _Places, amounts: Mapping[str, int], kept: Mapping[str, int]
) -> None:
    """Let go of all that is held but what was spent."""
    tx.do("UPDATE hold SET usd = ?, tokens = ? WHERE name = ?", kept["usd"], kept["tokens"], name)
    _add(
        tx,
        places,
        held_usd=kept["usd"] - amounts["usd"],
        held_tokens=kept["tokens"] - amounts["tokens"],
    )


def _spent(calls: Iterable[Usage]) -> dict[str, int]:
    """Return what calls came to."""
    known = list(calls)
    return {
        "usd": sum(call.cost or 0 for call in known),
        "tokens": sum(call.tokens for call in known),
    }


def settle(tx: Tx, name: str, usage: Iterable[Usage]) -> bool:
    """Put what was really spent in the place of what was held; once, however often it is asked.

    False if nothing is held, maybe because this was done before.
    """
    found = tx.all("DELETE FROM hold WHERE name = ? RETURNING *", name)
    if not found:
        return False
    [row] = found
    spent = _spent(usage)
    _add(
        tx,
        _places(row),
        held_usd=-row["usd"],
        held_tokens=-row["tokens"],
        spent_usd=spent["usd"],
        spent_tokens=spent["tokens"],
    )
    return True


def release(tx: Tx, name: str) -> None:
    """Let go of what is held under a name."""
    settle(tx, name, ())


def levels(tx: Tx, limits: Sequence[Limit]) -> list[Level]:
    """Return how far each of the limits is used up."""
    rows = _book(tx, _where(tx, limits), held_usd=0, held_tokens=0)
    return list(_levels(tx, limits, rows))


def cap(tx: Tx, limit: Limit, unit: Unit, amount: int | None) -> None:
    """Set a limit in place of that of the settings; None for no limit."""
    tx.do(
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
    tx.do(
        "DELETE FROM cap WHERE scope = ? AND subject = ? AND span = ? AND unit = ?",
        limit.scope,
        limit.subject,
        limit.span,
        unit,
    )


def grant(tx: Tx, granted: Grant) -> None:
    """Allow so much more in the present day or month."""
    _add(tx, _where(tx, [granted.limit]), **{f"granted_{granted.unit}": granted.amount})


def reset(tx: Tx, limit: Limit) -> None:
    """Let what was spent in the present day or month count no longer; what is held still does.

    What was granted stays, and so does the ledger.
    """
    tx.do(
        "UPDATE budget SET spent_usd = 0, spent_tokens = 0, warned = ''"
        " WHERE scope = ? AND subject = ? AND period = ?",
        limit.scope,
        limit.subject,
        _period(local(tx.now), limit.span),
    )


def _expire(tx: Tx) -> None:
    for row in tx.lock(_LATE, tx.now, tx.now - KEPT_MS, skip=True):
        if row["usd"] + row["tokens"] > 0:
            _add(tx, _places(row), held_usd=-row["usd"], held_tokens=-row["tokens"])
            tx.do("UPDATE hold SET usd = 0, tokens = 0 WHERE name = ?", row["name"])
        else:
            tx.do("DELETE FROM hold WHERE name = ?", row["name"])


def _book(tx: Tx, places: _Places, **amounts: int) -> list[Row]:
    """Add amounts to each of some budgets; return these in their order, each with its caps."""
    if not places:
        return []
    statement, values = _adding(places, amounts)
    rows = tx.all(f"{statement} RETURNING *, {_CAPS}", *values)
    found = {(row["scope"], row["subject"], row["period"]): row for row in rows}
    return [found[place] for place in places]


def _add(tx: Tx, places: _Places, **amounts: int) -> None:
    """Add amounts to each of some budgets."""
    if places:
        statement, values = _adding(places, amounts)
        tx.do(statement, *values)


def _adding(places: _Places, amounts: Mapping[str, int]) -> tuple[str, Iterable[object]]:
    """Return a statement that adds amounts to budgets, and its values.

    What all chats share is locked first: whoever waits for that holds nothing that others want.
    """
    names = ", ".join(amounts)
    sums = ", ".join(f"{name} = budget.{name} + excluded.{name}" for name in amounts)
    statement = (
        f"INSERT INTO budget (scope, subject, period, {names})"
        f" VALUES {marks(3 + len(amounts), len(places))}"
        f" ON CONFLICT (scope, subject, period) DO UPDATE SET {sums}"
    )
    return statement, chain.from_iterable((*place, *amounts.values()) for place in sorted(places))


def _levels(
    tx: Tx,
    limits: Iterable[Limit],
    rows: Iterable[Row],
    *,
    held: Mapping[str, int] | None = None,
) -> Iterable[Level]:
    """Yield how far each limit is used up, but for what `held` has just added."""
    for limit, row in zip(limits, rows, strict=True):
        own = {"usd": limit.usd, "tokens": limit.tokens}
        for unit in UNITS:
            amount = own[unit] if row[f"cap_{unit}"] is None else row[f"cap_{unit}"]
            if amount == UNLIMITED:
                amount = None
            if amount is not None:
                yield Level(
                    scope=limit.scope,
                    subject=limit.subject,
                    span=limit.span,
                    unit=unit,
                    cap=amount + row[f"granted_{unit}"],
                    spent=row[f"spent_{unit}"],
                    held=row[f"held_{unit}"] - (held[unit] if held else 0),
                    resets_at=_end(local(tx.now), limit.span),
                )


def _where(tx: Tx, limits: Iterable[Limit]) -> _Places:
    """Return the present budgets of limits."""
    now = dict(zip(SPANS, periods(tx.now), strict=True))
    return [(limit.scope, limit.subject, now[limit.span]) for limit in limits]


def _warn(tx: Tx, levels: Iterable[Level]) -> Iterable[Level]:
    """Yield each limit that is nearly used up and of which nobody was told yet."""
    for level in levels:
        if level.spent < level.cap * WARN_SHARE:
            continue
        period = _period(local(tx.now), level.span)
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


def periods(now: int) -> tuple[str, ...]:
    """Return the day and the month that last, as budgets name them."""
    at = local(now)
    return tuple(_period(at, span) for span in SPANS)


def _period(at: datetime, span: Span) -> str:
    return f"{at:%Y-%m-%d}" if span == "day" else f"{at:%Y-%m}"


def _end(at: datetime, span: Span) -> int:
    """Return when a day or month ends, in milliseconds since 1970."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    following = midnight + timedelta(days=1)
    if span == "month":
        following = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    return round(following.timestamp() * 1000)  # where clocks leave midnight out: when it would be
