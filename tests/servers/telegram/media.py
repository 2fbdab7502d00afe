"""Methods that send files."""

import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.servers.telegram import entities as text_rules
from tests.servers.telegram import params as types
from tests.servers.telegram.files import describe, keep
from tests.servers.telegram.messages import NO_CHAT, SEND, post, text_of
from tests.servers.telegram.methods import method
from tests.servers.telegram.params import ApiError, Params, Upload, bad
from tests.servers.telegram.world import File, Json

if TYPE_CHECKING:
    from tests.servers.telegram.server import TelegramServer

# Bot API 10.1, Sending files: 10 MB for photos, 50 MB for other files.
_MEGABYTE = 1024 * 1024
_MOST_BYTES = {"photo": 10 * _MEGABYTE}
_MOST_OTHER_BYTES = 50 * _MEGABYTE
# Bot API 10.1, sendPhoto: width and height at most 10000 in total, their ratio at most 20.
_MOST_PIXELS = 10_000
_MOST_RATIO = 20
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_Types = Mapping[str, Callable[..., object]]
_CAPTION: _Types = {
    "caption": types.text,
    "parse_mode": types.text,
    "caption_entities": types.array,
}
_ABOVE: _Types = {"show_caption_above_media": types.boolean, "has_spoiler": types.boolean}
_SOUND: _Types = {"duration": types.integer}
_SONG: _Types = {"performer": types.text, "title": types.text}
_COVER: _Types = {"thumbnail": types.media}
_PLAIN: _Types = {"disable_content_type_detection": types.boolean}
_MIMES = {"voice": "audio/ogg", "audio": "audio/mpeg", "photo": "image/jpeg"}


def _send(kind: str, *extra: _Types) -> None:
    """Put the method that sends this kind of file into the table."""
    more = {name: check for types_ in extra for name, check in types_.items()}

    @method(
        f"send{kind.capitalize()}",
        {**SEND, **_CAPTION, **more, kind: types.media},
        required=NO_CHAT | {kind: f"there is no {kind} in the request"},
        pace="message",
    )
    def send(server: "TelegramServer", params: Params) -> Json:
        chat = server.open_chat(params)
        text, entities = text_of(
            server,
            params,
            key="caption",
            entities_key="caption_entities",
            most=text_rules.CAPTION_LENGTH,
            too_long="message caption is too long",
        )
        file = _file(server, kind, params[kind])
        seconds = params.get("duration", 0)
        upload = params[kind]
        name = upload.name if kind == "document" and isinstance(upload, Upload) else ""
        content = {kind: describe(kind, file, seconds=seconds, name=name)}
        return post(server, chat, params, text=text, entities=entities, content=content).json()


_send("voice", _SOUND)
_send("audio", _SOUND, _SONG, _COVER)
_send("document", _COVER, _PLAIN)
_send("photo", _ABOVE)


def _file(server: "TelegramServer", kind: str, given: Upload | str) -> File:
    if isinstance(given, Upload):
        if not given.data:
            raise bad("file must be non-empty")
        if len(given.data) > _MOST_BYTES.get(kind, _MOST_OTHER_BYTES):
            raise ApiError(413, "Request Entity Too Large")
        if kind == "photo":
            _check_photo(given.data)
        return keep(server, kind, given.data, mime=_MIMES.get(kind, given.mime))
    if urlsplit(given).scheme in {"http", "https"}:
        raise bad("failed to get HTTP URL content")
    file = server.files.get(given)
    if file is None:
        raise bad("wrong file identifier/HTTP URL specified")
    return file


def _check_photo(data: bytes) -> None:
    if not data.startswith((_PNG, _JPEG)):
        raise bad("IMAGE_PROCESS_FAILED")
    if data.startswith(_PNG):
        width, height = struct.unpack_from(">II", data, len(_PNG) + 8)
        ratio = max(width, height) / min(width, height)
        if width + height > _MOST_PIXELS or ratio > _MOST_RATIO:
            raise bad("PHOTO_INVALID_DIMENSIONS")
