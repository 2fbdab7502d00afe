"""Whatever is held, settled and let go, in whatever order: no limit is ever exceeded."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import By, Limit
from core.store import expiry, privacy, spending, sums, totals
from core.store.privacy import ANONYMOUS
from core.store.schema import MIGRATIONS
from core.store.sqlite_tx import SqliteTx
from core.store.tx import Row, Tx
from core.types import Usage

NAMES = ("a", "b", "c", "d")
PEOPLE = ("ann", "bob")
CAP = 1_000
STEP = st.tuples(
    st.sampled_from(["hold", "settle", "release", "reset", "wait"]),
    st.sampled_from(NAMES),
    st.sampled_from(PEOPLE),
    st.integers(0, 700),
    st.floats(0, 1),
)


def limits(person: str) -> tuple[Limit, ...]:
    """Return what applies to somebody."""
    return (
        Limit(scope="user", subject=person, span="day", usd=CAP),
        Limit(scope="user", subject=person, span="month", tokens=3 * CAP),
        Limit(scope="all", subject="", span="month", usd=2 * CAP),
    )


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """Open a database in memory with a private chat in it, and a group."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    for statements in MIGRATIONS:
        for statement in statements:
            connection.execute(statement.replace("{serial}", "INTEGER PRIMARY KEY"))
    connection.executemany(
        "INSERT INTO chat (platform, ref, is_private, title) VALUES ('x', ?, ?, '')",
        [("1", 1), ("2", 0)],
    )
    yield connection
    connection.close()


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_no_order_of_events_exceeds_a_limit(steps: list[tuple[str, str, str, int, float]]) -> None:
    """Spent and held stay within the cap, held is never negative, and no cent is lost.

    A reset lets what was spent count no longer, and nothing else: not what is held, not what it
    comes to afterwards, not the ledger.
    """
    with database() as connection:
        now, held, entered = 1_700_000_000_000, dict[str, tuple[str, int]](), 0
        spent: Counter[Limit] = Counter()
        for action, name, person, amount, share in steps:
            tx = SqliteTx(connection, now)
            if action == "hold":
                standing = spending.hold(tx, name, limits(person), usd=amount, tokens=amount)
                held.pop(name, None)
                if not standing.refused:
                    held[name] = (person, amount)
            elif action == "settle" and name in held:
                who, most = held.pop(name)
                cost = int(most * share)
                call = Usage(purpose="chat", model="m", input=cost, cost=cost)
                sums.spend(tx, 1, who, (call,), None)
                spending.settle(tx, name, (call,))
                entered += cost
                spent.update(dict.fromkeys(limits(who), cost))
            elif action == "reset":
                limit = limits(person)[amount % 3]
                spending.reset(tx, limit)
                spent.pop(limit, None)
            elif action == "release":
                spending.release(tx, name)
                held.pop(name, None)
            elif action == "wait":
                now += 60_000
            check(SqliteTx(connection, now), held, spent)
            [ledger] = connection.execute("SELECT SUM(cost) FROM usage").fetchone()
            [days] = connection.execute("SELECT SUM(cost) FROM usage_day").fetchone()
            assert (ledger or 0) == (days or 0) == entered


def check(tx: Tx, held: dict[str, tuple[str, int]], spent: Counter[Limit]) -> None:
    """Compare what the database says of limits with what happened."""
    for person in PEOPLE:
        for limit in limits(person):
            [level] = spending.levels(tx, [limit])
            assert level.held >= 0
            assert level.spent + level.held <= level.cap
            assert level.spent == spent[limit]
            mine = [
                amount for who, amount in held.values() if level.scope == "all" or who == person
            ]
            assert level.held == sum(mine)


EPOCH = date(1970, 1, 1).toordinal()
DAY_MS = 24 * 60 * 60 * 1000
CHANGE = st.tuples(
    st.sampled_from(["spend", "spend", "spend", "wait", "forget", "expire"]),
    st.sampled_from((*PEOPLE, "")),
    st.integers(1, 2),
    st.sampled_from("mn"),
    st.one_of(st.none(), st.integers(0, 500)),
    st.sampled_from((1, 20, 400)),
)
WHOSE: tuple[tuple[str | None, int | None], ...] = (
    (None, None),
    ("ann", None),
    (ANONYMOUS, 2),
    (None, 1),
)
# What each sum is the sum of, in a row of usage_day.
KEYS: dict[By, Callable[[Row], str]] = {
    "all": lambda _: "",
    "day": lambda row: date.fromordinal(EPOCH + row["day"]).isoformat(),
    "month": lambda row: date.fromordinal(EPOCH + row["day"]).isoformat()[:7],
    "person": lambda row: str(row["person"]),
    "chat": lambda row: str(row["chat_id"]),
    "model": lambda row: str(row["model"]),
    "purpose": lambda row: str(row["purpose"]),
}


@settings(max_examples=100, deadline=None)
@given(st.lists(CHANGE, max_size=30), st.integers(0, 800))
def test_all_sums_agree(
    changes: list[tuple[str, str, int, str, int | None, int]], days: int
) -> None:
    """With the ledger and with each other, whatever lost its name; of nothing there is none."""
    with database() as connection:
        now = 1_700_000_000_000
        for action, person, chat, model, cost, time in changes:
            tx = SqliteTx(connection, now)
            if action == "spend":
                call = Usage(purpose="chat", model=model, input=9, output=time, cost=cost)
                sums.spend(tx, chat, person, (call,), None)
            elif action == "forget":
                privacy.erase(tx, person)
            elif action == "expire":
                expiry.expire(tx, time)
            else:
                now += time * DAY_MS
        tx = SqliteTx(connection, now)
        for table in ("usage_day", "usage_month"):
            assert tx.all(f"SELECT * FROM {table} WHERE calls = 0") == []  # noqa: S608
        ledger = tx.all("SELECT COUNT(*), COALESCE(SUM(cost), 0) FROM usage HAVING COUNT(*) > 0")
        found = totals.totals(tx, "all", None, None, None)
        assert [(total.calls, total.cost) for total in found] == [tuple(row) for row in ledger]
        day = date.fromordinal(EPOCH + sums.day_of(now) - days)
        for since in (None, day, day.replace(day=1)):
            for whose, where in WHOSE:
                compare(tx, since, whose, where)


def compare(tx: Tx, since: date | None, person: str | None, chat: int | None) -> None:
    """Compare what is shown of some with the sums of days that it is made of."""
    for by, key in KEYS.items():
        first = since.replace(day=1) if since and by == "month" else since
        rows = [
            row
            for row in tx.all("SELECT * FROM usage_day")
            if person in (None, row["person"]) and chat in (None, row["chat_id"])
            if first is None or row["day"] >= first.toordinal() - EPOCH
        ]
        expected: Counter[str] = Counter()
        for row in rows:
            for name in ("calls", "input", "output", "cost", "unpriced"):
                expected[f"{key(row)} {name}"] += row[name]
        found = {
            f"{total.id} {name}": getattr(total, name)
            for total in totals.totals(tx, by, since, person, chat)
            for name in ("calls", "input", "output", "cost", "unpriced")
        }
        assert found == dict(expected)
