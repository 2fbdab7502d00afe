"""Turning the body of a call into a message: what may stand in one, and what may not."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.discord import checks, messages
from tests.servers.discord.cdn import Attachment
from tests.servers.discord.errors import Json, Problems, invalid, refused
from tests.servers.discord.places import File

if TYPE_CHECKING:
    from tests.servers.discord.channels import Channel
    from tests.servers.discord.gate import Call, Upload
    from tests.servers.discord.server import DiscordServer

# Message resource, "Create message", 2026-11.
MOST_CHARACTERS = 2000
MOST_NONCE = 25
MOST_EMBEDS = 10
MOST_FILES = 10
# Message resource, "Embed limits", 2026-11; all embeds of a message together.
_MOST_EMBED_CHARACTERS = 6000
_EMBED_LIMITS = {"title": 256, "description": 4096}
# Components reference, "Text display": 4000 characters in all of a message's.
_MOST_DISPLAYED = 4000
_MOST_COMPONENTS = 40

FIELDS = {
    "content": checks.text(MOST_CHARACTERS),
    "tts": checks.boolean,
    "embeds": checks.array(MOST_EMBEDS),
    "allowed_mentions": checks.mapping,
    "components": checks.array(),
    "attachments": checks.array(MOST_FILES),
    "flags": checks.integer,
    "poll": checks.mapping,
}
_SETTABLE = (
    messages.SUPPRESS_EMBEDS
    | messages.SUPPRESS_NOTIFICATIONS
    | messages.IS_VOICE_MESSAGE
    | messages.IS_COMPONENTS_V2
)
# Message resource, "Allowed mentions object", 2026-11.
_MENTIONS = {
    "parse": checks.array(3),
    "users": checks.array(100),
    "roles": checks.array(100),
    "replied_user": checks.boolean,
}


@dataclass(slots=True, kw_only=True)
class Draft:
    """What a body says a message should be; None where it says nothing."""

    content: str | None = None
    embeds: list[Json] | None = None
    components: list[Json] | None = None
    flags: int = 0
    kept: set[str] | None = None
    files: list[Attachment] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be seen of it."""
        return not ((self.content or "").strip() or self.embeds or self.components or self.files)


def compose(
    server: "DiscordServer",
    call: "Call",
    channel: "Channel",
    body: Any,
    *,
    extra: dict[str, checks.Check] | None = None,
    settable: int = _SETTABLE,
) -> Draft:
    """Read a message out of a body.

    Args:
        server: Whose limits hold.
        call: Where the files are.
        channel: Where it will stand.
        body: The message's form.
        extra: Further fields it may have.
        settable: Flags that may be set.

    Raises:
        ApiError: 50035, or 40005 for a file that is too large.
    """
    body = {} if body is None else body
    server.note_unknown(call, checks.form(body, FIELDS | (extra or {})))
    _check_embeds(body.get("embeds"))
    check_mentions(body.get("allowed_mentions"))
    flags = body.get("flags") or 0
    if flags & ~settable:
        server.remark(f"{call.name} sets flags {flags & ~settable} that cannot be set")
    _check_components(body, flags)
    attachments = body.get("attachments")
    kept = None
    if attachments is not None:
        kept = {str(item.get("id")) for item in attachments}
    return Draft(
        content=body.get("content"),
        embeds=body.get("embeds"),
        components=body.get("components"),
        flags=flags & settable,
        kept=kept,
        files=_files(server, call, channel, attachments, flags),
    )


def _check_embeds(embeds: list[Json] | None) -> None:
    problems, total = Problems(), 0
    for index, embed in enumerate(embeds or ()):
        for name, most in _EMBED_LIMITS.items():
            text = embed.get(name) or ""
            total += len(text)
            if len(text) > most:
                problems.add(
                    f"embeds.{index}.{name}",
                    "BASE_TYPE_MAX_LENGTH",
                    f"Must be {most} or fewer in length.",
                )
    if total > _MOST_EMBED_CHARACTERS:
        problems.add(
            "embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000"
        )
    problems.check()


def check_mentions(allowed: Json | None) -> None:
    """Check allowed mentions: a kind is either parsed or listed, never both."""
    if allowed is None:
        return
    checks.form(allowed, _MENTIONS, path="allowed_mentions")
    parse = allowed.get("parse") or []
    for kind in ("users", "roles"):
        if kind in parse and allowed.get(kind):
            text = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            raise invalid("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", text)
    if not {"users", "roles", "everyone"}.issuperset(parse):
        text = "Value must be one of ('users', 'roles', 'everyone')."
        raise invalid("allowed_mentions.parse.0", "BASE_TYPE_CHOICES", text)


def _check_components(body: Json, flags: int) -> None:
    """Check what the flag for components asks for: no legacy fields, 4000 characters, 40."""
    components = body.get("components") or []
    if not flags & messages.IS_COMPONENTS_V2:
        return
    for name in ("content", "embeds", "poll"):
        if body.get(name):
            text = f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
            raise invalid(name, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", text)
    flat = _flatten(components)
    if len(flat) > _MOST_COMPONENTS:
        text = f"The maximum number of components is {_MOST_COMPONENTS}"
        raise invalid("components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", text)
    if sum(len(item.get("content") or "") for item in flat) > _MOST_DISPLAYED:
        text = f"The cumulative text length is more than {_MOST_DISPLAYED}"
        raise invalid("components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", text)


def _flatten(components: list[Json]) -> list[Json]:
    found = []
    for item in components:
        found += [item, *_flatten(item.get("components") or [])]
    return found


def _files(
    server: "DiscordServer",
    call: "Call",
    channel: "Channel",
    attachments: list[Json] | None,
    flags: int,
) -> list[Attachment]:
    if len(call.files) > MOST_FILES:
        raise invalid("files", "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_FILES} or fewer in length.")
    described = {str(item.get("id")): item for item in attachments or ()}
    found = []
    for upload in call.files:
        if len(upload.data) > server.limits.upload_bytes:
            raise refused(40005)
        about = described.get(str(upload.index), {})
        found.append(
            _keep(channel, upload, about, is_voice=bool(flags & messages.IS_VOICE_MESSAGE))
        )
    return found


def _keep(channel: "Channel", upload: "Upload", about: Json, *, is_voice: bool) -> Attachment:
    return channel.attach(
        File(
            name=about.get("filename") or upload.name,
            data=upload.data,
            mime=about.get("content_type") or upload.mime,
            seconds=about.get("duration_secs") if is_voice else None,
            waveform=about.get("waveform", ""),
        )
    )
