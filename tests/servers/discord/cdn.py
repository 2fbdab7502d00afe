"""Attachments: real bytes behind signed links that expire."""

import hmac
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.servers.discord.clock import Clock
from tests.servers.discord.errors import Json

# Reference, "Signed attachment CDN URLs": `ex`, `is` and `hm`; a link lives about a day.
LINK_SECONDS = 24 * 3600.0
_PATH = re.compile(r"/attachments/(\d+)/(\d+)/([^/]+)")
_KEY = b"loopback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that stands in a channel.

    Attributes:
        size: In bytes; may be larger than `data` so that a test needs no 25 MB.
        mime: Media type; empty when Discord does not know it.
        seconds: Length of a voice message; None for every other file.
        waveform: Of a voice message, in base64.
    """

    id: int
    channel_id: int
    name: str
    data: bytes
    size: int
    mime: str
    seconds: float | None = None
    waveform: str = ""
    description: str = ""
    is_ephemeral: bool = False


class Cdn:
    """Keeps attachments and hands them out by signed links."""

    def __init__(self, clock: Clock) -> None:
        self.root = ""
        self._clock = clock
        self._files: dict[tuple[int, int], Attachment] = {}
        self._epoch = 0

    def keep(self, attachment: Attachment) -> Attachment:
        """Keep an attachment."""
        self._files[attachment.channel_id, attachment.id] = attachment
        return attachment

    def forget(self, attachment: Attachment) -> None:
        """Delete an attachment; its links lead nowhere."""
        self._files.pop((attachment.channel_id, attachment.id), None)

    def expire(self) -> None:
        """Let every link given so far expire; messages read anew carry new ones."""
        self._epoch += 1

    def json(self, attachment: Attachment) -> Json:
        """Return the API's Attachment, with a fresh link."""
        url = self._link(attachment)
        found: Json = {
            "id": str(attachment.id),
            "filename": attachment.name,
            "size": attachment.size,
            "url": url,
            "proxy_url": url,
        }
        if attachment.mime:
            found["content_type"] = attachment.mime
        if attachment.seconds is not None:
            found["duration_secs"] = attachment.seconds
            found["waveform"] = attachment.waveform
        if attachment.description:
            found["description"] = attachment.description
        if attachment.is_ephemeral:
            found["ephemeral"] = True
        return found

    def _link(self, attachment: Attachment) -> str:
        issued = int(self._clock.now())
        path = f"/attachments/{attachment.channel_id}/{attachment.id}/{quote(attachment.name)}"
        times = f"ex={int(issued + LINK_SECONDS):x}&is={issued:x}"
        return f"{self.root}{path}?{times}&hm={self._sign(path, times)}&"

    def _sign(self, path: str, times: str) -> str:
        signed = f"{self._epoch}{unquote(path)}?{times}".encode()
        return hmac.digest(_KEY, signed, "sha256").hex()

    def find(self, url: str) -> Attachment | None:
        """Return what a link leads to, whether it is still valid or not."""
        match = _PATH.fullmatch(unquote(urlsplit(url).path))
        found = self._files.get((int(match[1]), int(match[2]))) if match else None
        return found if match and found and found.name == match[3] else None

    def open(self, url: str) -> Attachment | None:
        """Return what a link leads to; None when it is unsigned, expired or wrong."""
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        times = f"ex={query.get('ex')}&is={query.get('is')}"
        if query.get("hm") != self._sign(parts.path, times):
            return None
        return self.find(url) if int(query["ex"], 16) > self._clock.now() else None

    def refresh(self, url: str) -> str | None:
        """Return a fresh link in place of an old one."""
        found = self.find(url)
        return self._link(found) if found else None
