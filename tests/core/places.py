"""Databases of each kind, to be copied from and to."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from core.store import moving, open_store

Kind = Literal["sqlite", "postgres"]
Place = Callable[[Kind], Path | str]
KINDS: tuple[Kind, ...] = ("sqlite", "postgres")


async def make(where: Path | str) -> None:
    """Make a database."""
    await (await open_store(where)).close()


def quiet(_label: str, _done: int, _total: int) -> None:
    """Look away."""


def copied(full: Path, kind: Kind, place: Place) -> Path | str:
    """Return a database of a kind that holds what `full` does."""
    where = place(kind)
    moving.migrate(full, where, quiet)
    return where
