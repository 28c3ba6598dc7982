"""The protocol's envelope: from the bytes of an answer to one JSON object, in whatever form they come.

Services send comments before the object, stream it although nobody asked for that, or answer 200 with an error inside.
Unknown fields are ignored. What is raised holds nothing of the answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stories.processors.openai_compatible.errors import BadAnswer

MOST_TOKENS = 10_000_000
"""Of one answer that are believed."""
DONE = "[DONE]"
EVENT_FIELDS = ("event:", "id:", "retry:")
"""Lines of a stream of events (HTML standard, 9.2.6) that hold no data. Those with a colon first are comments."""

# Words that services put into `code` or `type` of an error, and the status that says the same.
STATUS_OF = {
    "insufficient_quota": 402,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object from the service, and the tokens it says it took; None where it does not say."""

    body: Mapping[str, Any] = field(repr=False)
    tokens: int | None

    @property
    def error_status(self) -> int | None:
        """The status of the error that an answer with status 200 is; None for an answer that is none.

        An error that does not say what it is counts as 503: those are failures behind a gateway that had already
        answered 200.
        """
        choice = first_choice(self.body)
        if choice.get("finish_reason") == "error" or (choice.get("error") and not choice.get("message")):
            return status_of(choice.get("error"))
        if choice or self.body.get("data"):
            return None
        if self.body.get("error"):
            return status_of(self.body["error"])
        return status_of(self.body) if self.body.get("object") == "error" else None


def read_answer(content: bytes) -> Answer:
    """The object that an answer holds. Raises BadAnswer."""
    body = read_json(content)
    if body is None:
        body = streamed(lines_of(content))
    if not isinstance(body, dict):
        raise BadAnswer("The service's answer is not a whole, valid JSON object.")
    return Answer(body, tokens_of(body.get("usage")))


def read_json(text: bytes | str) -> Any:
    """What JSON says, with line breaks allowed in strings, and NaN and infinity as null; None where it is no JSON."""
    try:
        return json.loads(text, strict=False, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def lines_of(content: bytes) -> list[str]:
    """The lines with data in them."""
    lines = (line.strip() for line in content.decode("utf-8", "replace").lstrip("\ufeff").splitlines())
    return [line for line in lines if line and not line.startswith((":", *EVENT_FIELDS))]


def streamed(lines: list[str]) -> object:
    """One object of what came in lines: the object itself, or the pieces of a stream put together."""
    whole = read_json("\n".join(lines))
    if whole is not None:
        return whole
    data = [line.removeprefix("data:").strip() for line in lines]
    chunks = [read_json(line) for line in data if line != DONE]
    if not chunks or not all(isinstance(chunk, dict) for chunk in chunks):
        return None
    failed = [chunk for chunk in chunks if Answer(chunk, None).error_status]
    return failed[0] if failed else assembled(chunks)


def assembled(chunks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The answer of which chunks are the pieces. Of several choices only the first is put together."""
    texts = {"content": "", "refusal": "", "reasoning_content": ""}
    arguments, end, usage = "", None, None
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        choice = first_choice(chunk)
        if choice.get("index"):
            continue
        end = choice.get("finish_reason") or end
        piece = choice.get("delta") or choice.get("message")
        if not isinstance(piece, Mapping):
            continue
        for name in texts:
            texts[name] += piece[name] if isinstance(piece.get(name), str) else ""
        arguments += "".join(call for call in calls_of(piece) if isinstance(call, str))
    called = [{"function": {"arguments": arguments}}] if arguments else []
    return {"choices": [{"message": {**texts, "tool_calls": called}, "finish_reason": end}], "usage": usage}


def first_choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first choice of an answer; nothing where there is none."""
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, Mapping) else {}


def calls_of(message: Mapping[str, Any]) -> list[object]:
    """The arguments of the functions that a message calls."""
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
    functions.append(message.get("function_call"))
    return [function.get("arguments") for function in functions if isinstance(function, Mapping)]


def tokens_of(usage: object) -> int | None:
    """How many tokens an answer says it took."""
    if not isinstance(usage, Mapping):
        return None
    total, sent, written = (usage.get(name) for name in ("total_tokens", "prompt_tokens", "completion_tokens"))
    if total is None and type(sent) is int and type(written) is int:
        total = sent + written
    return total if type(total) is int and 0 <= total <= MOST_TOKENS else None


def status_of(error: object) -> int:
    """The status that an error in an answer stands for."""
    if isinstance(error, Mapping):
        for name in ("status", "status_code", "code", "type"):
            word = str(error.get(name))[:40].lower()
            if word.isascii() and word.isdecimal() and 300 <= int(word) < 600:
                return int(word)
            if word in STATUS_OF:
                return STATUS_OF[word]
    return 503
