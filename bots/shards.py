"""Which of the connections that a platform parts a large bot into a process keeps."""

import re
from dataclasses import dataclass
from typing import Self

# Discord recommends one for 1,000 servers or so; no bot is in ten million.
MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards:
    """A range of all shards.

    Attributes:
        first: From 0.
        last: At least `first`.
        count: Of all there are, here and elsewhere.
    """

    first: int
    last: int
    count: int

    @classmethod
    def read(cls, spelled: object) -> Self | None:
        """Return what `4`, `0-3/8` or `3/8` says; None for nothing.

        Raises:
            ValueError: It says something else.
        """
        text = re.sub(r"\s+", "", str(spelled or ""))
        if not text:
            return None
        found = re.fullmatch(r"(?:(\d{1,6})(?:-(\d{1,6}))?/)?(\d{1,6})", text, re.ASCII)
        if not found:
            raise ValueError("should be a number such as 4, or a range such as 0-3/8, or empty")
        count = int(found[3])
        first = int(found[1] or 0)
        last = int(found[2] or first) if found[1] else count - 1
        if not 1 <= count <= MOST:
            raise ValueError(f"should be from 1 to {MOST} shards")
        if not first <= last < count:
            raise ValueError(
                f"should be a range from low to high; of {count}, they go from 0 to {count - 1}"
            )
        return cls(first=first, last=last, count=count)

    @property
    def ids(self) -> range:
        """Their numbers."""
        return range(self.first, self.last + 1)

    @property
    def is_all(self) -> bool:
        """Whether there are no others."""
        return len(self.ids) == self.count

    def __str__(self) -> str:
        return f"{self.first}-{self.last}/{self.count}"
