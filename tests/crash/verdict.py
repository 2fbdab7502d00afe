"""What must hold in the end, whatever died meanwhile."""

import time

from tests.crash.ledger import MARK, Ledger
from tests.crash.world import Room, World


def problems(world: World, *, kills: int) -> list[str]:
    """Return what is wrong, but for a message that stands twice for a kill."""
    found = world.ledger.problems()
    surplus = 0
    for room in world.rooms:
        found += world.problems(room, duplicates=None)
        found += world.unanswered(room) + world.usage_problems(room) + paid_twice(world, room)
        surplus += world.surplus(room) or 0
    if surplus > kills:
        found.append(f"{surplus} messages stand twice after {kills} kills")
    if "Traceback" in world.log():
        found.append(world.log()[world.log().index("Traceback") :][:2000])
    return found


def paid_twice(world: World, room: Room) -> list[str]:
    """Return the questions for which the model was asked after their answer was committed."""
    found = []
    monotonic = time.time() - time.monotonic()
    for text in world.ledger.outbox(room.ref):
        for mark in MARK.findall(text.text)[:1]:
            late = [r for r in world.requests(mark) if (r.at + monotonic) * 1000 > text.at + 1]
            found += [f"{mark} was asked {len(late)} times after its answer"] if late else []
    return found


def budget_problems(ledger: Ledger, tokens: int) -> list[str]:
    """Return where budgets are exceeded, still held, or not what the ledger adds up to."""
    found = []
    for row in ledger.budgets:
        name = f"budget {row['scope']} {row['subject']} {row['period']}"
        if row["spent_tokens"] + row["held_tokens"] > tokens or row["held_tokens"]:
            found.append(f"{name}: {row['spent_tokens']} spent, {row['held_tokens']} held")
        if row["scope"] == "all" and row["spent_tokens"] != ledger.spent:
            found.append(f"{name}: {row['spent_tokens']} spent, {ledger.spent} in the ledger")
    return found
