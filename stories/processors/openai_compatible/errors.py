"""What a service can do wrong. Messages hold numbers and names of settings, never a word of a request or an answer.

ProcessingFailed
├── ProviderFailed
│   ├── ProviderAway                try later: `away` is true, and `again_at` is what Retry-After says
│   │   ├── ProviderUnreachable     no connection, or it broke
│   │   ├── ProviderSlow            no whole answer in time
│   │   └── ProviderBusy            429 and 5xx for as long as there was time to wait
│   ├── ProviderRefused             a request that the service does not take
│   │   └── AccessRefused           no request is taken: key, credit, address or model. `away` is true
│   ├── ProviderDeclined            the model would not do it
│   └── BadAnswer                   an answer that is not what was asked for
│       ├── AnswerCut               it ended at its bound of tokens
│       └── WrongDimensions         vectors of another length
├── TokensSpent                     the person's tokens for the day. `away` is true until midnight UTC
└── TokensBusy                      another statement counts them at this moment. `away` is true

Raise them outside any `except` block: the errors of the package and of the JSON reader hold bodies, and a chained error
would carry them along.
"""

from __future__ import annotations

from collections.abc import Iterable

from stories.processors.errors import ProcessingFailed


class ProviderFailed(ProcessingFailed):
    message = "The service behind OPENAI_BASE_URL failed."
    code = "provider-failed"
    took_tokens = True
    """Whether the attempt may have cost tokens."""


class ProviderAway(ProviderFailed):
    message = "The service is away."
    code = "provider-away"
    away = True


class ProviderUnreachable(ProviderAway):
    message = "The service cannot be reached. Check OPENAI_BASE_URL and the network."
    code = "provider-unreachable"
    took_tokens = False


class ProviderSlow(ProviderAway):
    message = "The service gave no whole answer in time. See OPENAI_TIMEOUT and OPENAI_DEADLINE."
    code = "provider-slow"


class ProviderBusy(ProviderAway):
    message = "The service asked to come back later. See OPENAI_DEADLINE and OPENAI_CONCURRENCY."
    code = "provider-busy"
    took_tokens = False


class ProviderRefused(ProviderFailed):
    message = "The service refused the request."
    code = "provider-refused"
    took_tokens = False

    def __init__(self, message: str | None = None, *, fields: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.fields = frozenset(fields)
        """Which fields of the request the refusal names."""


class AccessRefused(ProviderRefused):
    message = "The service takes no request from here. Check OPENAI_API_KEY, OPENAI_BASE_URL and the model."
    away = True


class ProviderDeclined(ProviderFailed):
    message = "The model declined to tell this conversation, or its filter did."
    code = "provider-declined"


class BadAnswer(ProviderFailed):
    message = "The service's answer is not what was asked for."
    code = "provider-bad-answer"
    status = 502


class AnswerCut(BadAnswer):
    message = (
        "The model's answer was cut at its bound of tokens before the story was whole. Take a model that reasons less "
        "before it answers."
    )
    code = "provider-answer-cut"


class WrongDimensions(BadAnswer):
    message = "The service's vectors have another length. Correct OPENAI_EMBEDDING_DIMENSIONS or the model."
    code = "provider-wrong-dimensions"


class TokensSpent(ProcessingFailed):
    message = "The person's tokens for today are spent."
    code = "tokens-spent"
    status = 429
    away = True


class TokensBusy(ProcessingFailed):
    message = "The person's tokens are being counted by another transaction. Ask again."
    code = "tokens-busy"
    away = True
