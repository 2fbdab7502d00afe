"""Methods that write into chats."""

import time
from collections.abc import Mapping
from types import UnionType
from typing import TYPE_CHECKING

from tests.servers.telegram import entities as text_rules
from tests.servers.telegram import params as types
from tests.servers.telegram.chats import Chat
from tests.servers.telegram.methods import method
from tests.servers.telegram.params import Params, bad
from tests.servers.telegram.world import Draft, Json, Message

if TYPE_CHECKING:
    from tests.servers.telegram.server import TelegramServer

Fields = Mapping[str, type | UnionType]

NO_CHAT = {"chat_id": "chat_id is empty"}
NO_MESSAGE = {"message_id": "message identifier is not specified"}
SEND = {
    "business_connection_id": types.text,
    "chat_id": types.chat_ref,
    "message_thread_id": types.integer,
    "direct_messages_topic_id": types.integer,
    "disable_notification": types.boolean,
    "protect_content": types.boolean,
    "allow_paid_broadcast": types.boolean,
    "message_effect_id": types.text,
    "suggested_post_parameters": types.mapping,
    "reply_parameters": types.mapping,
    "reply_markup": types.mapping,
}
TEXT = {"text": types.text, "parse_mode": types.text, "entities": types.array}
_PREVIEW = {"link_preview_options": types.mapping}
_MESSAGE = {"chat_id": types.chat_ref, "message_id": types.integer}

# Bot API 10.1, sendChatAction.action.
_ACTIONS = (
    "typing upload_photo record_video upload_video record_voice upload_voice "
    "upload_document choose_sticker find_location record_video_note upload_video_note"
)
ACTIONS = frozenset(_ACTIONS.split())
# Bot API 10.1, LinkPreviewOptions and ReplyParameters.
_PREVIEW_FIELDS: Fields = {
    "is_disabled": bool,
    "url": str,
    "prefer_small_media": bool,
    "prefer_large_media": bool,
    "show_above_text": bool,
}
_REPLY_FIELDS: Fields = {
    "message_id": int,
    "chat_id": int | str,
    "allow_sending_without_reply": bool,
    "quote": str,
    "quote_parse_mode": str,
    "quote_entities": list,
    "quote_position": int,
    "checklist_task_id": int,
    "poll_option_id": str,
}
_OWN_FIELDS = {*SEND, *TEXT} - {"disable_notification", "protect_content", "reply_markup"}


@method("sendMessage", SEND | TEXT | _PREVIEW, required=NO_CHAT, pace="message")
def send_message(server: "TelegramServer", params: Params) -> Json:
    """Text of 1-4096 units after entities parsing; white space alone is no text."""
    chat = server.open_chat(params)
    text, entities = text_of(server, params)
    if not text:
        raise bad("message text is empty")
    _check_fields("LinkPreviewOptions", params.get("link_preview_options"), _PREVIEW_FIELDS)
    return post(server, chat, params, text=text, entities=entities).json()


@method("editMessageText", SEND | TEXT | _PREVIEW | _MESSAGE, required=NO_CHAT, pace="message")
def edit_message_text(server: "TelegramServer", params: Params) -> Json:
    """Only own text messages, and only to something else."""
    chat = server.open_chat(params)
    message = _find(chat, params, "message to edit not found")
    if not message.is_from_bot:
        raise bad("message can't be edited")
    if message.content:
        raise bad("there is no text in the message to edit")
    text, entities = text_of(server, params, too_long="MESSAGE_TOO_LONG")
    if not text:
        raise bad("message text is empty")
    _check_fields("LinkPreviewOptions", params.get("link_preview_options"), _PREVIEW_FIELDS)
    markup = params.get("reply_markup")
    if (text, entities, markup) == (
        message.text,
        message.entities,
        message.options.get("reply_markup"),
    ):
        raise bad(
            "message is not modified: specified new message content and reply markup are "
            "exactly the same as a current content and reply markup of the message"
        )
    message.text, message.entities = text, entities
    message.options["reply_markup"] = markup
    message.versions.append(text)
    message.edits += 1
    message.edited_at = int(time.time())
    chat.show("edit", message.id, text)
    return message.json()


@method(
    "sendMessageDraft", SEND | TEXT | {"draft_id": types.integer}, required=NO_CHAT, pace="draft"
)
def send_message_draft(server: "TelegramServer", params: Params) -> bool:
    """Private chats only; text of 0-4096 units, an empty one shows "Thinking..."."""
    chat = server.open_chat(params)
    if chat.type != "private":
        raise bad("TEXTDRAFT_PEER_INVALID")
    draft_id = params.get("draft_id", 0)
    if draft_id == 0:
        raise bad("draft identifier must be non-zero")
    topic = topic_of(chat, params) or 0
    text, entities = text_of(server, params)
    draft = chat.drafts.get(topic)
    if draft is None or draft.id != draft_id:
        draft = chat.drafts[topic] = Draft(id=draft_id, text=text, entities=entities, at=0)
    draft.text, draft.entities, draft.at = text, entities, time.monotonic()
    draft.versions.append(text)
    chat.show("draft", draft_id, text)
    return True


