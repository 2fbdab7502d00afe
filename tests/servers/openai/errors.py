"""Refusals in the shape OpenAI sends them; the sentences are its own, as people quote them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

INVALID = "invalid_request_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """An answer instead of a reply: found by a check, or ordered as a fault.

    Attributes:
        body: Sent as it is when bytes, as JSON otherwise.
    """

    status: int
    body: Mapping[str, object] | bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def response(self) -> web.Response:
        """Return it as a web response."""
        headers = {"x-request-id": "req_loopback", **self.headers}
        if isinstance(self.body, bytes):
            return web.Response(
                status=self.status, body=self.body, headers=headers, content_type=self.content_type
            )
        return web.json_response(dict(self.body), status=self.status, headers=headers)


def refusal(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    kind: str = INVALID,
) -> Refuse:
    """Return a refusal with OpenAI's error object."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Refuse(status=status, body={"error": error})


def bad_key(key: str) -> Refuse:
    """Refuse a key; like the real server, show its ends only."""
    shown = f"{key[:5]}{'*' * 8}{key[-4:]}"
    text = (
        f"Incorrect API key provided: {shown}. You can find your API key at "
        "https://platform.openai.com/account/api-keys."
    )
    return refusal(401, text, code="invalid_api_key")


def no_key() -> Refuse:
    """Refuse a request without a key."""
    return refusal(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization "
        "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    )


def unknown_model(name: str) -> Refuse:
    """Refuse a model nobody knows."""
    text = f"The model `{name}` does not exist or you do not have access to it."
    return refusal(404, text, code="model_not_found")


def retired_model(name: str) -> Refuse:
    """Refuse a model that was shut down."""
    text = (
        f"The model `{name}` has been deprecated, learn more here: "
        "https://platform.openai.com/docs/deprecations"
    )
    return refusal(404, text, code="model_not_found")


def unsupported(name: str, *, instead: str = "") -> Refuse:
    """Refuse a parameter that this model does not take."""
    text = f"Unsupported parameter: '{name}' is not supported with this model."
    if instead:
        text += f" Use '{instead}' instead."
    return refusal(400, text, code="unsupported_parameter", param=name)
