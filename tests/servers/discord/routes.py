"""The table of routes: what each is called, whom it asks who calls, how it counts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.servers.discord.errors import ApiError, not_found

if TYPE_CHECKING:
    from tests.servers.discord.gate import Call
    from tests.servers.discord.server import DiscordServer

Run = Callable[["DiscordServer", "Call"], Any]


# Rate limits: "top-level resources" that count by themselves.
_MAJOR = ("channel_id", "guild_id", "webhook_token", "interaction_token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route of the API.

    Attributes:
        name: As the documentation titles it, in small letters: `create_message`.
        parts: The path; `{name}` is a placeholder.
        bucket: The rate limit it counts for, by its name in Limits.
        has_token: The path itself authorizes, no bot token is needed.
        status: Of a successful answer with a body; without a body it is 204.
    """

    name: str
    method: str
    parts: tuple[str, ...]
    run: Run
    bucket: str
    has_token: bool
    status: int

    def bucket_key(self, ids: dict[str, str]) -> tuple[str, str]:
        """Return what calls count together: the limit, and the channel, guild or token."""
        place = next((ids[name] for name in _MAJOR if name in ids), "")
        return (self.name if self.bucket == "other" else self.bucket), place


_ROUTES: dict[tuple[str, int], list[Route]] = {}
_LENGTHS: dict[int, list[Route]] = {}
BY_NAME: dict[str, Route] = {}


def route(
    spelled: str, *, bucket: str = "other", has_token: bool = False, status: int = 200
) -> Callable[[Run], Run]:
    """Put a function, under its own name, into the table as `METHOD /path/{placeholder}`."""
    method, _, path = spelled.partition(" ")
    parts = tuple(path.strip("/").split("/"))

    def register(run: Run) -> Run:
        found = Route(
            name=run.__name__,
            method=method,
            parts=parts,
            run=run,
            bucket=bucket,
            has_token=has_token,
            status=status,
        )
        _ROUTES.setdefault((method, len(parts)), []).append(found)
        _LENGTHS.setdefault(len(parts), []).append(found)
        BY_NAME[found.name] = found
        return run

    return register


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Return the route of a request and what stands in its placeholders.

    Raises:
        ApiError: 404 or 405: there is none.
    """
    parts = tuple(path.strip("/").split("/"))
    for found in _ROUTES.get((method, len(parts)), ()):
        values = _match(found.parts, parts)
        if values is not None:
            return found, values
    if any(_match(found.parts, parts) is not None for found in _LENGTHS.get(len(parts), ())):
        raise ApiError(405, 0, "405: Method Not Allowed")
    raise not_found()


def _match(pattern: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, str] | None:
    values = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected[0] == "{":
            values[expected[1:-1]] = part
        elif expected != part:
            return None
    return values
