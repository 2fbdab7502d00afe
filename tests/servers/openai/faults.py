"""Faults to order: `server.fail(rate_limited(retry_after=1), times=2)`."""

from dataclasses import dataclass
from typing import Literal

from tests.servers.openai.errors import Refuse, bad_key, refusal, unknown_model

PAGE = b"<!DOCTYPE html><html><body><h1>Bad gateway</h1><p>proxy.internal</p></body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The connection fails.

    Attributes:
        how: `reset` by the server; `stall`, silent until the client leaves; `eof`, ended
            politely but without finish_reason and [DONE]; `malformed`, a chunk that is no
            JSON; `error`, an error object as an event.
        after: How many pieces of the reply go out before; None: not even the status line
            (for `reset` and `stall`); "finish": the whole reply and its finish_reason;
            "done": [DONE] as well, so that only the response's end is missing.
        finish: The finish_reason.
    """

    how: Literal["reset", "stall", "eof", "malformed", "error"]
    after: int | Literal["finish", "done"] | None = None
    finish: str = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A sound reply of an unusual shape.

    Attributes:
        finish: The finish_reason.
        refusal: Sent as the refusal, in place of content.
        is_empty: Without any content.
        is_whole: In one chunk.
        is_crlf: Lines end in CRLF.
        is_commented: With keep-alive comments between events.
        has_empty_choices: A chunk without choices comes first, as Azure sends it.
        has_usage: False: usage is left out although it was asked for.
        split: Bytes per TCP write; 0 for one write per event.
        is_multiline: The JSON of an event is spread over several data lines.
    """

    finish: str = "stop"
    refusal: str = ""
    is_empty: bool = False
    is_whole: bool = False
    is_crlf: bool = False
    is_commented: bool = False
    has_empty_choices: bool = False
    has_usage: bool = True
    split: int = 0
    is_multiline: bool = False


Fault = Refuse | Break | Shape


def rate_limited(*, retry_after: float | None = None) -> Refuse:
    """Too many requests.

    Args:
        retry_after: Seconds, sent in the header Retry-After; None: no such header.
    """
    found = refusal(
        429,
        "Rate limit reached for this model in organization org-loopback on requests per min "
        "(RPM): Limit 3, Used 3, Requested 1.",
        code="rate_limit_exceeded",
        kind="requests",
    )
    if retry_after is None:
        return found
    return Refuse(
        status=found.status, body=found.body, headers={"Retry-After": f"{retry_after:g}"}
    )


def out_of_quota() -> Refuse:
    """The account has no money left."""
    return refusal(
        429,
        "You exceeded your current quota, please check your plan and billing details. For more "
        "information on this error, read the docs: "
        "https://platform.openai.com/docs/guides/error-codes/api-errors.",
        code="insufficient_quota",
        kind="insufficient_quota",
    )


def wrong_key() -> Refuse:
    """The key is refused although it is the right one (revoked, say)."""
    return bad_key("sk-revoked-loopback-0000")


def no_model(name: str) -> Refuse:
    """The model does not exist."""
    return unknown_model(name)


def broken(status: int = 500) -> Refuse:
    """The server has a bad day."""
    text = "The server had an error while processing your request. Sorry about that!"
    return refusal(status, text, kind="server_error")


def html(status: int = 200) -> Refuse:
    """Something in between answers with a web page."""
    return Refuse(status=status, body=PAGE, content_type="text/html")


def refused(
    status: int, message: str, *, code: str | None = None, param: str | None = None
) -> Refuse:
    """Any other error object, for the wordings of other servers."""
    return refusal(status, message, code=code, param=param)
