"""What a service can do wrong. Messages hold numbers and names of settings, never a word of a request or an answer.

VibeError
├── ProviderFailed
│   ├── ProviderUnreachable     no connection, or it broke
│   ├── ProviderSlow            no whole answer in time
│   ├── ProviderBusy            429 and 5xx for as long as there was time to wait
│   ├── ProviderRefused         a status that asking again does not change
│   ├── ProviderDeclined        the model would not do it
│   └── BadAnswer               an answer that is not what was asked for
│       └── WrongDimensions     vectors of another length
├── TokensSpent                 the person's tokens for the day
└── TokensBusy                  another statement counts them at this moment

Whoever raises one does so outside any `except` block: the errors of the package and of the JSON reader hold bodies, and
a chained error would carry them along.
"""

from __future__ import annotations

from datetime import datetime

from vibe.core.errors import VibeError


class ProviderFailed(VibeError):
    message = "The service behind OPENAI_BASE_URL failed."
    code = "provider-failed"
    status = 503
    took_tokens = True
    """Whether the attempt may have cost tokens."""


class ProviderUnreachable(ProviderFailed):
    message = "The service cannot be reached. Check OPENAI_BASE_URL and the network."
    code = "provider-unreachable"
    took_tokens = False


class ProviderSlow(ProviderFailed):
    message = "The service gave no whole answer in time. See OPENAI_TIMEOUT and OPENAI_DEADLINE."
    code = "provider-slow"


class ProviderBusy(ProviderFailed):
    message = "The service asked to come back later. See OPENAI_DEADLINE and OPENAI_CONCURRENCY."
    code = "provider-busy"
    took_tokens = False


class ProviderRefused(ProviderFailed):
    message = "The service refused the request."
    code = "provider-refused"
    took_tokens = False


class ProviderDeclined(ProviderFailed):
    message = "The model declined to tell this conversation, or its filter did."
    code = "provider-declined"


class BadAnswer(ProviderFailed):
    message = "The service's answer is not what was asked for."
    code = "provider-bad-answer"
    status = 502


class WrongDimensions(BadAnswer):
    message = "The service's vectors have another length. Correct OPENAI_EMBEDDING_DIMENSIONS or the model."
    code = "provider-wrong-dimensions"


class TokensSpent(VibeError):
    message = "The person's tokens for today are spent."
    code = "tokens-spent"
    status = 429

    def __init__(self, message: str, *, again_at: datetime) -> None:
        super().__init__(message)
        self.again_at = again_at
        """When the next day's tokens begin, aware."""


class TokensBusy(VibeError):
    message = "The person's tokens are being counted by another transaction. Ask again."
    code = "tokens-busy"
    status = 503
