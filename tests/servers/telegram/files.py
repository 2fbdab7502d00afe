"""Files that Telegram keeps."""

from hashlib import sha256
from typing import TYPE_CHECKING

from tests.servers.telegram.world import File, Json

if TYPE_CHECKING:
    from tests.servers.telegram.server import TelegramServer


def keep(
    server: "TelegramServer", kind: str, data: bytes, *, mime: str, size: int | None = None
) -> File:
    """Keep a file under a new id.

    Args:
        server: Where.
        kind: `voice`, `photo`, ...; becomes a part of the ids and of the path.
        data: Its content.
        mime: Media type.
        size: What the file claims to hold, if not what it holds.
    """
    number = len(server.files)
    ending = mime.partition("/")[2].partition(";")[0].removeprefix("x-") or "bin"
    ending = "oga" if kind == "voice" and ending == "ogg" else ending
    unique = sha256(data).hexdigest()[:16]
    file = File(
        id=f"AwACAgIAAxkB{number:06d}{unique}-{kind}_BB",
        unique_id=f"AgAD{unique}",
        path=f"{kind}/file_{number}.{ending}",
        data=data,
        size=len(data) if size is None else size,
        mime=mime,
    )
    server.files[file.id] = file
    return file


def describe(kind: str, file: File, *, seconds: int = 0, name: str = "") -> Json | list[Json]:
    """Return the Bot API's Voice, Audio, VideoNote, Document, Sticker or list of PhotoSize."""
    found: Json = {
        "file_id": file.id,
        "file_unique_id": file.unique_id,
        "file_size": file.size,
    }
    if kind == "photo":
        return [found | {"width": 640, "height": 480}]
    if kind == "video_note":
        return found | {"length": 240, "duration": seconds}
    if kind == "sticker":
        shape = {"type": "regular", "width": 512, "height": 512, "emoji": name}
        return found | shape | {"is_animated": False, "is_video": False}
    if kind in {"voice", "audio"}:
        found["duration"] = seconds
    if file.mime:
        found["mime_type"] = file.mime
    if name:
        found["file_name"] = name
    return found
