"""Refusals, as the API words them."""

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A refusal.

    Attributes:
        status: HTTP status.
        code: Discord's own code ("JSON error codes").
        errors: Where in the form it lies, for code 50035.
        extra: Further fields of the body.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        errors: Json | None = None,
        extra: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors
        self.extra = extra or {}

    def json(self) -> Json:
        """Return the body."""
        found: Json = {"message": self.message, "code": self.code, **self.extra}
        if self.errors:
            found["errors"] = self.errors
        return found


# "Opcodes and status codes", JSON error codes, 2026-11: names of what is unknown.
_UNKNOWN = {
    "Channel": 10003,
    "Guild": 10004,
    "Member": 10007,
    "Message": 10008,
    "User": 10013,
    "Webhook": 10015,
    "interaction": 10062,
    "application command": 10063,
}
# The same list: what is not allowed, with its status.
_REFUSALS: dict[int, tuple[int, str]] = {
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    40094: (400, "This interaction has hit the limit of follow-up messages"),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50021: (403, "Cannot execute action on a system message"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50033: (400, "Invalid Recipient(s)"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    160002: (400, "Cannot reply without permission to read message history"),
    160004: (400, "A thread has already been created for this message"),
    160005: (400, "Thread is locked"),
    160014: (400, "You cannot forward a message whose content you cannot read."),
}


def refused(code: int) -> ApiError:
    """Return the refusal of that code."""
    status, message = _REFUSALS[code]
    return ApiError(status, code, message)


def unknown(what: str) -> ApiError:
    """Return the 404 that says what does not exist."""
    return ApiError(404, _UNKNOWN[what], f"Unknown {what}")


def not_found() -> ApiError:
    """Return the 404 of a path that leads nowhere."""
    return ApiError(404, 0, "404: Not Found")


def unauthorized() -> ApiError:
    """Return the 401 of a wrong token."""
    return ApiError(401, 0, "401: Unauthorized")


class Problems:
    """What is wrong with a form, by the place where it is."""

    def __init__(self) -> None:
        self._errors: Json = {}

    def add(self, path: str, code: str, message: str) -> None:
        """Note a problem at `path`, such as `options.0.name`; empty for the form as a whole."""
        place = self._errors
        for part in filter(None, path.split(".")):
            place = place.setdefault(part, {})
        place.setdefault("_errors", []).append({"code": code, "message": message})

    def check(self) -> None:
        """Raise the ApiError 50035 if there is any."""
        if self._errors:
            raise ApiError(400, 50035, "Invalid Form Body", errors=self._errors)


def invalid(path: str, code: str, message: str) -> ApiError:
    """Return the ApiError 50035 about one place."""
    problems = Problems()
    problems.add(path, code, message)
    try:
        problems.check()
    except ApiError as error:
        return error
    raise AssertionError
