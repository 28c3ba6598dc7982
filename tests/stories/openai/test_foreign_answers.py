"""What services make of the protocol and models of a format: every form is read, and nothing in it is believed.

Each way is one that a service or model is known for. A usable story is taken with one request; what does not hold
within it is left out and costs nothing else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stories.processors.base import Draft, Event
from stories.processors.openai_compatible.errors import (
    AccessRefused,
    BadAnswer,
    ProviderBusy,
    ProviderDeclined,
    ProviderRefused,
)
from stories.processors.openai_compatible.schema import read_story
from tests.cast import DAY
from tests.stories.openai.fake_service import SAID, STORY, Reply, story_answer

WHOLE = Draft(
    title=STORY["title"],
    text=STORY["text"],
    people=("Ada", "Tomas"),
    places=("Lisbon",),
    events=(
        Event("Ada", "moved to Lisbon", date(2026, 5, 8), "day", "id-one"),
        Event("Tomas", "dropped the piano", None, "none", "id-two"),
    ),
    occurred_from=DAY,
    occurred_to=DAY,
)
JSON = json.dumps(STORY)
EVENT, OTHER = STORY["events"]
DRAFT = json.dumps({**STORY, "title": "A draft", "text": "Not this one."})


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in STORY.items() if name not in names}


def message(**fields: object) -> dict[str, Any]:
    return story_answer(None, message={"role": "assistant", "content": None, **fields})


def stream(*pieces: str, before: str = "", ending: str = "data: [DONE]\n\n") -> bytes:
    """An answer in pieces, as it is streamed."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({"choices": [], "usage": {"total_tokens": 9}})
    return (before + "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + ending).encode()


AROUND = {
    "a fence": f"```json\n{JSON}\n```",
    "a fence of no language": f"```\n{JSON}\n```",
    "a fence that does not close": f"```json\n{JSON}",
    "a fence amid prose": f"Sure!\n\n```JSON\n{JSON}\n```\nAnything else?",
    "fences inside of a text": f"```json\n{json.dumps({**STORY, 'note': '```{x}```'})}\n```",
    "prose": f"Here is the story:\n{JSON}\nHope that helps!",
    "prose with braces": f"The fields {{title, text}} are filled {{as asked}}:\n{JSON}\n{{done}}",
    "thoughts": f"<think>First, Ada moved.</think>\n\n{JSON}",
    "thoughts with a draft": f"<think>Maybe {DRAFT}? No.</think>{JSON}",
    "thoughts that only end": f"Maybe {DRAFT}? No.\n</think>\n{JSON}",
    "thoughts of another name": f"<reasoning>\nHm. {{}}\n</reasoning>\n```json\n{JSON}\n```",
    "thoughts in brackets": f"[THINK]Maybe {DRAFT}[/THINK]{JSON}",
    "channels": f"<|channel|>analysis<|message|>Maybe {DRAFT}<|end|><|channel|>final<|message|>{JSON}",
    "a draft before it": f"Draft:\n{DRAFT}\nFinal:\n{JSON}",
    "a note behind it": f'{JSON}\n{{"text": "I left out the small talk."}}',
    "a list around it": f"[{JSON}]",
    "an object around it": json.dumps({"story": STORY}),
    "a call around it": json.dumps({"name": "story", "arguments": JSON}),
    "JSON in JSON": json.dumps(JSON),
    "a byte order mark": f"\ufeff{JSON}",
    "commas too many": JSON.replace("]", ",]").replace("2}", "2, }"),
    "comments": JSON.replace('"people"', '// who was there: "all"\n"people"'),
    "words of Python": JSON.replace("null", "None"),
    "a line break in a string": JSON.replace('"text": "Ada moved to Lisbon. ', '"text": "Ada moved to Lisbon.\n'),
    "an end cut off": JSON[:-2] + ', {"who": "Ada", "what": "cal',
}


@pytest.mark.parametrize("written", AROUND.values(), ids=AROUND.keys())
def test_a_story_is_found_in_what_is_around_it(processor, service, written):
    service.always = Reply(story_answer(written))
    assert processor().compose(SAID) == WHOLE
    assert len(service.requests) == 1


ENVELOPES = {
    "comments before it": b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n"
    + json.dumps(story_answer(STORY)).encode(),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(story_answer(STORY)).encode(),
    "NaN in a field that nobody reads": json.dumps({**story_answer(STORY), "logprobs": float("nan")}).encode(),
    "a stream": stream(JSON[:50], JSON[50:]),
    "a stream behind comments": stream(JSON, before=": connected\n\nevent: message\nid: 1\nretry: 10\n"),
    "a stream without an end": stream(JSON, ending=""),
    "a stream of lines": stream(JSON[:9], JSON[9:], ending="").replace(b"data: ", b"").replace(b"\n\n", b"\n"),
    "a stream with thoughts": stream("<think>Hm.", "</think>", JSON),
    "content in parts": message(
        content=[{"type": "text", "text": JSON[:40]}, {"type": "output_text", "text": JSON[40:]}]
    ),
    "content in plain parts": message(content=[JSON[:40], JSON[40:]]),
    "content in parts with values": message(content=[{"type": "text", "text": {"value": JSON}}]),
    "thoughts as a part": message(
        content=[{"type": "thinking", "thinking": [{"type": "text", "text": DRAFT}]}, {"type": "text", "text": JSON}]
    ),
    "content as an object": message(content=STORY),
    "a function that nobody offered": message(tool_calls=[{"function": {"name": "story", "arguments": JSON}}]),
    "a function with an object": message(tool_calls=[{"function": {"name": "story", "arguments": STORY}}]),
    "a function of the older form": message(content="", function_call={"name": "story", "arguments": JSON}),
    "a function beside prose": message(content="I call it.", tool_calls=[{"function": {"arguments": JSON}}]),
    "all of it among the thoughts": message(content="", reasoning_content=JSON),
    "thoughts beside it": message(content=JSON, reasoning_content=DRAFT),
    "another role": message(role="system", content=JSON),
    "no role": {"choices": [{"message": {"content": JSON}}]},
    "a finish of another name": story_answer(STORY, finish_reason="tool_calls"),
    "a refusal of null as a text": message(content=JSON, refusal="null"),
    "a refusal that is empty": message(content=JSON, refusal=""),
    "an error that is null": {**story_answer(STORY), "error": None},
    "cut behind the story": story_answer(JSON[:-1], finish_reason="length"),
}


@pytest.mark.parametrize("body", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_an_answer_is_read_in_whatever_envelope_it_comes(processor, service, body):
    service.always = Reply(body)
    draft = processor().compose(SAID)
    assert replace(draft, events=()) == replace(WHOLE, events=())
    assert draft.events[0] == WHOLE.events[0]
    assert len(service.requests) == 1


FIRST, LAST = WHOLE.events


def dated(when: date | None, precision: str) -> dict[str, Any]:
    return {"events": (replace(FIRST, when=when, precision=precision), LAST)}


def event(**changes: object) -> dict[str, Any]:
    return {**STORY, "events": [{**EVENT, **changes}, OTHER]}


UNDATED, LEFT_OUT = dated(None, "none"), {"events": (LAST,)}
FIELDS = {
    "one more field": ({**STORY, "mood": "glad", "confidence": 0.9}, {}),
    "one more field of an event": (event(certainty="high"), {}),
    "people missing": (without("people"), {"people": ()}),
    "people null": ({**STORY, "people": None}, {"people": ()}),
    "people as one text": ({**STORY, "people": "Ada, Tomas"}, {}),
    "people as objects": ({**STORY, "people": [{"name": "Ada", "role": "user"}, {"name": "Tomas"}]}, {}),
    "an empty person": ({**STORY, "people": ["", "Ada", " ", "Tomas"]}, {}),
    "a person null": ({**STORY, "people": [None, "Ada", "null", 7, [], "Tomas"]}, {}),
    "people as a number": ({**STORY, "people": 7}, {"people": ()}),
    "places missing": (without("places"), {"places": ()}),
    "a place as an object": ({**STORY, "places": [{"name": "Lisbon"}]}, {}),
    "events missing": (without("events"), {"events": ()}),
    "events null": ({**STORY, "events": None}, {"events": ()}),
    "one event without a list": ({**STORY, "events": EVENT}, {"events": (FIRST,)}),
    "all but the text missing": (
        {"text": STORY["text"]},
        {"title": "Ada moved to Lisbon.", "people": (), "places": (), "events": ()},
    ),
    "a title that is empty": ({**STORY, "title": " "}, {"title": "Ada moved to Lisbon."}),
    "a title that is a number": ({**STORY, "title": 7}, {"title": "Ada moved to Lisbon."}),
    "a text in lines": (
        {**STORY, "text": STORY["text"].split(". ", 1)},
        {"text": "Ada moved to Lisbon Tomas dropped the piano."},
    ),
    "an event that is a text": ({**STORY, "events": ["Ada moved", EVENT, OTHER]}, {}),
    "an event of nobody": (event(who=""), LEFT_OUT),
    "an event of null": (event(who=None), LEFT_OUT),
    "an event of null as a text": (event(who="null"), LEFT_OUT),
    "an event without what": ({**STORY, "events": [{"who": "Ada", "message": 1}, OTHER]}, LEFT_OUT),
    "message 0": (event(message=0), LEFT_OUT),
    "a message below 0": (event(message=-1), LEFT_OUT),
    "a message that there is not": (event(message=3), LEFT_OUT),
    "a message of another conversation": (event(message=10**30), LEFT_OUT),
    "a message by its id": (event(message="id-one"), LEFT_OUT),
    "a message that is true": (event(message=True), LEFT_OUT),
    "no message": (event(message=None), LEFT_OUT),
    "two messages": (event(message="1 and 2"), LEFT_OUT),
    "a message and a half": (event(message=1.5), LEFT_OUT),
    "a message below 0 as a text": (event(message="-1"), LEFT_OUT),
    "a message as a text": (event(message="1"), {}),
    "a message with its name": (event(message="message 1"), {}),
    "a message with a sign": (event(message="#1"), {}),
    "a message in brackets": (event(message="[1]"), {}),
    "a message as a float": (event(message=1.0), {}),
    "a message as the text of a float": (event(message="1.0"), {}),
    "a day that is none": (event(when="2026-02-30"), UNDATED),
    "a day that was never": (event(when="0000-00-00"), UNDATED),
    "a day that is empty": (event(when=""), UNDATED),
    "a day that is empty with none": (event(when="", precision="none"), UNDATED),
    "a day that is null as a text": (event(when="null"), UNDATED),
    "a day that is None as a text": (event(when="None", precision="None"), UNDATED),
    "a day in words": (event(when="last Friday"), UNDATED),
    "a day without a precision": (event(when=None), UNDATED),
    "a day that could be two": (event(when="05/08/2026"), UNDATED),
    "a day that is a list": (event(when=["2026-05-08"]), UNDATED),
    "a day that is true": (event(when=True), UNDATED),
    "a day without end": (event(when="2026-05-08T" + "0" * 10_000), UNDATED),
    "a decade": (event(precision="decade"), UNDATED),
    "a precision that is a list": (event(precision=["day"]), UNDATED),
    "a day with precision none": (event(precision="none"), UNDATED),
    "a precision in capitals": (event(precision="Day"), {}),
    "a precision missing": ({**STORY, "events": [{k: v for k, v in EVENT.items() if k != "precision"}, OTHER]}, {}),
    "a precision that is empty": (event(precision=""), {}),
    "a precision finer than a day": (event(precision="minute"), {}),
    "a day with an hour": (event(when="2026-05-08T10:00"), {}),
    "a day at midnight UTC": (event(when="2026-05-08T00:00:00Z"), {}),
    "a day with an hour and zone": (event(when="2026-05-08 23:30:00+02:00"), {}),
    "a day with slashes": (event(when="2026/05/08"), {}),
    "a day with one digit": (event(when="2026-5-8"), {}),
    "a day with dots": (event(when="08.05.2026"), {}),
    "a day as a number": (event(when=20260508), {}),
    "a day in English": (event(when="May 8th, 2026"), {}),
    "a day in English of Britain": (event(when="Friday, 8 May 2026"), {}),
    "a month": (event(when="2026-05", precision="month"), dated(date(2026, 5, 1), "month")),
    "a month that claims to be a day": (event(when="2026-05"), dated(date(2026, 5, 1), "month")),
    "a month without its day": (event(when="2026-05-00"), dated(date(2026, 5, 1), "month")),
    "a month in English": (event(when="May 2026", precision="month"), dated(date(2026, 5, 1), "month")),
    "a year": (event(when="2026", precision="year"), dated(date(2026, 1, 1), "year")),
    "a year as a number": (event(when=2026, precision="year"), dated(date(2026, 1, 1), "year")),
    "a year that claims to be a day": (event(when="2026"), dated(date(2026, 1, 1), "year")),
    "a year without the rest": (event(when="2026-xx-xx"), dated(date(2026, 1, 1), "year")),
    "a week of ISO 8601": (event(when="2026-W19", precision="week"), dated(date(2026, 5, 4), "week")),
    "a week that the year has not": (event(when="2026-W60", precision="week"), UNDATED),
    "a month of thirteen": (event(when="2026-13", precision="month"), UNDATED),
    "a word that begins like a month": (event(when="maybe 2026"), UNDATED),
}


@pytest.mark.parametrize(("story", "expected"), FIELDS.values(), ids=FIELDS.keys())
def test_a_story_is_taken_and_what_does_not_hold_is_left_out(processor, service, story, expected):
    service.always = Reply(story_answer(story))
    assert processor().compose(SAID) == replace(WHOLE, **expected)
    assert len(service.requests) == 1


def test_a_good_event_is_kept_beside_a_bad_one(processor, service):
    events = [{**EVENT, "when": "2026-02-30"}, {**EVENT, "what": "sold the flat", "when": "2026-05-09"}, OTHER]
    service.always = Reply(story_answer({**STORY, "events": events}))
    first, second, third = processor().compose(SAID).events
    assert (first.what, first.when, first.precision) == ("moved to Lisbon", None, "none")
    assert (second.what, second.when, second.precision) == ("sold the flat", date(2026, 5, 9), "day")
    assert third == LAST


def test_the_last_event_of_an_answer_that_was_cut_is_not_believed(processor, service):
    """Of `"message": 12` a cut may leave `"message": 1`, which is another message."""
    cut = JSON[: JSON.rindex('"message": 2')] + '"message": 1'
    service.always = Reply(story_answer(cut, finish_reason="length"))
    assert processor().compose(SAID).events == (FIRST,)


def test_a_name_is_known_in_whatever_form_of_unicode_it_was_said(processor, service):
    """A model composes what a keyboard did not."""
    said = replace(SAID, messages=(replace(SAID.messages[0], text="I met Jose\u0301 in Lisbon."), SAID.messages[1]))
    service.always = Reply(story_answer({**STORY, "people": ["Jos\u00e9"]}))
    assert processor().compose(said).people == ("Jos\u00e9",)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=300)
    | st.sampled_from(["", "2026", "1"]),
    lambda inner: st.lists(inner, max_size=80) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, database=None)
