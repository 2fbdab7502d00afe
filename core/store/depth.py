"""The transactions of whoever watches: how much waits, and can anything be stored?

Plain functions of a transaction; see `core.protocols.Store` for what `depth` promises.
"""

from core.kept import Depth
from core.store.tx import Tx
from core.types import MOST_FAILURES


def probe(tx: Tx) -> None:
    """Store something that nobody reads."""
    tx.do(
        "INSERT INTO chore (name, at) VALUES ('probed', ?)"
        " ON CONFLICT (name) DO UPDATE SET at = excluded.at",
        tx.now,
    )


def depth(tx: Tx) -> Depth:
    """Count what waits; each count reads an index of just that."""
    [inbox] = tx.all(
        "SELECT COUNT(*) AS waiting, MIN(ready_at) AS oldest FROM inbox WHERE done_at IS NULL"
    )
    [outbox] = tx.all(
        "SELECT COUNT(*) AS waiting FROM outbox WHERE sent_at IS NULL AND failures < ?",
        MOST_FAILURES,
    )
    [dead] = tx.all("SELECT COUNT(*) AS given_up FROM dead")
    [holds] = tx.all("SELECT COUNT(*) AS open FROM hold WHERE expires_at > ?", tx.now)
    oldest = tx.now if inbox["oldest"] is None else inbox["oldest"]
    return Depth(
        waiting=inbox["waiting"],
        oldest_seconds=max(0, tx.now - oldest) / 1000,
        outbox=outbox["waiting"],
        dead=dead["given_up"],
        holds=holds["open"],
    )
