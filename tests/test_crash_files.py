"""The process dies by SIGKILL between the text of a reply, its files, and their receipts."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.platforms import Discord, Platform, Telegram
from tests.crash.trial import Case, Trial, crash, trials
from tests.crash.world import World
from tests.pictures import png

STEPS = (
    Case(steps=(("bot.final", "before"),)),
    Case(steps=(("store.posted", "after"),)),
    Case(steps=(("store.posted", "after", 2),)),
    Case(steps=(("bot.final", "after"),)),
)
TELEGRAM = (
    *STEPS,
    Case(held=(("called", "sendPhoto"),)),
    Case(held=(("done", "sendPhoto"),), duplicates=1),
    Case(steps=(("store.posted", "before", 2),), duplicates=1),
    Case(held=(("called", "sendDocument"),)),
    Case(held=(("done", "sendDocument"),), duplicates=1),
)
DISCORD = (
    *STEPS,
    Case(steps=(("store.posted", "before"),)),
    Case(steps=(("store.posted", "before", 2),)),
    Case(steps=(("store.posted", "before", 3),)),
)


@pytest.mark.parametrize(
    ("platform", "cases"),
    [(Telegram(), TELEGRAM), (Discord(), DISCORD)],
    ids=["telegram", "discord"],
)
async def test_files_of_a_killed_delivery_arrive_once(
    tmp_path: Path, platform: Platform, cases: Sequence[Case]
) -> None:
    """One stands twice only where the platform had it and cannot know it again."""
    async with World(tmp_path, platform) as world:
        killed = trials(world, cases, "s")

        def act(trial: Trial) -> None:
            _notify(tmp_path / "causerie.db", trial.room.ref)
            world.ask(trial.room, trial.mark)

        await crash(world, killed, act)
        for trial in killed:
            assert not world.problems(trial.room), trial.case
            files = trial.room.place.files
            assert len(files) == 2 + trial.case.duplicates, trial.case
            assert list(dict.fromkeys(files)) == ["a.png", "b.zip"], trial.case


def _notify(path: Path, ref: str) -> None:
    """Put a text with two files into the outbox of a chat, for its next worker to find."""
    with closing(sqlite3.connect(path)) as connection, connection:
        (number,) = connection.execute(
            "INSERT INTO outbox (chat_id, text, created_at)"
            " SELECT id, 'Look', 0 FROM chat WHERE ref = ? RETURNING id",
            (ref,),
        ).fetchone()
        files = (number, 0, "a.png", "image/png", png()), (number, 1, "b.zip", "", b"PK")
        connection.executemany("INSERT INTO outbox_file VALUES (?, ?, ?, ?, ?)", files)