@given(st.sampled_from([*STORY, *EVENT]), json_values)
def test_whatever_stands_in_a_field_the_draft_is_within_its_bounds(name, value):
    story = {**STORY, name: value} if name in STORY else event(**{name: value})
    try:
        draft = read_story([json.dumps(story)], SAID, dict(enumerate(SAID.messages, start=1)))
    except BadAnswer:
        assert name == "text"
        return
    assert 0 < len(draft.title) <= 120
    assert 0 < len(draft.text) <= 4_000
    assert all(0 < len(each) <= 120 for each in (*draft.people, *draft.places, *(event.who for event in draft.events)))
    assert all(0 < len(each.what) <= 240 for each in draft.events)
    assert {each.message_id for each in draft.events} <= {"id-one", "id-two"}
    assert all((each.when is None) == (each.precision == "none") for each in draft.events)
    assert max(len(draft.people), len(draft.places), len(draft.events)) <= 64
    json.dumps(asdict(draft), default=str, ensure_ascii=False).encode()  # nothing that cannot be stored


def test_what_somebody_said_about_thoughts_is_no_thought():
    story = {**STORY, "text": "Ada wrote </think> and {x} on the wall."}
    written = f"```json\n{json.dumps(story)}\n```"
    assert read_story([written], SAID, dict(enumerate(SAID.messages, start=1))).text == story["text"]


