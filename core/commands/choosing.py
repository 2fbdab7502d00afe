"""Commands about how the chat is answered: by which model, as whom, remembering what."""

from collections.abc import Sequence

from core import personas
from core.commands.called import Answered, Called
from core.markdown import code
from core.memory import Recalled
from core.types import Message
from core.usage import dollars


async def model(called: Called) -> Answered:
    """Show or choose the model."""
    rooms = called.rooms
    current = called.turn.state.model or rooms.models[0]
    if not called.arguments:
        return _choices("model", rooms.models, current)
    names = {name.lower(): name for name in rooms.models} | {name: name for name in rooms.models}
    name = names.get(called.arguments) or names.get(called.arguments.lower())
    if name is None:
        return f"I do not know that model. {_choices('model', rooms.models, current)}"
    await rooms.store.choose(called.lease, model=name)
    return f"From now on {code(name)} answers here."


async def persona(called: Called) -> Answered:
    """Show or choose the persona."""
    rooms = called.rooms
    current = called.turn.state.persona or personas.DEFAULT
    if not called.arguments:
        return _choices("persona", rooms.personas, current)
    name = called.arguments.lower()
    if name not in rooms.personas:
        return f"I do not know that persona. {_choices('persona', rooms.personas, current)}"
    await rooms.store.choose(called.lease, persona=name)
    return f"From now on I am {code(name)} here."


async def context(called: Called) -> Answered:
    """Show what the next prompt would hold."""
    empty = Message(role="user", content="")
    recalled = await called.rooms.recall(called.lease, called.turn, empty)
    used = recalled.persona + recalled.summary + recalled.history
    rows = [
        ("persona", recalled.persona),
        ("summary of what came earlier", recalled.summary),
        (f"{_turns(recalled)} messages kept word for word", recalled.history),
        ("room left", max(0, recalled.budget.prompt - used)),
    ]
    lines = [f"- {name}: {count:,} tokens" for name, count in rows]
    head = f"Of {recalled.budget.prompt:,} tokens, {code(recalled.prompt.models[0])} will see:"
    tail = f"A reply may take {recalled.budget.reply:,} more. {_price(called, recalled)}"
    if called.turn.state.is_off_record:
        tail += "\n\nThis chat is private: nothing that is said now is kept."
    return "\n".join((head, "", *lines, "", tail))


def _price(called: Called, recalled: Recalled) -> str:
    """Say what the next message would cost."""
    model, read = recalled.prompt.models[0], recalled.prompt.predicted
    price = called.rooms.spending.prices(model)
    if price is None:
        return f"What {code(model)} costs is unknown."
    most = price.cost(input=read, written=read, output=recalled.budget.reply)
    least = price.cost(input=read, cached=read)
    return (
        f"The next message costs {dollars(least)} to {dollars(most)}, by how much of this the "
        "provider still has in its cache and how long the reply is."
    )


def _turns(recalled: Recalled) -> int:
    return sum(m.role != "system" for m in recalled.prompt.messages) - 1


def _choices(what: str, names: Sequence[str], current: str) -> str:
    listed = "\n".join(f"- {code(n)}{' (now)' if n == current else ''}" for n in names)
    return f"Choose one with `/{what} name`:\n\n{listed}"
