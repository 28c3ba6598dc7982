"""Stories told by a model behind OpenAI's protocol. What people said leaves the machine: docs/providers.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from stories.processors.base import Draft, Transcript
from stories.processors.openai_compatible.budget import estimated, reserve
from stories.processors.openai_compatible.client import Deadline, client_of
from stories.processors.openai_compatible.content import texts_of
from stories.processors.openai_compatible.envelope import Answer, first_choice
from stories.processors.openai_compatible.errors import AnswerCut, BadAnswer, ProviderFailed, ProviderRefused
from stories.processors.openai_compatible.prompt import TASK, Window, window_of
from stories.processors.openai_compatible.schema import STORY, read_story
from stories.processors.openai_compatible.service import AnswerFormat, configured_service

ATTEMPTS = 2
"""For an answer with a story in it: the whole conversation is sent, and paid for, each time."""
MOST_ANSWER_TOKENS = 4_096
FORMATS: tuple[AnswerFormat, ...] = get_args(AnswerFormat)  # from the strictest to none
RESPONSE_FORMATS: Mapping[AnswerFormat, dict[str, Any]] = {
    "json_schema": {"type": "json_schema", "json_schema": {"name": "story", "strict": True, "schema": STORY}},
    "json_object": {"type": "json_object"},
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a service wants to be asked, where services differ."""

    answer_format: AnswerFormat
    bound: str = "max_completion_tokens"
    """The field that bounds an answer's tokens; older services know only `max_tokens`."""

    def without(self, refused: frozenset[str]) -> Dialect | None:
        """The next plainer dialect after a refusal that names fields; None where there is none."""
        if "max_completion_tokens" in refused and self.bound == "max_completion_tokens":
            return replace(self, bound="max_tokens")
        if "response_format" in refused and self.answer_format != FORMATS[-1]:
            return replace(self, answer_format=FORMATS[FORMATS.index(self.answer_format) + 1])
        return None


class OpenAIProcessor:
    """Asks a model once for all that it tells of an episode, and counts what it took."""

    version = "3"  # of the prompt and the schema
    in_process = False  # it waits for a service, and counts tokens in the database

    def __init__(self) -> None:
        self.service = configured_service()
        self.service.check(text=True, vectors=False)
        self.client = client_of(self.service)
        self.dialect = Dialect(self.service.answer_format)

    @property
    def name(self) -> str:
        return f"openai:{self.service.text_model}"

    def compose(self, transcript: Transcript) -> Draft:
        """A draft, within OPENAI_DEADLINE.

        Raises a ProviderFailed with its reason, after a bad answer has been asked for anew once; TokensSpent before
        anything is sent; ContextError outside `spending_for()`.
        """
        window = window_of(transcript, self.service.context_characters)
        deadline = Deadline(self.service.deadline)
        for left in reversed(range(ATTEMPTS)):
            try:
                return told_in(self.asked(window, deadline), transcript, window)
            except AnswerCut:
                raise  # it would be cut again
            except BadAnswer:
                if not left or not deadline.left:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def asked(self, window: Window, deadline: Deadline) -> Answer:
        """What the service answers, and its tokens counted."""
        tokens = reserve(estimated(TASK, window.text) + MOST_ANSWER_TOKENS, self.service.daily_tokens)
        try:
            answer = self.answered(window, deadline)
        except ProviderFailed as problem:
            tokens.settle(None if problem.took_tokens else 0)
            raise
        guessed = estimated(TASK, window.text) + min(estimated(str(answer.body)), MOST_ANSWER_TOKENS)
        tokens.settle(guessed if answer.tokens is None else answer.tokens)
        return answer

    def answered(self, window: Window, deadline: Deadline) -> Answer:
        """What the service answers, in the first dialect that it understands; that is spoken from then on."""
        dialect = self.dialect
        while True:
            try:
                answer = self.client.ask("/chat/completions", self.request(window, dialect), deadline)
            except ProviderRefused as problem:
                plainer = dialect.without(problem.fields)
                if plainer is None:
                    raise
                dialect = plainer
            else:
                self.dialect = dialect
                return answer

    def request(self, window: Window, dialect: Dialect) -> dict[str, Any]:
        """The body of the request. Everything that leaves the machine for a story is in here."""
        body = {
            "model": self.service.text_model,
            "messages": [{"role": "system", "content": TASK}, {"role": "user", "content": window.text}],
            dialect.bound: MOST_ANSWER_TOKENS,
        }
        response_format = RESPONSE_FORMATS.get(dialect.answer_format)
        return {**body, "response_format": response_format} if response_format else body


def told_in(answer: Answer, transcript: Transcript, window: Window) -> Draft:
    """The story in an answer. Raises BadAnswer, AnswerCut or ProviderDeclined where there is none."""
    is_cut = first_choice(answer.body).get("finish_reason") == "length"
    try:
        return read_story(texts_of(answer.body), transcript, window.numbered)
    except BadAnswer:
        if not is_cut:
            raise
    raise AnswerCut
