"""Methods about the bot itself: identity, updates, webhook, commands, files."""

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.servers.telegram import params as types
from tests.servers.telegram.methods import method
from tests.servers.telegram.params import ApiError, Params, bad
from tests.servers.telegram.updates import DEFAULT_TYPES, MOST_UPDATES, TYPES, Update
from tests.servers.telegram.world import Json

if TYPE_CHECKING:
    from tests.servers.telegram.server import TelegramServer

# Bot API 10.1, getFile: "bots can download files of up to 20MB in size".
MOST_BYTES = 20 * 1024 * 1024
# Bot API 10.1, setMyCommands and BotCommand.
MOST_COMMANDS = 100
DESCRIPTION_LENGTH = 256
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
# Bot API 10.1, BotCommandScope: its types, with the fields each needs.
_SCOPES: dict[str, set[str]] = {
    "default": set(),
    "all_private_chats": set(),
    "all_group_chats": set(),
    "all_chat_administrators": set(),
    "chat": {"chat_id"},
    "chat_administrators": {"chat_id"},
    "chat_member": {"chat_id", "user_id"},
}
_SCOPE = {"scope": types.mapping, "language_code": types.text}
# Bot API 10.1, setWebhook: ports and secret token.
_PORTS = {443, 80, 88, 8443}
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


@method("getMe", {})
def get_me(server: "TelegramServer", _params: Params) -> Json:
    """Return the bot, with the fields that only getMe returns."""
    return server.bot.json() | {
        "can_join_groups": True,
        "can_read_all_group_messages": not server.has_privacy,
        "supports_guest_queries": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
        "supports_join_request_queries": False,
    }


@method(
    "getUpdates",
    {
        "offset": types.integer,
        "limit": types.integer,
        "timeout": types.integer,
        "allowed_updates": types.array,
    },
)
async def get_updates(server: "TelegramServer", params: Params) -> list[Update]:
    """Confirm what lies below the offset, return what does not."""
    limit = params.get("limit", MOST_UPDATES)
    if not 1 <= limit <= MOST_UPDATES:
        server.remark(f"getUpdates with limit {limit}, outside 1-100")
        limit = min(max(limit, 1), MOST_UPDATES)
    _allow(server, params)
    seconds = max(params.get("timeout", 0), 0)
    return await server.updates.poll(offset=params.get("offset", 0), limit=limit, seconds=seconds)


def _allow(server: "TelegramServer", params: Params) -> None:
    names = params.get("allowed_updates")
    unknown = [name for name in names or () if name not in TYPES]
    if unknown:
        server.remark(f"allowed_updates names unknown types {unknown}")
    server.updates.allow(names)


@method(
    "setWebhook",
    {
        "url": types.text,
        "certificate": types.media,
        "ip_address": types.text,
        "max_connections": types.integer,
        "allowed_updates": types.array,
        "drop_pending_updates": types.boolean,
        "secret_token": types.text,
    },
    required={"url": 'parameter "url" is required'},
)
def set_webhook(server: "TelegramServer", params: Params) -> bool:
    """HTTPS only, on one of four ports; an empty URL deletes it."""
    url = params["url"]
    if url:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        if (parts.port or 443) not in _PORTS:
            raise bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
        if "secret_token" in params and not _SECRET.fullmatch(params["secret_token"]):
            raise bad("secret token contains unallowed characters")
        if not 1 <= params.get("max_connections", 40) <= MOST_UPDATES:
            raise bad("max_connections must be between 1 and 100")
    _allow(server, params)
    if params.get("drop_pending_updates"):
        server.updates.pending.clear()
    server.updates.set_webhook(params if url else None)
    return True


@method("deleteWebhook", {"drop_pending_updates": types.boolean})
def delete_webhook(server: "TelegramServer", params: Params) -> bool:
    """Go back to getUpdates; pending updates stay unless asked to be dropped."""
    if params.get("drop_pending_updates"):
        server.updates.pending.clear()
    server.updates.set_webhook(None)
    return True


@method("getWebhookInfo", {})
def get_webhook_info(server: "TelegramServer", _params: Params) -> Json:
    """Return the required fields, and the settings while a webhook is set."""
    webhook = server.updates.webhook
    info: Json = {
        "url": webhook["url"] if webhook else "",
        "has_custom_certificate": bool(webhook and "certificate" in webhook),
        "pending_update_count": len(server.updates.pending),
    }
    if webhook:
        info["max_connections"] = webhook.get("max_connections", 40)
    if webhook and server.updates.webhook_error:
        info["last_error_date"], info["last_error_message"] = server.updates.webhook_error
    if server.updates.allowed != DEFAULT_TYPES:
        info["allowed_updates"] = sorted(server.updates.allowed)
    return info


@method(
    "setMyCommands",
    _SCOPE | {"commands": types.array},
    required={"commands": 'parameter "commands" is required'},
)
def set_my_commands(server: "TelegramServer", params: Params) -> bool:
    """At most 100, named [a-z0-9_]{1,32}, described in 1-256 characters."""
    commands = params["commands"]
    if len(commands) > MOST_COMMANDS:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        _check_command(command)
    if len({command["command"] for command in commands}) < len(commands):
        raise bad("BOT_COMMAND_DUPLICATE")
    server.menus[_menu(server, params)] = commands
    return True


