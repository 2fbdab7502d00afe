"""The embedded models: something answers and hears before any key is set (extra `embedded`).

Importing this costs nothing; the models and their engines are loaded when they are started.
"""

from core.local.chat import SLOTS, LocalChat, start_chat
from core.local.speech import LocalTranscriber
from core.local.weights import Progress, is_installed

# The small model follows one sentence and no more.
PERSONA = "You are a friendly assistant who answers in one or two short, simple sentences."
NOTICE = (
    "This is a demo brain: a very small model that runs on this machine. It shows that "
    "everything works, but it knows little, forgets quickly and makes things up. "
    "Set OPENAI_API_KEY or OPENAI_BASE_URL for a real one."
)

__all__ = [
    "NOTICE",
    "PERSONA",
    "SLOTS",
    "LocalChat",
    "LocalTranscriber",
    "Progress",
    "is_installed",
    "start_chat",
]
