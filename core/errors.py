"""Every error a person may meet; each text can be shown in a chat.

::

    CauserieError
    ├── SettingsError           a setting is wrong; says which and what would be right
    ├── AccessError             this person may not, here or now
    ├── BudgetError             a spending limit does not allow it
    ├── ModelError              the model gave no answer
    │   ├── ContextLengthError  the prompt was too long for it after all
    │   └── ModelSetupError     only the owner can mend it: key, quota, model name
    ├── InputError              a message holds nothing that can be answered
    ├── SpeechError             a recording could not be heard
    ├── FetchError              a file could not be fetched from the platform
    ├── DeliveryError           a text could not be posted now
    │   └── GoneError           and never will be: the chat is gone or the bot was blocked
    └── StoreError              the database failed
        └── LeaseLostError      another worker has the chat now
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.types import Notice


class CauserieError(Exception):
    """Root of the tree; `str()` of each is one sentence for a person, free of secrets."""


class SettingsError(CauserieError):
    """A setting is wrong; one line per problem."""


class AccessError(CauserieError):
    """This person may not use the bot, here or now.

    Attributes:
        notices: What others are told of it.
    """

    def __init__(self, text: str, notices: "tuple[Notice, ...]" = ()) -> None:
        super().__init__(text)
        self.notices = notices


class BudgetError(CauserieError):
    """A spending limit does not allow a call; the text says which and when it resets."""


class ModelError(CauserieError):
    """The model gave no answer, after all retries and fallbacks."""


class ContextLengthError(ModelError):
    """The server found the prompt too long for the model's context window."""


class ModelSetupError(ModelError):
    """The call can never succeed until the owner changes something; retrying is no use."""


class InputError(CauserieError):
    """A message holds nothing that can be answered: a picture without words, say."""


class SpeechError(CauserieError):
    """A recording is too large, too long, empty or in no format that can be heard."""


class FetchError(CauserieError):
    """The platform does not hand out a file, and asking again will not help."""


class DeliveryError(CauserieError):
    """A text could not be posted now.

    Attributes:
        retry_after: Seconds the platform asked us to wait; None if it named none.
    """

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class GoneError(DeliveryError):
    """A text can never be posted: the chat is gone, or the bot may not write there."""


class StoreError(CauserieError):
    """The database failed: the disk is full, the file is locked or damaged."""


class LeaseLostError(StoreError):
    """The lease expired and another worker may hold the chat; stop and write nothing."""
