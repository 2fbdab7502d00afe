"""Routes about interactions: the callback, the first answer, followups."""

from typing import TYPE_CHECKING, Any

from tests.servers.discord import checks, composing, messages
from tests.servers.discord.channels import reference_to
from tests.servers.discord.commands import STRING, check_choice
from tests.servers.discord.composing import Draft
from tests.servers.discord.errors import Json, Problems, invalid, refused, unknown
from tests.servers.discord.interactions import (
    ANSWER,
    AUTOCOMPLETE,
    DEFER,
    MODAL,
    MODAL_SUBMIT,
    SUGGEST,
    Interaction,
)
from tests.servers.discord.messages import EPHEMERAL, Message
from tests.servers.discord.rest_messages import change
from tests.servers.discord.routes import route

if TYPE_CHECKING:
    from tests.servers.discord.gate import Call
    from tests.servers.discord.server import DiscordServer

# Interactions, "Create followup message", 2026-11: for apps that only the person installed.
MOST_FOLLOWUPS = 5
_SETTABLE = (
    messages.SUPPRESS_EMBEDS
    | EPHEMERAL
    | messages.IS_COMPONENTS_V2
    | messages.IS_VOICE_MESSAGE
    | messages.SUPPRESS_NOTIFICATIONS
)
_CHOICES = {"choices": checks.array(25)}
_CHOICE = {
    "name": checks.text(100, least=1),
    "value": checks.anything,
    "name_localizations": checks.mapping,
}
_MODAL = {
    "custom_id": checks.text(100, least=1),
    "title": checks.text(45, least=1),
    "components": checks.array(5),
}
_WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"


@route("POST /interactions/{interaction_id}/{interaction_token}/callback", has_token=True)
def create_interaction_response(server: "DiscordServer", call: "Call") -> Json | None:
    """Acknowledge an interaction, once and within 3 s, by an answer or the promise of one."""
    interaction = server.interactions.get(call.ids["interaction_token"])
    if interaction is None or interaction.id != call.id("interaction_id"):
        raise unknown("interaction")
    interaction.check_callback()
    checks.form(call.json, {"type": checks.integer, "data": checks.mapping}, required=("type",))
    kind, data = call.json["type"], call.json.get("data") or {}
    _check_type(interaction, kind)
    if kind == SUGGEST:
        _suggest(interaction, data)
    elif kind == MODAL:
        checks.form(data, _MODAL, required=tuple(_MODAL), path="data")
        interaction.modal = data
    elif kind == DEFER:
        _defer(server, interaction, data)
    else:
        _answer(server, call, interaction, data)
    interaction.callback = kind
    interaction.channel.ring()
    if call.query.get("with_response") in {"true", "1", "True"}:
        return _describe(interaction, kind)
    return None


def _check_type(interaction: Interaction, kind: int) -> None:
    """Suggestions answer autocomplete and nothing else; updates need a component."""
    allowed = {SUGGEST} if interaction.type == AUTOCOMPLETE else {ANSWER, DEFER, MODAL}
    if interaction.type == MODAL_SUBMIT:
        allowed -= {MODAL}
    if kind not in allowed:
        text = f"Value must be one of {sorted(allowed)}."
        raise invalid("type", "BASE_TYPE_CHOICES", text)


def _suggest(interaction: Interaction, data: Json) -> None:
    problems = Problems()
    fields: dict[str, checks.Check] = dict(_CHOICES)
    checks.form(data, fields, required=("choices",), path="data", problems=problems)
    problems.check()
    focused = next((o for o in _leaves(interaction.data) if o.get("focused")), {})
    for index, choice in enumerate(data["choices"]):
        place = f"data.choices.{index}"
        checks.form(choice, _CHOICE, required=("name", "value"), path=place, problems=problems)
        check_choice(focused.get("type", STRING), choice, place, problems)
    problems.check()
    interaction.choices = data["choices"]


def _leaves(data: Json) -> list[Json]:
    found: list[Json] = []
    for option in data.get("options") or []:
        found += _leaves(option) if "options" in option else [option]
    return found


def _defer(server: "DiscordServer", interaction: Interaction, data: Json) -> None:
    flags = data.get("flags") or 0
    if flags & ~EPHEMERAL:
        server.remark(f"a deferred answer has flags {flags}; only EPHEMERAL counts")
    if set(data) - {"flags"}:
        server.remark(f"a deferred answer has {sorted(data)}; only flags count")
    draft = Draft(flags=flags & EPHEMERAL | messages.LOADING)
    interaction.original = _post(interaction, draft, {}, **interaction.metadata())


def _answer(server: "DiscordServer", call: "Call", interaction: Interaction, data: Json) -> None:
    draft = composing.compose(server, call, interaction.channel, data, settable=_SETTABLE)
    if draft.is_empty:
        raise refused(50006)
    interaction.original = _post(interaction, draft, data, **interaction.metadata())


