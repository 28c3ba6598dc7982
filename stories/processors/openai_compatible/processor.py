"""Stories told by a model behind OpenAI's protocol. What people said leaves the machine: docs/providers.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from stories.processors.base import Draft, Transcript
from stories.processors.openai_compatible.budget import estimated, reserve
from stories.processors.openai_compatible.client import Answer, client_of
from stories.processors.openai_compatible.deadline import Deadline
from stories.processors.openai_compatible.errors import BadAnswer, ProviderDeclined, ProviderFailed
from stories.processors.openai_compatible.prompt import TASK, Window, window_of
from stories.processors.openai_compatible.schema import STORY, read_story
from stories.processors.openai_compatible.service import configured_service

ATTEMPTS = 3
"""For an answer that is one."""
MOST_ANSWER_TOKENS = 4_096


class OpenAIProcessor:
    """Asks a model, takes nothing from it but what the schema allows, and counts what it took."""

    version = "1"  # of the prompt and the schema

    def __init__(self) -> None:
        self.service = configured_service()
        self.service.check(text=True, vectors=False, columns=settings.EMBEDDING_DIMENSIONS)
        self.client = client_of(self.service)

    @property
    def name(self) -> str:
        return f"openai:{self.service.text_model}"

    def compose(self, transcript: Transcript) -> Draft:
        """A draft, within OPENAI_DEADLINE.

        Raises a ProviderFailed with its reason, after a bad answer has been asked for anew twice; TokensSpent before
        anything is sent; ContextError outside `spending_for()`.
        """
        window = window_of(transcript, self.service.context_characters)
        deadline = Deadline(self.service.deadline)
        for left in reversed(range(ATTEMPTS)):
            try:
                return read_story(self.asked(window, deadline), transcript, window.numbered)
            except BadAnswer:
                if not left or not deadline.left:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def asked(self, window: Window, deadline: Deadline) -> str:
        """What the model wrote."""
        tokens = reserve(estimated(TASK, window.text) + MOST_ANSWER_TOKENS, self.service.daily_tokens)
        try:
            answer = self.client.ask("/chat/completions", self.request(window), deadline)
        except ProviderFailed as problem:
            tokens.settle(None if problem.took_tokens else 0)
            raise
        tokens.settle(answer.tokens)
        return written_in(answer)

    def request(self, window: Window) -> dict[str, Any]:
        """The body of the request. Everything that leaves the machine for a story is in here."""
        return {
            "model": self.service.text_model,
            "messages": [{"role": "system", "content": TASK}, {"role": "user", "content": window.text}],
            "response_format": self.answer_format(),
            "max_completion_tokens": MOST_ANSWER_TOKENS,
        }

    def answer_format(self) -> dict[str, Any]:
        if self.service.answer_format == "json_object":
            return {"type": "json_object"}
        return {"type": "json_schema", "json_schema": {"name": "story", "strict": True, "schema": STORY}}


def written_in(answer: Answer) -> str:
    """The text of an answer's one choice. Raises BadAnswer, or ProviderDeclined where there is none to be had."""
    choices = answer.body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        raise BadAnswer("The service's answer has no message in it.")
    if choice.get("finish_reason") == "content_filter" or message.get("refusal"):
        raise ProviderDeclined
    if choice.get("finish_reason") == "length":
        raise BadAnswer("The model's answer was cut at its bound of tokens.")
    text = message.get("content")
    if not isinstance(text, str):
        raise BadAnswer("The service's answer has no text in it.")
    return text
