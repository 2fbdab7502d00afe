"""Commands about money: what was spent, which limits there are, who is granted more."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial

from core.charts import Bar, Chart, Share, draw
from core.commands.amounts import read_amount
from core.commands.called import Answered, Called
from core.errors import InputError
from core.markdown import plain
from core.money import By, Grant, Level, Limit, Scope, Span, Total, Unit
from core.types import File, Outcome
from core.usage import amount, dollars, resets

PERIODS = ("day", "month", "year", "all")
WHOSE = ("me", "chat", "everyone")
SPANS: tuple[Span, ...] = ("day", "month")
UNITS: tuple[Unit, ...] = ("usd", "tokens")
MOST_ROWS = 10
MOST_DAYS = 62  # more bars than a phone shows are summed by month
_BY: dict[str, By] = {"me": "model", "chat": "person", "everyone": "person"}
_SPANNED = {"day": "a day", "month": "a month"}
_NOW = {"day": "today", "month": "this month"}


async def usage(called: Called) -> Answered:
    """Show what was spent: by oneself, in the chat, or, for owners, by everybody."""
    words = called.arguments.lower().split()
    period = next((word for word in words if word in PERIODS), "month")
    whose = next((word for word in words if word in WHOSE), "me")
    if whose == "everyone" and not called.rooms.access.is_owner(called.turn.person.id):
        return "What everybody spends is for my owner only."
    read = partial(
        called.rooms.store.totals,
        since=_since(period),
        person=called.turn.person.id if whose == "me" else None,
        chat=called.lease.chat_id if whose == "chat" else None,
    )
    who, when = _titles(whose, period)
    levels = await called.rooms.store.levels(called.purse.limits)
    left = ["\nLeft:\n", *(f"- {_left(level)}" for level in levels)] if levels else []
    everything = await read("all")
    if not everything or not everything[0].calls:
        return "\n".join([f"**{who}, {when}**: nothing was spent", *left])
    lines = [f"**{who}, {when}**: {_line(everything[0])}"]
    shown: Sequence[By] = ("model", "person", "chat") if whose == "everyone" else ("model",)
    sums = {by: await read(by) for by in {*shown, _BY[whose]}}
    lines += [f"\nBy {by}:\n\n{_list(sums[by])}" for by in shown]
    chart = Chart(
        title=who,
        subtitle=when,
        bars=await _bars(read, _since(period)),
        shares=[_share(row) for row in sums[_BY[whose]]],
        heading="Models" if whose == "me" else "People",
        limit=_day_limit(levels, whose) if period in {"day", "month"} else None,
    )
    picture = await asyncio.to_thread(draw, chart)
    image = File(name="usage.png", mime="image/png", data=picture)
    return Outcome(text="\n".join([*lines, *left]), files=(image,))


async def _bars(read: Callable[[By], Awaitable[list[Total]]], since: date | None) -> list[Bar]:
    """Return a bar for every day since then, or since the first use; of a long time, by month."""
    today = datetime.now().astimezone().date()
    first = since or date.fromisoformat(f"{(await read('month'))[0].id}-01")
    is_long = (today - first).days > MOST_DAYS
    sums = await read("month" if is_long else "day")
    return bars(sums, first, today, is_long=is_long)


def bars(sums: Sequence[Total], first: date, last: date, *, is_long: bool) -> list[Bar]:
    """Return a bar for every day between two, both included, also for those without use.

    Args:
        sums: Of days, or of months.
        first: The first day.
        last: The last.
        is_long: There is a bar for every month instead.
    """
    days = [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
    if is_long:
        labels = {f"{day:%Y-%m}": f"{day:%b %y}" for day in days}
    else:
        labels = {day.isoformat(): f"{day.day}" for day in days}
    found = {total.id: total for total in sums}
    return [
        _bar(label, found[key]) if key in found else Bar(label=label)
        for key, label in labels.items()
    ]


def _bar(label: str, total: Total) -> Bar:
    is_unknown = total.unpriced == total.calls
    return Bar(
        label=label,
        cost=None if is_unknown else total.cost,
        is_partial=not is_unknown and bool(total.unpriced),
        input=total.input,
        cached=total.cached,
        output=total.output,
    )


def _share(row: Total) -> Share:
    is_unknown = row.unpriced == row.calls
    return Share(
        name=row.name or "memory",
        cost=None if is_unknown else row.cost,
        tokens=row.input + row.output,
        is_partial=not is_unknown and bool(row.unpriced),
    )


def _day_limit(levels: Sequence[Level], whose: str) -> int | None:
    scope = {"me": "user", "chat": "chat", "everyone": "all"}[whose]
    caps = [v.cap for v in levels if (v.scope, v.span, v.unit) == (scope, "day", "usd")]
    return caps[0] if caps else None


def _since(period: str) -> date | None:
    today = datetime.now().astimezone().date()
    firsts = {"day": today, "month": today.replace(day=1), "year": today.replace(month=1, day=1)}
    return firsts.get(period)


def _titles(whose: str, period: str) -> tuple[str, str]:
    who = {"me": "You", "chat": "This chat", "everyone": "Everyone"}[whose]
    when = {"day": "today", "month": "this month", "year": "this year", "all": "in all"}[period]
    return who, when


def _line(total: Total) -> str:
    """Return a sum in words."""
    cost = dollars(total.cost)
    if total.unpriced:
        cost += f" and {total.unpriced} of {total.calls} calls whose price is unknown"
    parts = [cost, f"{total.input:,} tokens read", f"{total.output:,} written"]
    if total.cached:
        parts[1] += f" ({100 * total.cached // total.input} % from the cache)"
    if total.seconds:
        parts.append(f"{total.seconds / 60:.1f} minutes heard")
    return ", ".join(parts)


def _list(rows: Sequence[Total]) -> str:
    lines = [f"- {plain(row.name) or 'memory'}: {_line(row)}" for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        lines.append(f"- and {len(rows) - MOST_ROWS} more")
    return "\n".join(lines)


def _left(level: Level) -> str:
    scope = {"user": "for you", "chat": "in this chat", "all": "for everybody"}[level.scope]
    return f"{_rest(level)} {scope}; resets {resets(level)}"


def _rest(level: Level) -> str:
    left, cap = (amount(value, level.unit) for value in (level.left, level.cap))
    return f"{left} of {cap} {_SPANNED[level.span]}"


async def limit(called: Called) -> Answered:
    """Set how much somebody, a chat or everybody may spend."""
    where, rest = await _subject(called)
    span: Span = "month" if re.search(r"\bmonth\b", rest) else "day"
    limit = called.rooms.spending.limit(*where, span)
    if re.search(r"\bdefault\b", rest):
        for unit in UNITS:
            await called.rooms.store.uncap(limit, unit)
        return f"{_named(where)}: the limits of the settings count again for {_SPANNED[span]}."
    if re.search(r"\bnone\b", rest):
        for unit in UNITS:
            await called.rooms.store.cap(limit, unit, None)
        return f"{_named(where)}: no limit for {_SPANNED[span]} any more."
    value, unit = read_amount(rest)
    await called.rooms.store.cap(limit, unit, value)
    return f"{_named(where)}: at most {amount(value, unit)} {_SPANNED[span]} from now on."


async def grant(called: Called) -> Answered:
    """Allow somebody, a chat or everybody more, once; or let what they spent count no longer."""
    where, rest = await _subject(called)
    span: Span = "month" if re.search(r"\bmonth\b", rest) else "day"
    limit = called.rooms.spending.limit(*where, span)
    if re.search(r"\breset\b", rest):
        return await _reset(called, limit)
    value, unit = read_amount(rest)
    levels = [level for level in await called.rooms.store.levels([limit]) if level.unit == unit]
    text = f"{_named(where)}: there is no such limit for {_SPANNED[span]}, so no need."
    if levels:
        level = replace(levels[0], cap=levels[0].cap + value)
        text = f"{_named(where)}: {_rest(level)} is left now."
    # It counts with the turn that says so: one that is tried again after a crash grants it once.
    return Outcome(text=text, grants=(Grant(limit=limit, unit=unit, amount=value),))


async def _reset(called: Called, limit: Limit) -> str:
    """Let a day or month begin anew, and say which limits are left of whoever it is."""
    store, where = called.rooms.store, (limit.scope, limit.subject)
    await store.reset(limit)
    limits = [called.rooms.spending.limit(*where, span) for span in SPANS]
    levels = await store.levels(limits)
    lines = [f"- {_rest(level)}; resets {resets(level)}" for level in levels]
    text = f"{_named(where)}: what was spent {_NOW[limit.span]} counts no longer."
    return "\n".join([f"{text} Left:\n", *lines]) if lines else text


async def _subject(called: Called) -> tuple[tuple[Scope, str], str]:
    """Return whom a command is about, and the rest of what was written, in small letters."""
    who, *words = called.arguments.split() or [""]
    rest = " ".join(words).lower()
    if who.lower() in {"everyone", "all"}:
        return ("all", ""), rest
    if who.lower() in {"chat", "here"}:
        return ("chat", str(called.lease.chat_id)), rest
    if who and await called.rooms.store.known(who):
        return ("user", who), rest
    raise InputError(
        "Say whom it is about: an id as /users lists them, `chat` for this chat, or `everyone`; "
        "then how much, such as `$0.50` or `20,000 tokens`, and `day` or `month`."
    )


def _named(where: tuple[Scope, str]) -> str:
    scope, subject = where
    return {"user": f"`{subject}`", "chat": "This chat", "all": "Everyone together"}[scope]