@pytest.mark.parametrize(
    ("body", "error", "away"),
    [
        ({"error": {"message": "Provider returned error", "code": 429}}, ProviderBusy, True),
        ({"error": {"message": "Overloaded", "code": "503"}}, ProviderBusy, True),
        ({"error": "model is loading"}, ProviderBusy, True),
        ({"error": {"message": "x", "type": "overloaded_error"}, "choices": []}, ProviderBusy, True),
        ({"object": "error", "message": "x", "code": 500}, ProviderBusy, True),
        (story_answer(None, finish_reason="error", error={"code": 502}), ProviderBusy, True),
        (b'data: {"error": {"message": "x", "code": 502}}\n\ndata: [DONE]\n\n', ProviderBusy, True),
        ({"error": {"message": "x", "code": "invalid_api_key"}}, AccessRefused, True),
        ({"error": {"message": "x", "code": "insufficient_quota"}}, AccessRefused, True),
        ({"error": {"message": "x", "code": "context_length_exceeded"}}, ProviderRefused, False),
        ({"error": {"message": "x", "type": "invalid_request_error", "code": None}}, ProviderRefused, False),
    ],
    ids=str,
)
@pytest.mark.usefixtures("clock")
def test_an_error_that_comes_as_a_success_is_one(processor, service, body, error, away):
    service.always = Reply(body)
    with pytest.raises(error) as failed:
        processor(deadline=1.0).compose(SAID)
    assert type(failed.value) is error
    assert failed.value.away is away


