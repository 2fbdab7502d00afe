"""The table of methods: what each takes, what it needs, what it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tests.servers.telegram.params import Params, bad

if TYPE_CHECKING:
    from tests.servers.telegram.server import TelegramServer

Run = Callable[["TelegramServer", Params], Any]
Pace = Literal["message", "draft"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of the Bot API.

    Attributes:
        types: Its documented parameters, each with the function that checks its type.
        required: What is said when a required one is missing.
        pace: As what the call counts for the flood limits; None for not at all.
    """

    name: str
    run: Run
    types: Mapping[str, Any]
    required: Mapping[str, str]
    pace: Pace | None = None

    def check(self, params: Params) -> None:
        """Raise the ApiError of the first required parameter that is missing."""
        for name, problem in self.required.items():
            if name not in params:
                raise bad(problem)


METHODS: dict[str, Method] = {}


def method(
    name: str,
    types: Mapping[str, Any],
    *,
    required: Mapping[str, str] | None = None,
    pace: Pace | None = None,
) -> Callable[[Run], Run]:
    """Put a function into the table; method names are case-insensitive, as documented."""

    def register(run: Run) -> Run:
        METHODS[name.lower()] = Method(
            name=name, run=run, types=types, required=required or {}, pace=pace
        )
        return run

    return register