def _post(interaction: Interaction, draft: Draft, body: Json, **fields: Any) -> Message:
    """Put an answer into the channel; an ephemeral one is seen by the asker only."""
    channel, server = interaction.channel, interaction.channel.server
    message = Message(
        id=server.clock.snowflake(),
        channel=channel,
        author=server.bot,
        content=(draft.content or "").strip(),
        attachments=draft.files,
        embeds=draft.embeds or [],
        components=draft.components or [],
        flags=draft.flags,
        asker=interaction.user if draft.flags & EPHEMERAL else None,
        options=body,
        **fields,
    )
    interaction.is_ephemeral = interaction.is_ephemeral or bool(draft.flags & EPHEMERAL)
    message.pinged = messages.pings(
        channel,
        server.bot,
        message.content,
        allowed=body.get("allowed_mentions"),
        may_mention_everyone=False,
    )
    channel.add(message)
    return message


def _describe(interaction: Interaction, kind: int) -> Json:
    """Return the callback response: what was acknowledged, and the message it made."""
    found: Json = {"id": str(interaction.id), "type": interaction.type}
    resource: Json = {"type": kind}
    original = interaction.original
    if original:
        found |= {
            "response_message_id": str(original.id),
            "response_message_loading": original.is_loading,
            "response_message_ephemeral": original.asker is not None,
        }
        resource["message"] = original.json()
    return {"interaction": found, "resource": resource}


def _find(server: "DiscordServer", call: "Call") -> Interaction:
    """Return the interaction of a token that may be used now.

    Raises:
        ApiError: 404 before the callback, 401 after 15 minutes.
    """
    interaction = server.interactions.get(call.ids["webhook_token"])
    if interaction is None or call.id("webhook_id") != server.application_id:
        raise unknown("Webhook")
    interaction.check_token()
    if interaction.channel.is_deleted:
        raise unknown("Channel")
    return interaction


def _original(interaction: Interaction) -> Message:
    if interaction.original is None or interaction.original.is_deleted:
        raise unknown("Message")
    return interaction.original


@route(f"GET {_WEBHOOK}/messages/@original", bucket="webhook", has_token=True)
def get_original_interaction_response(server: "DiscordServer", call: "Call") -> Json:
    """Return the first answer, or its "thinking…"."""
    return _original(_find(server, call)).json()


@route(f"PATCH {_WEBHOOK}/messages/@original", bucket="webhook", has_token=True)
def edit_original_interaction_response(server: "DiscordServer", call: "Call") -> Json:
    """Change the first answer; ends "thinking…"."""
    interaction = _find(server, call)
    return _edit(server, call, interaction, _original(interaction))


def _edit(
    server: "DiscordServer", call: "Call", interaction: Interaction, message: Message
) -> Json:
    body = call.json if call.json is not None else {}
    draft = composing.compose(server, call, interaction.channel, body, settable=_SETTABLE)
    was_loading = message.is_loading
    change(interaction.channel, message, draft, body)
    if was_loading:
        message.pinged = messages.pings(
            interaction.channel,
            server.bot,
            message.content,
            allowed=body.get("allowed_mentions"),
        )
    return message.json()


@route(f"DELETE {_WEBHOOK}/messages/@original", bucket="webhook", has_token=True)
def delete_original_interaction_response(server: "DiscordServer", call: "Call") -> None:
    """Delete the first answer, even while it is thinking."""
    interaction = _find(server, call)
    interaction.channel.delete(_original(interaction))


@route(f"POST {_WEBHOOK}", bucket="webhook", has_token=True)
def create_followup_message(server: "DiscordServer", call: "Call") -> Json:
    """Post a further answer; while the first is still thinking, it becomes the first."""
    interaction = _find(server, call)
    original = interaction.original
    if original and original.is_loading and not original.is_deleted:
        server.remark("create_followup_message stands in for editing the deferred answer")
        return _edit(server, call, interaction, original)
    if interaction.is_user_install and interaction.followup_count >= MOST_FOLLOWUPS:
        raise refused(40094)
    draft = composing.compose(server, call, interaction.channel, call.json, settable=_SETTABLE)
    if draft.is_empty:
        raise refused(50006)
    fields = interaction.metadata()
    if original and not original.is_deleted:
        fields |= reference_to(original)
    fields["type"] = messages.REPLY
    message = _post(interaction, draft, call.json, **fields)
    interaction.followups.append(message)
    interaction.channel.ring()
    return message.json()


@route(f"GET {_WEBHOOK}/messages/{{message_id}}", bucket="webhook", has_token=True)
def get_followup_message(server: "DiscordServer", call: "Call") -> Json:
    """Return an answer."""
    return _find(server, call).find(call.id("message_id")).json()


@route(f"PATCH {_WEBHOOK}/messages/{{message_id}}", bucket="webhook", has_token=True)
def edit_followup_message(server: "DiscordServer", call: "Call") -> Json:
    """Change an answer."""
    interaction = _find(server, call)
    return _edit(server, call, interaction, interaction.find(call.id("message_id")))


@route(f"DELETE {_WEBHOOK}/messages/{{message_id}}", bucket="webhook", has_token=True)
def delete_followup_message(server: "DiscordServer", call: "Call") -> None:
    """Delete an answer."""
    interaction = _find(server, call)
    interaction.channel.delete(interaction.find(call.id("message_id")))