def test_an_error_that_comes_as_a_success_is_waited_out(processor, service):
    service.script = [Reply({"error": {"message": "Overloaded", "code": 503}})]
    assert processor().compose(SAID) == WHOLE


REFUSALS = {
    "in its field": message(refusal="I will not."),
    "in a part": message(content=[{"type": "refusal", "refusal": "I will not."}]),
    "by a filter": story_answer(None, finish_reason="content_filter"),
    "in a stream": b"".join(
        b'data: {"choices": [{"delta": {"refusal": "%s"}}]}\n\n' % piece for piece in (b"I will ", b"not.")
    ),
}


@pytest.mark.parametrize("body", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_model_declines_in_several_ways(processor, service, body):
    service.always = Reply(body)
    with pytest.raises(ProviderDeclined):
        processor().compose(SAID)
    assert len(service.requests) == 1


def refused(text: str, status: int = 400) -> Reply:
    return Reply({"error": {"message": text, "type": "invalid_request_error"}}, status)


@pytest.mark.parametrize(
    "reply",
    [
        refused("Unsupported parameter: 'max_completion_tokens' is not supported with this model."),
        Reply({"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"]}]}, 422),
        Reply({"error": "unknown field max_completion_tokens"}, 400),
    ],
)
def test_a_service_that_knows_only_the_older_bound_is_asked_by_that_from_then_on(processor, service, reply):
    service.script = [reply]
    teller = processor()
    assert teller.compose(SAID) == WHOLE
    assert teller.compose(SAID) == WHOLE
    assert ["max_completion_tokens" in request for request in service.requests] == [True, False, False]
    assert [request.get("max_tokens") for request in service.requests] == [None, 4_096, 4_096]


