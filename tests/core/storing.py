"""Steps that tests of the store share."""

from collections.abc import Sequence

from core.protocols import Store
from core.store import DatabaseStore
from core.store.tx import Row, Tx
from core.types import Chat, Kind, Lease, Outgoing, Person, Turn
from tests.core.stand_ins import ANN, CHAT, StandInClock, incoming

CEE = Person(id="desk:3", name="Cee")


async def put(
    store: Store, *numbers: int, chat: Chat = CHAT, person: Person = ANN, kind: Kind = "message"
) -> None:
    """Store messages of somebody, named by their numbers."""
    for number in numbers:
        assert await store.put(incoming(number, f"m{number}", chat=chat, person=person), kind)


async def take(
    store: Store, clock: StandInClock, *, seconds: float = 0
) -> tuple[Lease, Outgoing | Turn]:
    """Lease the only chat that is ready, after some time."""
    clock.move(seconds)
    [(lease, work)], _ = await store.lease(["desk"], 9)
    return lease, work


async def take_turn(
    store: Store, clock: StandInClock, *, seconds: float = 0
) -> tuple[Lease, Turn]:
    """Lease the only chat that is ready; a turn waits in it."""
    lease, work = await take(store, clock, seconds=seconds)
    assert isinstance(work, Turn)
    return lease, work


async def expect_turn(store: Store, lease: Lease) -> Turn:
    """Return the next turn of a leased chat."""
    work = await store.next(lease)
    assert isinstance(work, Turn)
    return work


async def ready(store: Store, limit: int = 9) -> Sequence[tuple[Lease, Outgoing | Turn]]:
    """Lease what is ready."""
    return (await store.lease(["desk"], limit))[0]


def texts(turn: Turn) -> list[str]:
    """Return what a turn's messages say."""
    return [message.text for message in turn.messages]


def read(tx: Tx, sql: str, *values: object) -> Sequence[Row]:
    """Return the rows of a query."""
    return tx.all(sql, *values)


async def ledger(store: Store, purpose: str) -> list[tuple[int, int]]:
    """Return tokens in and out of the calls of a purpose."""
    assert isinstance(store, DatabaseStore)
    rows = await store._run(
        read, "SELECT input, output FROM usage WHERE purpose = ? ORDER BY id", purpose
    )
    return [(row["input"], row["output"]) for row in rows]
