"""The ledger as rows for a spreadsheet."""

from pathlib import Path

import pytest

from core.errors import StoreError
from core.store import ledger, open_store
from core.types import Outcome, Usage
from tests.core.stand_ins import ANN, incoming


async def test_every_call_is_a_row(tmp_path: Path) -> None:
    """Also while the program runs; the cost is exact, or empty where it is not known."""
    path = tmp_path / "causerie.db"
    store = await open_store(path)
    try:
        await store.put(incoming(1, "hi"), "command")
        [(lease, turn)], _ = await store.lease(["desk"], 1)
        usage = (
            Usage(purpose="chat", model="a", input=3, cached=1, output=2, cost=1_234_567),
            Usage(purpose="transcribe", model="b", seconds=1.5, is_estimated=True),
        )
        await store.finish(lease, turn, Outcome(usage=usage))  # type: ignore[arg-type]
        rows = [dict(zip(ledger.COLUMNS, row, strict=True)) for row in ledger.rows(path)]
    finally:
        await store.close()
    assert [(row["person"], row["name"], row["chat"]) for row in rows] == [
        (ANN.id, "Ann", "desk:1")
    ] * 2
    assert [(row["model"], row["seconds"], row["usd"], row["is_estimated"]) for row in rows] == [
        ("a", 0.0, "1.234567", 0),
        ("b", 1.5, "", 1),
    ]


def test_where_there_is_none_that_is_told(tmp_path: Path) -> None:
    """Neither a missing file nor another one is taken for an empty ledger."""
    with pytest.raises(StoreError, match="There is no database"):
        list(ledger.rows(tmp_path / "causerie.db"))
    (tmp_path / "causerie.db").write_bytes(b"something else, and long enough to be read" * 40)
    with pytest.raises(StoreError, match="Cannot read the database"):
        list(ledger.rows(tmp_path / "causerie.db"))
