"""From an answer's body to the JSON objects that the model wrote, wherever it put them and whatever it put around them.

A model writes its answer as text, as parts of a text, or as the arguments of a function that nobody offered; between
fences, behind its thoughts, amid courtesies, with a comma too many, or cut at its bound of tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json

from stories.processors.openai_compatible.envelope import calls_of, first_choice, read_json
from stories.processors.openai_compatible.errors import BadAnswer, ProviderDeclined

MOST_CHARACTERS = 200_000
"""Of one text that are read; a story with everything in it has a tenth of that."""
MOST_TRIES = 200
"""Braces at which an object may begin."""
DEEPEST = 4
"""Objects and lists around a story that are opened."""

THOUGHT_PARTS = ("thinking", "reasoning", "redacted_thinking")

DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None)
_TAG = "(?:think|thinking|thought|thoughts|reasoning|analysis)"
THOUGHTS_BEGIN = re.compile(rf"<{_TAG}\b[^<>]*>|\[THINK\]", re.IGNORECASE)
THOUGHTS_END = re.compile(rf"</{_TAG}\s*>|\[/THINK\]|<\|channel\|>final<\|message\|>", re.IGNORECASE)
# Strings are matched first, so that nothing inside of one is changed.
SLIPS = re.compile(r'("(?:\\.|[^"\\])*(?:"|\\?\Z))|//[^\n]*|,(?=\s*[}\]])|\b(True|False|None)\b', re.DOTALL)
PYTHON = {"True": "true", "False": "false", "None": "null"}


def texts_of(body: Mapping[str, Any]) -> list[str]:
    """What the model wrote, the likeliest place first. Raises BadAnswer, or ProviderDeclined where it wrote nothing."""
    choice = first_choice(body)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise BadAnswer("The service's answer has no message in it.")
    if choice.get("finish_reason") == "content_filter" or is_refused(message):
        raise ProviderDeclined
    places = (message.get("content"), *calls_of(message), message.get("reasoning_content"), message.get("reasoning"))
    texts = [text for place in places if (text := text_in(place).strip())]
    if not texts:
        raise BadAnswer("The service's answer has no text in it.")
    return texts


def is_refused(message: Mapping[str, Any]) -> bool:
    """Whether a message is a refusal, by its field or by a part of its content."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return any(
        isinstance(said, str) and said.strip().lower() not in ("", "null", "none", "false")
        for said in (message.get("refusal"), *(part.get("refusal") for part in parts if isinstance(part, Mapping)))
    )


def text_in(place: object) -> str:
    """The text of a message's content: as it is, in parts, or already an object. Parts that are thoughts are none."""
    if isinstance(place, str):
        return place
    if isinstance(place, list):
        return "".join(text_in(part) for part in place)
    if not isinstance(place, Mapping) or place.get("type") in THOUGHT_PARTS:
        return ""
    if place.get("type") is None or "title" in place:
        return json.dumps(place)
    text = place.get("text")
    text = text.get("value") if isinstance(text, Mapping) else text
    return text if isinstance(text, str) else ""


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """The objects that could be meant, the likeliest first.

    They are those of the whole text, or else those that stand in it, the last one first: models write a draft before
    the answer, not after it. What is whole of an object that breaks off comes last.
    """
    text = text[:MOST_CHARACTERS]
    whole = read_json(text)
    if whole is not None:
        yield from opened(whole)
        return
    answers = without_thoughts(text)
    for candidate in dict.fromkeys((*answers, *(SLIPS.sub(mended, answer) for answer in answers))):
        for found in reversed(standing_in(candidate)):
            yield from opened(found)
    for answer in answers:
        yield from begun(answer)


def without_thoughts(text: str) -> list[str]:
    """A text without what the model thought before it answered; none where it did not come to an answer.

    Only tags before the first brace are surely the model's. A later one may be something that somebody said, so the
    whole text counts too.
    """
    begin = THOUGHTS_BEGIN.search(text[: text.find("{") + 1])
    last = text.rfind("{")
    ends = [at.end() for at in THOUGHTS_END.finditer(text) if at.end() <= last]
    behind = [text[ends[-1] :]] if ends else []
    return behind if begin else [*behind, text]


def mended(slip: re.Match[str]) -> str:
    """What stands in JSON where a model wrote something else: a comma too many, a comment, a word of Python."""
    return slip[1] or PYTHON.get(slip[2], "")


def standing_in(text: str) -> list[object]:
    """The JSON objects that stand in a text, one after the other."""
    found: list[object] = []
    at = text.find("{")
    for _ in range(MOST_TRIES):
        if at < 0:
            break
        try:
            value, end = DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found.append(value)
        at = text.find("{", end)
    return found


def begun(text: str) -> Iterator[dict[str, Any]]:
    """What is whole of an object that breaks off. Of the list that it breaks off in, the last item is not.

    Of `"message": 12` a cut may leave `"message": 1`, which is another message.
    """
    at = text.find("{")
    whole = text[at:].encode("utf-8", "replace") if at >= 0 else b""
    try:
        value = from_json(whole, allow_partial=True, allow_inf_nan=False)
    except (ValueError, RecursionError):
        return
    for found in opened(value):
        last = list(found)[-1]
        yield {**found, last: found[last][:-1]} if isinstance(found[last], list) else found


def opened(value: object, depth: int = DEEPEST) -> Iterator[dict[str, Any]]:
    """An object with a story's text, or the only one inside of what is around it: a list, another object, a string."""
    if isinstance(value, dict) and "text" in value:
        yield value
    elif depth:
        if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
            value = [read_json(value)]
        inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        found = [each for item in inside for each in opened(item, depth - 1)]
        if len(found) == 1:
            yield found[0]
