"""What a request says: parameters from JSON, form, multipart or query, checked and typed."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

Params = dict[str, Any]

# Bot API: "parameters in Bot API requests": query string, urlencoded, JSON, multipart.
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


class ApiError(Exception):
    """A refusal, as the Bot API words it.

    Attributes:
        code: HTTP status and `error_code`.
        parameters: `ResponseParameters`: retry_after, migrate_to_chat_id.
    """

    def __init__(
        self, code: int, description: str, parameters: dict[str, int] | None = None
    ) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad(text: str) -> ApiError:
    """Return the 400 that carries `text`."""
    return ApiError(400, f"Bad Request: {text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file sent with multipart/form-data."""

    name: str
    mime: str
    data: bytes


async def read(request: web.BaseRequest) -> Params:
    """Return the raw parameters of a request: text, or Upload.

    As the real server does, JSON values other than text become their JSON text, so that
    every way of sending looks the same afterwards.

    Raises:
        ApiError: The body is not what its Content-Type says.
    """
    params: Params = dict(parse_qsl(request.query_string, keep_blank_values=True))
    if request.method != "POST" or not request.can_read_body:
        return params
    kind = request.content_type
    if kind == _FORM:
        params.update(_from_form(await request.read()))
    elif kind == _JSON:
        params.update(_from_json(await request.read()))
    elif kind == _MULTIPART:
        for name, value in (await request.post()).items():
            params[name] = _upload(value) if isinstance(value, web.FileField) else value
    return params


def _from_form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise bad("strings must be encoded in UTF-8") from None


def _from_json(body: bytes) -> Params:
    try:
        values = json.loads(body)
    except ValueError:
        raise bad("can't parse JSON object") from None
    if not isinstance(values, dict):
        raise bad("can't parse JSON object")
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }


def _upload(field: web.FileField) -> Upload:
    with field.file as file:
        return Upload(name=field.filename, mime=field.content_type, data=file.read())


def integer(name: str, value: Any) -> int:
    """Return an Integer parameter."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value):
        return int(value)
    raise bad(f'parameter "{name}" must be an Integer')


def text(name: str, value: Any) -> str:
    """Return a String parameter."""
    if not isinstance(value, str):
        raise bad(f'parameter "{name}" must be a String')
    try:
        value.encode()
    except UnicodeEncodeError:
        raise bad("strings must be encoded in UTF-8") from None
    return value


def boolean(name: str, value: Any) -> bool:
    """Return a Boolean parameter."""
    if value in ("true", "True", "1"):
        return True
    if value in ("false", "False", "0"):
        return False
    raise bad(f'parameter "{name}" must be a Boolean')


def array(name: str, value: Any) -> list[Any]:
    """Return an Array parameter, JSON-serialized."""
    decoded = _decode(name, value)
    if not isinstance(decoded, list):
        raise bad(f"can't parse {name}: expected an Array")
    return decoded


def mapping(name: str, value: Any) -> dict[str, Any]:
    """Return an object parameter, JSON-serialized."""
    decoded = _decode(name, value)
    if not isinstance(decoded, dict):
        raise bad(f"can't parse {name}: expected an Object")
    return decoded


def _decode(name: str, value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        raise bad(f"can't parse {name} JSON object") from None


def chat_ref(_name: str, value: Any) -> int | str:
    """Return an "Integer or String" chat id: a number, or @username."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"@\w{4,32}", value):
        return value
    raise bad("chat not found" if value else "chat_id is empty")


def media(name: str, value: Any) -> Upload | str:
    """Return an "InputFile or String" parameter."""
    if isinstance(value, Upload):
        return value
    return text(name, value)


def typed(raw: Params, types: Mapping[str, Any]) -> tuple[Params, list[str]]:
    """Return the parameters in their documented types, and the names of unknown ones.

    Uploads are known under any name, since `attach://name` may refer to them.

    Raises:
        ApiError: A value is not of its type.
    """
    params: Params = {}
    unknown: list[str] = []
    for name, value in raw.items():
        kind = types.get(name)
        if kind is not None:
            params[name] = kind(name, value)
        elif isinstance(value, Upload):
            params[name] = value
        else:
            unknown.append(name)
    return params, unknown
