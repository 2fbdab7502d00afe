"""Commands about what is stored of whoever gives them: see it, delete it, leave no trace."""

import asyncio
from dataclasses import replace

from core import export as exports
from core.commands.called import Answered, Called
from core.kept import Kept
from core.types import File, Notice, Outcome

SWITCH = ("on", "off")
YES = ("yes",)
_HERE = "Here is everything that I have stored about you."


async def export(called: Called) -> Answered:
    """Send somebody, in private, everything that is stored about them."""
    person = called.turn.person
    stored = await called.rooms.store.stored(person.id)
    is_private = called.incoming.chat.is_private
    if not is_private and not any(row["private_chat"] for row in stored["person"]):
        return "Write to me in private first; I send it there, where nobody else can read it."
    data = await asyncio.to_thread(exports.pack, stored)
    file = File(name="causerie-export.zip", mime="application/zip", data=data)
    if is_private:
        return Outcome(text=_HERE, files=(file,))
    notice = Notice(person=person.id, text=_HERE, files=(file,))
    return Outcome(text="I have sent it to you in private.", notices=(notice,))


async def forget(called: Called) -> Answered:
    """Say how much is stored about somebody; once they confirm it, delete it."""
    store = called.rooms.store
    if called.arguments.lower() not in YES:
        return _warning(await store.kept(called.lease, called.turn))
    if not await store.may_forget(called.lease, called.turn):
        return "Write /forget first: I will tell you what would be deleted."
    return Outcome(
        text=(
            "It is done: I have forgotten you. What others said is still there; what my owner "
            "decided about you stays, and so do sums of what was spent, without your name."
        ),
        forgets=True,
    )


def _warning(kept: Kept) -> str:
    counted = [
        _count(kept.messages, "message") + " of yours",
        _count(kept.answers, "answer") + " to them",
        _count(kept.summaries, "summary", "summaries") + " of what was said",
        _count(kept.calls, "entry", "entries") + " of what that cost",
    ]
    if kept.waiting:
        counted.insert(1, _count(kept.waiting, "message") + " that I have not answered yet")
    return (
        f"I have stored {', '.join(counted[:-1])} and {counted[-1]}. Write `/forget yes` within "
        "ten minutes, and I delete it for good: in all chats, and my memory of all that was said "
        "in private. In groups, what others said stays, but summaries are dropped. Costs stay, "
        "without your name. /export sends you everything first."
    )


def _count(number: int, noun: str, nouns: str = "") -> str:
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


async def private(called: Called) -> Answered:
    """Show or choose whether anything is kept of what is said."""
    choice = called.arguments.lower()
    if choice in SWITCH:
        await called.rooms.store.choose(called.lease, is_off_record=choice == "on")
        state = replace(called.turn.state, is_off_record=choice == "on")
    else:
        state = called.turn.state
    if state.is_off_record:
        return (
            "Private: I answer with what I remember of this chat, but keep nothing of what is "
            "said here from now on, and forget it once it is answered. `/private off` ends this."
        )
    return "I remember what is said here. `/private on` makes me forget it once it is answered."
