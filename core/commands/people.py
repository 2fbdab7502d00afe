"""Commands about people: who is who, who is let in."""

from core.commands.called import Answered, Called
from core.markdown import plain
from core.people import Known
from core.types import File, Notice, Outcome

MOST_LISTED = 50  # as text; there can be thousands, each of which may call itself anything


async def show_id(called: Called) -> Answered:
    """Show the ids that the settings want."""
    chat = called.incoming.chat
    lines = [f"You are `{called.turn.person.id}`."]
    if not chat.is_private:
        lines.append(f"This chat is `{chat.id}`.")
        lines.extend(f"It is a part of `{place}`." for place in chat.places)
    return "\n".join(lines)


async def approve(called: Called) -> Answered:
    """Let somebody in."""
    return await _decide(called, "approved", "may talk to me now")


async def deny(called: Called) -> Answered:
    """Keep somebody out."""
    return await _decide(called, "denied", "may not talk to me")


async def _decide(called: Called, status: str, verdict: str) -> Answered:
    if not called.arguments:
        return "Write the code or the id of the person behind the command."
    if called.rooms.access.is_owner(called.arguments):
        return "Owners may always; the setting OWNERS says who they are."
    known = await called.rooms.store.decide(called.arguments, status)
    if known is None:
        return "I know nobody with this code or id. A code holds for an hour."
    welcome = Notice(person=known.id, text="My owner has let you in. What can I do for you?")
    return Outcome(
        text=f"{plain(known.name)} (`{known.id}`) {verdict}.",
        notices=(welcome,) if status == "approved" else (),
    )


async def users(called: Called) -> Answered:
    """List everybody who ever wrote, those who wait for a decision first."""
    people = await called.rooms.store.everybody()
    people.sort(key=lambda known: known.status != "asked")
    rows = [(known.name, known.id, _standing(called, known)) for known in people]
    lines = [f"- {plain(name)} (`{id_}`): {standing}" for name, id_, standing in rows]
    if len(rows) <= MOST_LISTED:
        return "\n".join(lines)
    lines[MOST_LISTED:] = [f"- and {len(rows) - MOST_LISTED:,} more: the file lists everybody"]
    data = "\n".join(f"{name} ({id_}): {standing}" for name, id_, standing in rows).encode()
    file = File(name="users.txt", mime="text/plain", data=data)
    return Outcome(text="\n".join(lines), files=(file,))


def _standing(called: Called, known: Known) -> str:
    if called.rooms.access.is_owner(known.id):
        return "owner"
    return known.status or "no decision"
