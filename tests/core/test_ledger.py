"""The ledger as rows for a spreadsheet."""

import dataclasses
from pathlib import Path

import pytest

from core.errors import StoreError
from core.protocols import Store
from core.store import ledger, open_store
from core.types import Outcome, Person, Usage
from tests.core.conftest import prepared
from tests.core.stand_ins import ANN, incoming
from tests.servers.postgres import PostgresServer

CALLS = (
    Usage(purpose="chat", model="a", input=3, cached=1, output=2, cost=1_234_567),
    Usage(purpose="transcribe", model="b", seconds=1.5, is_estimated=True),
)


async def spend(
    store: Store, number: int, calls: tuple[Usage, ...] = CALLS, *, person: Person = ANN
) -> None:
    """Let somebody spend something."""
    await store.put(incoming(number, "hi", person=person), "command")
    [(lease, turn)], _ = await store.lease(["desk"], 1)
    await store.finish(lease, turn, Outcome(usage=calls))  # type: ignore[arg-type]
    await store.next(lease)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_every_call_is_a_row(
    tmp_path: Path, postgres_server: PostgresServer, kind: str
) -> None:
    """Also while the program runs; the cost is exact, or empty where it is not known."""
    where: Path | str = tmp_path / "causerie.db"
    if kind == "postgres":
        where = postgres_server.url(await prepared(postgres_server))
    store = await open_store(where)
    try:
        await spend(store, 1)
        rows = [dict(zip(ledger.COLUMNS, row, strict=True)) for row in ledger.rows(where)]
        # More than a page, of which the last is full.
        await spend(store, 2, CALLS * (ledger.PAGE - 1))
        found = ledger.rows(where)
        assert next(found) == tuple(rows[0].values())
        await spend(store, 3)  # a reader who takes their time keeps nobody waiting
        assert len(list(found)) == 2 * ledger.PAGE + 1
    finally:
        await store.close()
    assert [(row["person"], row["name"], row["chat"]) for row in rows] == [
        (ANN.id, "Ann", "desk:1")
    ] * 2
    assert [(row["model"], row["seconds"], row["usd"], row["is_estimated"]) for row in rows] == [
        ("a", 0.0, "1.234567", 0),
        ("b", 1.5, "", 1),
    ]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t =1", "' =1"),
        ("\x1b]0;owned\x07\x1b[31mAnn\r\n", "]0;owned[31mAnn"),
        ("Anne-Marie = 'Ann'", "Anne-Marie = 'Ann'"),
    ],
)
async def test_a_name_does_nothing(tmp_path: Path, name: str, cell: str) -> None:
    """In a spreadsheet it is no formula, in a terminal no command; people choose it."""
    where = tmp_path / "causerie.db"
    store = await open_store(where)
    await spend(store, 1, person=dataclasses.replace(ANN, name=name))
    await store.close()
    assert {row[ledger.COLUMNS.index("name")].lstrip() for row in ledger.rows(where)} == {cell}


def test_where_there_is_none_that_is_told(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """Neither a missing file nor another one is taken for an empty ledger."""
    with pytest.raises(StoreError, match="There is no database"):
        list(ledger.rows(tmp_path / "causerie.db"))
    (tmp_path / "causerie.db").write_bytes(b"something else, and long enough to be read" * 40)
    with pytest.raises(StoreError, match="Cannot read the database"):
        list(ledger.rows(tmp_path / "causerie.db"))
    with pytest.raises(StoreError, match="nothing in the database"):
        list(ledger.rows(postgres_server.url("postgres")))
