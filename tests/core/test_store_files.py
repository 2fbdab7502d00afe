"""The contract of every store, part four: files that go out with a text."""

from core.protocols import Store
from core.store import DatabaseStore
from core.types import File, Notice, Outcome, Outgoing
from tests.core.stand_ins import ANN, GROUP, StandInClock
from tests.core.storing import put, read, take, take_turn

PICTURE = File(name="usage.png", mime="image/png", data=b"\x89PNG\x00\xff")
ARCHIVE = File(name="export \ud83d.zip", mime="application/zip", data=bytes(range(256)) * 5000)


async def kept(store: Store, table: str) -> int:
    """Return how many rows a table has."""
    assert isinstance(store, DatabaseStore)
    [row] = await store._run(read, f"SELECT COUNT(*) AS number FROM {table}")  # noqa: S608
    return int(row["number"])


async def test_files_come_back_unchanged_until_they_are_sent(
    store: Store, clock: StandInClock
) -> None:
    """They are committed with the text, handed out with it in order, and then deleted."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    outgoing = await store.finish(lease, turn, Outcome(text="Here", files=(PICTURE, ARCHIVE)))
    assert outgoing
    mended = File(name="export \ufffd.zip", mime=ARCHIVE.mime, data=ARCHIVE.data)
    assert (outgoing.files, outgoing.attached) == ((PICTURE, mended), 0)
    await store.postpone(lease, 0)
    lease, again = await take(store, clock)
    assert again == outgoing
    assert await store.next(lease, sent=outgoing.id) is None
    assert await kept(store, "outbox_file") == 0


async def test_files_need_no_text(store: Store, clock: StandInClock) -> None:
    """A file alone is an answer."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    outgoing = await store.finish(lease, turn, Outcome(files=(PICTURE,)))
    assert outgoing
    assert (outgoing.text, outgoing.files, outgoing.to) == ("", (PICTURE,), "1")


async def test_what_is_attached_comes_back_with_the_work(
    store: Store, clock: StandInClock
) -> None:
    """Receipts of files are counted and not taken for those of texts, nor by a later turn."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome(text="Here", files=(PICTURE, ARCHIVE)))
    for part, ref in ((0, "a"), (1, "b"), (-1, "p")):
        await store.posted(turn.id, part, ref)
    await store.postpone(lease, 0)
    lease, outgoing = await take(store, clock)
    assert isinstance(outgoing, Outgoing)
    assert (outgoing.posted, outgoing.attached, len(outgoing.files)) == (("a", "b"), 1, 2)
    last = await store.last_turn(lease)
    assert last
    assert last.posted == ("a", "b")


async def test_a_notice_has_files_and_receipts_of_its_own(
    store: Store, clock: StandInClock
) -> None:
    """What was asked for in a group goes to the private chat, and is known there once posted."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome())
    assert await store.next(lease) is None
    await put(store, 2, chat=GROUP)
    lease, turn = await take_turn(store, clock)
    notice = Notice(person=ANN.id, text="All I know", files=(ARCHIVE,))
    asked = await store.finish(lease, turn, Outcome(text="Sent to you.", notices=(notice,)))
    assert asked
    assert asked.files == ()
    lease, outgoing = await take(store, clock)
    assert isinstance(outgoing, Outgoing)
    assert (outgoing.turn, outgoing.text) == (None, "All I know")
    assert outgoing.files[0].data == ARCHIVE.data
    await store.posted(-outgoing.id, 0, "a")
    await store.posted(-outgoing.id, -1, "z")
    await store.postpone(lease, 0)
    lease, outgoing = await take(store, clock)
    assert isinstance(outgoing, Outgoing)
    assert (outgoing.posted, outgoing.attached) == (("a",), 1)
    await store.next(lease, sent=outgoing.id)
    assert (await kept(store, "outbox_file"), await kept(store, "receipt")) == (0, 0)


def test_a_file_does_not_show_what_is_in_it() -> None:
    """Logs and errors name a file at most."""
    assert repr(PICTURE) == "File(name='usage.png', mime='image/png')"