def test_a_service_that_takes_no_format_is_asked_for_a_plainer_one(processor, service):
    """LM Studio takes `json_schema` and `text`; some services take none."""
    service.script = [refused("'response_format.type' must be 'json_schema' or 'text'")]
    teller = processor(answer_format="json_object")
    assert teller.compose(SAID) == WHOLE
    assert teller.compose(SAID) == WHOLE
    assert ["response_format" in request for request in service.requests] == [True, False, False]


def test_formats_become_plainer_one_by_one(processor, service):
    service.script = [refused("response_format: json_schema is unknown"), refused("response_format is unknown", 422)]
    assert processor().compose(SAID) == WHOLE
    asked = [request.get("response_format", {}).get("type") for request in service.requests]
    assert asked == ["json_schema", "json_object", None]


def test_a_format_of_none_can_be_set(processor, service):
    assert processor(answer_format="text").compose(SAID) == WHOLE
    assert "response_format" not in service.requests[0]


def test_a_refusal_that_stays_is_given_up_and_changes_nothing(processor, service):
    service.always = refused("max_completion_tokens, response_format: too many tokens")
    teller = processor()
    with pytest.raises(ProviderRefused):
        teller.compose(SAID)
    assert len(service.requests) == 4
    service.always = None
    teller.compose(SAID)
    assert service.requests[4].keys() == service.requests[0].keys()
