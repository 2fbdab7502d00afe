"""What OpenAI refuses in a chat request; the first problem found is the answer."""

import re
from collections.abc import Iterator
from typing import Any

from openai.types.chat import completion_create_params

from tests.servers.openai.errors import (
    Refuse,
    refusal,
    retired_model,
    unknown_model,
    unsupported,
)
from tests.servers.openai.limits import Limits

# Parameters of /chat/completions, as the SDK's generated types list them.
PARAMETERS = frozenset(completion_create_params.CompletionCreateParamsStreaming.__annotations__)
ROLES = ("system", "assistant", "user", "function", "tool", "developer")
PARTS = ("text", "image_url", "input_audio", "file", "refusal")
NAME = re.compile(r"[^\s<|\\/>]{1,64}")


def find_model_problem(body: dict[str, Any], known: dict[str, Limits]) -> Refuse | None:
    """Return the refusal if the request names no model that serves."""
    name = body.get("model")
    if not isinstance(name, str) or not name:
        return refusal(400, "you must provide a model parameter")
    if name not in known:
        return unknown_model(name)
    return retired_model(name) if known[name].is_retired else None


def find_problem(body: dict[str, Any], limits: Limits) -> Refuse | None:
    """Return the refusal for the first thing wrong with a request, None if nothing is."""
    return next(_problems(body, limits), None)


def find_length_problem(body: dict[str, Any], limits: Limits, tokens: int) -> Refuse | None:
    """Return the refusal if prompt and reply do not fit the context window."""
    asked = body.get("max_completion_tokens", body.get("max_tokens")) or 0
    if asked > limits.output:
        return refusal(
            400,
            f"max_tokens is too large: {asked}. This model supports at most {limits.output} "
            f"completion tokens, whereas you provided {asked}.",
            code="invalid_value",
            param="max_completion_tokens" if "max_completion_tokens" in body else "max_tokens",
        )
    if tokens + asked <= limits.context:
        return None
    if limits.is_reasoning:
        text = (
            f"Input tokens exceed the configured limit of {limits.context - asked} "
            f"tokens. Your messages resulted in {tokens} tokens. Please reduce the length of "
            "the messages."
        )
    elif tokens > limits.context:
        text = (
            f"This model's maximum context length is {limits.context} tokens. However, your "
            f"messages resulted in {tokens} tokens. Please reduce the length of the messages."
        )
    else:
        text = (
            f"This model's maximum context length is {limits.context} tokens. However, you "
            f"requested {tokens + asked} tokens ({tokens} in the messages, {asked} in the "
            "completion). Please reduce the length of the messages or completion."
        )
    return refusal(400, text, code="context_length_exceeded", param="messages")


def _problems(body: dict[str, Any], limits: Limits) -> Iterator[Refuse]:
    if unknown := sorted(body.keys() - PARAMETERS):
        plural = "s" if len(unknown) > 1 else ""
        yield refusal(400, f"Unrecognized request argument{plural} supplied: {', '.join(unknown)}")
    yield from _parameter_problems(body, limits)
    messages = body.get("messages")
    if messages is None:
        text = "Missing required parameter: 'messages'."
        yield refusal(400, text, code="missing_required_parameter", param="messages")
    elif not isinstance(messages, list):
        text = "Invalid type for 'messages': expected an array of objects."
        yield refusal(400, text, code="invalid_type", param="messages")
    elif not messages:
        yield refusal(
            400,
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got "
            "an empty array instead.",
            code="empty_array",
            param="messages",
        )
    else:
        for index, message in enumerate(messages):
            yield from _message_problems(f"messages[{index}]", message)
        if text := limits.template(messages):
            yield refusal(limits.template_status, text)


def _parameter_problems(body: dict[str, Any], limits: Limits) -> Iterator[Refuse]:
    for name in limits.refuses:
        if name in body:
            instead = "max_tokens" if name == "max_completion_tokens" else ""
            yield unsupported(name, instead=instead)
    if limits.is_reasoning and "max_tokens" in body:
        yield unsupported("max_tokens", instead="max_completion_tokens")
    temperature = body.get("temperature", 1)
    if limits.is_reasoning and temperature != 1:
        yield refusal(
            400,
            f"Unsupported value: 'temperature' does not support {temperature} with this model. "
            "Only the default (1) value is supported.",
            code="unsupported_value",
            param="temperature",
        )
    if "stream_options" in body and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        yield refusal(400, text, param="stream_options")
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is not None and (not isinstance(value, int) or value < 1):
            text = f"Invalid '{name}': integer below minimum value. Expected a value >= 1."
            yield refusal(400, text, code="integer_below_min_value", param=name)


def _message_problems(where: str, message: object) -> Iterator[Refuse]:
    if not isinstance(message, dict):
        text = f"Invalid type for '{where}': expected an object."
        yield refusal(400, text, code="invalid_type", param=where)
        return
    role = message.get("role")
    if role not in ROLES:
        known = ", ".join(f"'{name}'" for name in ROLES)
        text = f"Invalid value: '{role}'. Supported values are: {known}."
        yield refusal(400, text, code="invalid_value", param=f"{where}.role")
    if role == "tool" and not message.get("tool_call_id"):
        text = (
            f"Missing parameter 'tool_call_id': messages with role 'tool' must have one ({where})."
        )
        yield refusal(400, text, param=where)
    name = message.get("name")
    if name is not None and not (isinstance(name, str) and NAME.fullmatch(name)):
        text = (
            f"Invalid '{where}.name': string does not match pattern. Expected a string that "
            r"matches the pattern '^[^\s<|\\/>]+$'."
        )
        yield refusal(400, text, code="invalid_value", param=f"{where}.name")
    yield from _content_problems(f"{where}.content", message)


def _content_problems(where: str, message: dict[str, Any]) -> Iterator[Refuse]:
    content = message.get("content")
    if isinstance(content, str):
        return
    if isinstance(content, list) and content:
        for index, part in enumerate(content):
            kind = part.get("type") if isinstance(part, dict) else None
            if kind not in PARTS or (kind == "text" and not isinstance(part.get("text"), str)):
                text = f"Invalid value: '{kind}'. Supported values are: {', '.join(PARTS)}."
                yield refusal(400, text, code="invalid_value", param=f"{where}[{index}].type")
        return
    if content is None and message.get("role") == "assistant" and message.get("tool_calls"):
        return
    found = "null" if content is None else type(content).__name__
    text = f"Invalid value for 'content': expected a string, got {found}."
    yield refusal(400, text, code="invalid_type", param=where)