def _check_command(command: Any) -> None:
    if not isinstance(command, dict):
        raise bad("can't parse BotCommand: expected an Object")
    name, description = command.get("command"), command.get("description")
    if not isinstance(name, str) or not isinstance(description, str):
        raise bad('can\'t parse BotCommand: Field "command" must be of type String')
    if not _COMMAND.fullmatch(name):
        raise bad("BOT_COMMAND_INVALID")
    if not 1 <= len(description) <= DESCRIPTION_LENGTH:
        raise bad("BOT_COMMAND_DESCRIPTION_INVALID")


@method("getMyCommands", _SCOPE)
def get_my_commands(server: "TelegramServer", params: Params) -> list[Json]:
    """Return the list of exactly this scope and language."""
    return server.menus.get(_menu(server, params), [])


@method("deleteMyCommands", _SCOPE)
def delete_my_commands(server: "TelegramServer", params: Params) -> bool:
    """Forget the list of exactly this scope and language."""
    server.menus.pop(_menu(server, params), None)
    return True


def _menu(server: "TelegramServer", params: Params) -> tuple[str, str]:
    scope = params.get("scope", {"type": "default"})
    fields = _SCOPES.get(scope.get("type"))
    if fields is None:
        raise bad("can't parse BotCommandScope: Unsupported type specified")
    if set(scope) != fields | {"type"}:
        raise bad(f"can't parse BotCommandScope: fields {sorted(fields)} are needed")
    if "chat_id" in fields:
        server.open_chat({"chat_id": scope["chat_id"]})
    language = params.get("language_code", "")
    if not re.fullmatch(r"([a-z]{2})?", language):
        raise bad("invalid language code specified")
    return json.dumps(scope, sort_keys=True), language


@method("getFile", {"file_id": types.text}, required={"file_id": "file_id not specified"})
def get_file(server: "TelegramServer", params: Params) -> Json:
    """Return the path to download from; at most 20 MB."""
    file = server.files.get(params["file_id"])
    if file is None:
        raise bad("invalid file_id")
    if file.size > MOST_BYTES:
        raise bad("file is too big")
    server.paths[file.path] = file
    return {
        "file_id": file.id,
        "file_unique_id": file.unique_id,
        "file_size": file.size,
        "file_path": file.path,
    }


@method("getChat", {"chat_id": types.chat_ref}, required={"chat_id": "chat_id is empty"})
def get_chat(server: "TelegramServer", params: Params) -> Json:
    """Return ChatFullInfo with its required fields."""
    chat = server.open_chat(params)
    gifts = "unlimited_gifts limited_gifts unique_gifts premium_subscription gifts_from_channels"
    return chat.json() | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts.split(), False),
    }


@method(
    "getChatMember",
    {"chat_id": types.chat_ref, "user_id": types.integer},
    required={"chat_id": "chat_id is empty", "user_id": "invalid user_id specified"},
)
def get_chat_member(server: "TelegramServer", params: Params) -> Json:
    """Return who somebody is in a chat."""
    chat = server.open_chat(params)
    for user in (*chat.members, server.bot):
        if user.id == params["user_id"]:
            status = chat.bot_status if user.is_bot else "member"
            return member(user.json(), status)
    raise bad("PARTICIPANT_ID_INVALID")


@method(
    "getChatAdministrators",
    {"chat_id": types.chat_ref, "return_bots": types.boolean},
    required={"chat_id": "chat_id is empty"},
)
def get_chat_administrators(server: "TelegramServer", params: Params) -> list[Json]:
    """Groups only; the first member owns the group."""
    chat = server.open_chat(params)
    if chat.type == "private":
        raise bad("there are no administrators in the private chat")
    found = [member(chat.members[0].json(), "creator")] if chat.members else []
    if chat.bot_status == "administrator":
        found.append(member(server.bot.json(), "administrator"))
    return found


_ADMIN_RIGHTS = (
    "can_be_edited is_anonymous can_manage_chat can_delete_messages can_manage_video_chats "
    "can_restrict_members can_promote_members can_change_info can_invite_users "
    "can_post_stories can_edit_stories can_delete_stories"
)


def member(user: Json, status: str) -> Json:
    """Return the Bot API's ChatMember of that status."""
    found: Json = {"status": status, "user": user}
    if status == "creator":
        found["is_anonymous"] = False
    elif status == "administrator":
        found |= dict.fromkeys(_ADMIN_RIGHTS.split(), False) | {"can_delete_messages": True}
    elif status == "kicked":
        found["until_date"] = 0
    return found


def download(server: "TelegramServer", path: str) -> bytes:
    """Return a file by the path that getFile told.

    Raises:
        ApiError: 404: nobody asked getFile for it, or the link has expired.
    """
    file = server.paths.get(path)
    if file is None:
        raise ApiError(404, "Not Found: file is temporarily unavailable")
    return file.data
