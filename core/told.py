"""What is told of a piece of work: in the log, in numbers, and in its trace."""

import logging

from core import metrics, tracing
from core.tracing import Work
from core.types import Lease, Outcome, Outgoing, Turn

log = logging.getLogger(__name__)


def working_on(lease: Lease, work: Outgoing | Turn) -> Work:
    """Return the work that everything belongs to which is done in its `with` block."""
    if isinstance(work, Turn):
        return Work("turn", chat=lease.chat_id, turn=work.id)
    return Work("outbox", chat=lease.chat_id, turn=work.turn)


def tell(lease: Lease, turn: Turn, outcome: Outcome, seconds: float) -> None:
    """Say what came of a turn: in numbers, in its trace, and in one line of the log."""
    calls = outcome.usage
    costs = [call.cost for call in calls]
    usd = None if None in costs else sum(cost or 0 for cost in costs) / 1_000_000
    fields = {
        "chat": lease.chat_id,
        "turn": turn.id,
        "kind": turn.kind,
        "person": turn.person.id,
        "outcome": outcome.ending,
        "model": calls[-1].model if calls else "-",
        "in": sum(call.input for call in calls),
        "cached": sum(call.cached for call in calls),
        "out": sum(call.output for call in calls),
        "usd": usd,
        "seconds": round(seconds, 3),
    }
    platform = lease.chat.platform
    metrics.count(metrics.TURNS, platform, turn.kind, outcome.ending)
    tracing.note(
        {
            "causerie.platform": platform,
            "causerie.kind": turn.kind,
            "causerie.outcome": outcome.ending,
            "causerie.attempt": turn.attempts,
            "causerie.waited_seconds": turn.waited,
        }
    )
    log.info(
        "turn chat=%(chat)d turn=%(turn)d kind=%(kind)s person=%(person)s outcome=%(outcome)s"
        " model=%(model)s in=%(in)d cached=%(cached)d out=%(out)d usd=%(usd)s"
        " seconds=%(seconds).2f",
        {**fields, "usd": "?" if usd is None else f"{usd:.6f}"},
        extra={"fields": fields},
    )