@method(
    "sendChatAction",
    {name: SEND[name] for name in ("business_connection_id", "chat_id", "message_thread_id")}
    | {"action": types.text},
    required=NO_CHAT | {"action": 'parameter "action" is required'},
)
def send_chat_action(server: "TelegramServer", params: Params) -> bool:
    """One of the documented actions; the General topic may be named here."""
    chat = server.open_chat(params)
    if params["action"] not in ACTIONS:
        raise bad("wrong parameter action in request")
    if not (chat.is_forum and params.get("message_thread_id") == 1):
        topic_of(chat, params)
    chat.show("typing", 0)
    return True


@method("deleteMessage", _MESSAGE, required=NO_CHAT | NO_MESSAGE)
def delete_message(server: "TelegramServer", params: Params) -> bool:
    """Own messages anywhere; others' in private chats, or as administrator."""
    chat = server.open_chat(params)
    message = _find(chat, params, "message to delete not found")
    may = message.is_from_bot or chat.type == "private" or chat.bot_status == "administrator"
    if not may:
        raise bad("message can't be deleted")
    message.is_deleted = True
    chat.show("delete", message.id)
    return True


@method(
    "setMessageReaction",
    _MESSAGE | {"reaction": types.array, "is_big": types.boolean},
    required=NO_CHAT | NO_MESSAGE,
)
def set_message_reaction(server: "TelegramServer", params: Params) -> bool:
    """Bots set at most one reaction, and no paid one."""
    chat = server.open_chat(params)
    message = _find(chat, params, "message to react not found")
    reactions = params.get("reaction", [])
    kinds = [item.get("type") if isinstance(item, dict) else None for item in reactions]
    if not set(kinds) <= {"emoji", "custom_emoji"}:
        raise bad("REACTION_INVALID")
    if len(reactions) > 1:
        raise bad("REACTIONS_TOO_MANY")
    message.options["reaction"] = reactions
    return True


def post(
    server: "TelegramServer",
    chat: Chat,
    params: Params,
    *,
    text: str = "",
    entities: list[Json] | None = None,
    content: Json | None = None,
) -> Message:
    """Put a message of the bot into a chat; it ends the draft that announced it."""
    topic = topic_of(chat, params)
    reply_to = _reply_of(server, chat, params)
    if reply_to and topic is None:
        topic = chat.messages[reply_to].topic
    message = chat.add(
        server.bot,
        text=text,
        entities=entities or [],
        content=content or {},
        reply_to=reply_to,
        topic=topic,
        options={name: value for name, value in params.items() if name not in _OWN_FIELDS},
    )
    chat.drafts.pop(topic or 0, None)
    chat.show("message", message.id, text)
    return message


def text_of(
    server: "TelegramServer",
    params: Params,
    *,
    key: str = "text",
    entities_key: str = "entities",
    most: int = text_rules.TEXT_LENGTH,
    too_long: str = "message is too long",
) -> tuple[str, list[Json]]:
    """Return the text as it will stand, and its entities.

    Raises:
        ApiError: Too long after parsing and trimming, or an entity is not valid. Parse modes
            are refused: the bot under test sends entities.
    """
    if params.get("parse_mode"):
        raise bad("unsupported parse_mode")
    text = params.get(key, "")
    entities = text_rules.check(text, params.get(entities_key, []))
    if len(entities) > text_rules.MOST_ENTITIES:
        server.remark(f"{len(entities)} entities, of which only 100 are kept")
        entities = entities[: text_rules.MOST_ENTITIES]
    text, entities = text_rules.tidy(text, entities)
    if text_rules.utf16(text) > most:
        raise bad(too_long)
    return text, entities


def topic_of(chat: Chat, params: Params) -> int | None:
    """Return the forum topic to write to.

    Only forums have topics to write to. The General topic is written to without an id; a
    message sent to its id 1 is refused by the real server too.
    """
    topic = params.get("message_thread_id")
    if topic is None:
        return None
    if topic not in chat.topics:
        raise bad("message thread not found")
    return int(topic)


def _reply_of(server: "TelegramServer", chat: Chat, params: Params) -> int | None:
    reply = params.get("reply_parameters")
    if reply is None:
        return None
    _check_fields("ReplyParameters", reply, _REPLY_FIELDS)
    number = reply.get("message_id")
    if number is None:
        raise bad("message identifier is not specified")
    elsewhere = reply.get("chat_id")
    if elsewhere is not None and server.open_chat({"chat_id": elsewhere}) is not chat:
        raise bad("message to be replied not found")
    message = chat.messages.get(number)
    if message is None or message.is_deleted:
        if reply.get("allow_sending_without_reply"):
            return None
        raise bad("message to be replied not found")
    if reply.get("quote", "") not in message.text:
        raise bad("QUOTE_TEXT_INVALID")
    return message.id


def _check_fields(name: str, value: Json | None, fields: Fields) -> None:
    for field, content in (value or {}).items():
        kind = fields.get(field)
        is_wrong_bool = isinstance(content, bool) and kind is not bool
        if kind is None or is_wrong_bool or not isinstance(content, kind):
            raise bad(f'can\'t parse {name}: Field "{field}" is unknown or of the wrong type')


def _find(chat: Chat, params: Params, problem: str) -> Message:
    if "message_id" not in params:
        raise bad("message identifier is not specified")
    message = chat.messages.get(params["message_id"])
    if message is None or message.is_deleted:
        raise bad(problem)
    return message
