"""A loopback model server, as strict as OpenAI's documented API, with faults to order."""

from tests.servers.openai.errors import Refuse
from tests.servers.openai.faults import (
    Break,
    Fault,
    Shape,
    broken,
    html,
    no_model,
    out_of_quota,
    rate_limited,
    refused,
    wrong_key,
)
from tests.servers.openai.limits import Limits, SpeechLimits
from tests.servers.openai.records import Request
from tests.servers.openai.server import OpenAIServer

__all__ = [
    "Break",
    "Fault",
    "Limits",
    "OpenAIServer",
    "Refuse",
    "Request",
    "Shape",
    "SpeechLimits",
    "broken",
    "html",
    "no_model",
    "out_of_quota",
    "rate_limited",
    "refused",
    "wrong_key",
]
