"""Nothing of what people said, of what the model wrote or of the key stands in logs, errors or their chains."""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Iterator

import pytest

from stories.processors.openai_compatible import client
from stories.processors.openai_compatible.errors import ProviderFailed
from stories.processors.openai_compatible.service import configured_service
from tests.processes import until
from tests.stories.openai.fake_service import CANARY, KEY, SAID, STORY, Reply, story_answer, vectors_answer

WAYS = {
    "as it should": Reply(),
    "refused, with what was sent": Reply({"error": {"message": CANARY, "code": CANARY, "param": CANARY}}, 400),
    "refused, as text": Reply(CANARY.encode(), 401),
    "busy, with what was sent": Reply({"error": {"message": CANARY}}, 503, {"X-Echo": CANARY}),
    "a success with an error in it": Reply({"error": {"message": CANARY, "code": CANARY, "type": CANARY}}),
    "refused by name, with what was sent": Reply({"error": f"response_format: {CANARY}", "input": CANARY}, 422),
    "redirected": Reply({"error": CANARY}, 307, {"Location": f"http://127.0.0.1:9/{CANARY}"}),
    "no JSON": Reply(story_answer(f"{CANARY}, I would say")),
    "JSON cut short": Reply(story_answer(json.dumps(STORY)[:-5])),
    "an envelope cut short": Reply(json.dumps(story_answer(STORY))[:-5].encode()),
    "an unknown field": Reply(story_answer({**STORY, CANARY: CANARY})),
    "a bad day": Reply(story_answer({**STORY, "events": [{**STORY["events"][0], "when": CANARY}]})),
    "a bad precision": Reply(story_answer({**STORY, "events": [{**STORY["events"][0], "precision": CANARY}]})),
    "half a character": Reply(story_answer({**STORY, "text": f"{CANARY} \ud800"})),
    "declined": Reply(story_answer(STORY, message={"refusal": CANARY})),
    "thoughts": Reply(story_answer(f"<think>{CANARY}", finish_reason="length")),
    "a stream": Reply(f'data: {{"choices": [{{"delta": {{"content": "{CANARY}"}}}}]}}\n\n'.encode()),
    "broken off": Reply(cut=True),
    "silent": Reply(hang=1),
    "other vectors": Reply(vectors_answer([[1.0]])),
}


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that is logged with the root at DEBUG, with tracebacks."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def everything_of(problem: BaseException) -> str:
    """All that a log or a reporter could show of an error: its chain, hidden or not, and what its members hold."""
    seen, told = [problem], []
    for each in seen:
        told += [repr(each), str(each), repr(each.args), repr(vars(each)), *getattr(each, "__notes__", [])]
        told += traceback.format_exception(each)
        seen += [other for other in (each.__cause__, each.__context__) if other is not None and other not in seen]
    return "\n".join(told)


@pytest.mark.parametrize("reply", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("what", ["story", "vectors"])
def test_nothing_is_told(request, service, logged, reply, what):
    service.always = reply
    problem = None
    try:
        if what == "story":
            request.getfixturevalue("processor")(timeout=1.0, deadline=1.5).compose(SAID)
        else:
            texts = [message.text for message in SAID.messages]
            request.getfixturevalue("embedder")(timeout=1.0, deadline=1.5).embed(texts)
    except ProviderFailed as failed:
        problem = failed
    until(lambda: any(CANARY in json.dumps(request) for request in service.requests))
    told = logged.getvalue() + (everything_of(problem) if problem else "")
    assert CANARY not in told
    assert KEY not in told
    assert problem is None or (problem.__cause__ is None and problem.__context__ is None)


def test_the_package_would_have_logged_something(processor, service, logged):
    """The control: at DEBUG the package has a line for every step; as it is kept, it has none."""
    processor().compose(SAID)
    assert logged.getvalue() == ""
    talkative = logging.getLogger("openai")
    talkative.setLevel(logging.DEBUG)
    try:
        processor().compose(SAID)
    finally:
        talkative.setLevel(logging.WARNING)
    assert "HTTP" in logged.getvalue()


def test_the_package_is_kept_from_talking():
    assert logging.getLogger("openai").level == logging.WARNING


def test_the_errors_of_the_package_would_have_told_it(processor, service):
    """The control: what we keep nothing of holds the body of the answer."""
    service.always = WAYS["refused, as text"]
    teller = processor()
    with pytest.raises(client.openai.APIStatusError) as failed:
        teller.client.openai.post("/chat/completions", cast_to=client.httpx2.Response, body={"of": CANARY})
    assert CANARY in everything_of(failed.value)


def test_neither_answers_nor_settings_print_themselves(processor, service, settings):
    teller = processor()
    answer = teller.client.ask("/chat/completions", {}, client.Deadline(2))
    assert CANARY not in repr(answer)
    assert KEY not in repr(configured_service()) + repr(settings.OPENAI)
