"""What processes tell one another through PostgreSQL: where work is, whose turn is to end."""

import json
import logging
from collections.abc import Iterable

from core.store.tx import Signal, Tx

log = logging.getLogger(__name__)

CHANNEL = "causerie"
MOST_TOLD = 50  # in a notification, which takes 8,000 bytes


def notify(tx: Tx, name: str, signals: Iterable[Signal]) -> None:
    """Tell the other processes; `name` is this one's."""
    news = list(signals)
    for start in range(0, len(news), MOST_TOLD):
        payload = json.dumps([name, news[start : start + MOST_TOLD]])
        tx.all("SELECT pg_notify(?, ?)", CHANNEL, payload)


def told(payload: str, *, listener: str) -> Iterable[Signal]:
    """Return what another process than `listener` told; nothing if no process of ours did."""
    try:
        name, news = json.loads(payload)
        signals = [signal and (str(signal[0]), str(signal[1])) for signal in news]
    except (LookupError, TypeError, ValueError):
        log.warning("a notification in the channel %s is none of ours", CHANNEL)
        return ()
    return signals if name != listener else ()
