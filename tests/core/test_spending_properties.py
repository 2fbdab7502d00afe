"""Whatever is held, settled and let go, in whatever order: no limit is ever exceeded."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import Limit
from core.store import spending
from core.store.schema import MIGRATIONS
from core.store.sqlite import SqliteTx
from core.store.tx import Tx
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
    """Open a database in memory with one chat in it."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    for statements in MIGRATIONS:
        for statement in statements:
            connection.execute(statement.replace("{serial}", "INTEGER PRIMARY KEY"))
    connection.execute("INSERT INTO chat (platform, ref, is_private, title) VALUES ('x','1',1,'')")
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
                standing = spending.hold(tx, name, limits(person), amount, amount)
                held.pop(name, None)
                if not standing.refused:
                    held[name] = (person, amount)
            elif action == "settle" and name in held:
                who, most = held.pop(name)
                cost = int(most * share)
                call = Usage(purpose="chat", model="m", input=cost, cost=cost)
                spending.spend(tx, 1, who, (call,), None)
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
