"""What a line may be, and how one that may not is named: by number and field, never by what it says."""

import io
import json

import pytest

from memories.imports.lines import BadLine, parse, read_lines

MESSAGE = {"id": "m1", "author": "Ada", "text": "I moved to Lisbon.", "sent_at": "2026-05-12T09:30:00+02:00"}
GOOD = {
    "user": {"firebase_uid": "ada", "email": "ada@example.com", "name": "Ada Tavares"},
    "conversation": {"id": "c1", "title": "Lisbon", "description": None, "started_at": "2026-05-12T07:30:00Z"},
    "messages": [MESSAGE],
}


def changed(**parts):
    """The good line with parts replaced: user={...} merges, anything else stands for itself."""
    merged = {
        name: {**GOOD[name], **part} if isinstance(part, dict) and isinstance(GOOD[name], dict) else part
        for name, part in parts.items()
    }
    return {**GOOD, **merged}


def said(**parts):
    return changed(messages=[{**MESSAGE, **parts}])


def without(document, *path):
    """A copy that lacks one member."""
    copy = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return copy


def complaint(line):
    content = line if isinstance(line, bytes) else json.dumps(line).encode()
    with pytest.raises(BadLine) as caught:
        parse(7, content)
    return str(caught.value)


def test_a_good_line_is_read_whole():
    line = parse(1, json.dumps(GOOD).encode())
    assert (line.profile.firebase_uid, line.profile.email, line.profile.name) == (
        "ada",
        "ada@example.com",
        "Ada Tavares",
    )
    assert (line.external_id, line.title, line.description) == ("c1", "Lisbon", None)
    assert line.started_at.isoformat() == line.messages[0].sent_at.isoformat() == "2026-05-12T07:30:00+00:00"
    assert (line.messages[0].payload.author, line.messages[0].payload.text) == ("Ada", "I moved to Lisbon.")


def test_what_is_optional_may_be_left_out_null_or_empty():
    least = {"user": {"firebase_uid": "ada"}, "conversation": {"id": "c1"}, "messages": [MESSAGE]}
    for line in (least, changed(user={"email": None, "name": ""}, conversation={"title": "", "started_at": None})):
        read = parse(1, json.dumps(line).encode())
        assert (read.profile.email, read.profile.name, read.title) == (None, None, None)
        assert read.started_at == read.messages[0].sent_at


def test_fields_of_no_meaning_here_are_passed_over():
    assert parse(1, json.dumps({**said(mood="glad"), "version": 3}).encode()) == parse(1, json.dumps(GOOD).encode())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xff\xfe{}", "not UTF-8 (at byte 0)"),
        (json.dumps(GOOD).encode("utf-16"), "not UTF-8 (at byte 0)"),
        (b'{"user": ', "not JSON (Expecting value at character 9)"),
        (b'{"a": "\x00"}', "not JSON (Invalid control character at at character 7)"),
        (b"[" * 100_000, "not JSON that can be read (nested too deep, or a number too long)"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON that can be read (nested too deep, or a number too long)"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (without(GOOD, "user"), "user is missing or not an object"),
        (changed(user=[]), "user is missing or not an object"),
        (changed(messages={}), "messages is missing or not a list"),
        (changed(messages=[]), "messages is empty"),
        (changed(messages=["hello"]), "messages[0] is not an object"),
        (changed(messages=[MESSAGE, MESSAGE]), "messages[1].id is there twice"),
        (without(GOOD, "user", "firebase_uid"), "user.firebase_uid is missing, empty or not a text"),
        (changed(user={"firebase_uid": 26}), "user.firebase_uid is missing, empty or not a text"),
        (changed(user={"firebase_uid": "a" * 129}), "user.firebase_uid is longer than 128 characters"),
        (changed(user={"email": "ada at example"}), "user.email is not an email address"),
        (changed(user={"email": ["ada@example.com"]}), "user.email is missing, empty or not a text"),
        (changed(user={"name": "A\0da"}), "user.name contains a NUL character"),
        (changed(conversation={"id": ""}), "conversation.id is missing, empty or not a text"),
        (changed(conversation={"id": "c" * 201}), "conversation.id is longer than 200 characters"),
        (changed(conversation={"title": "t" * 1001}), "conversation.title is longer than 1,000 characters"),
        (changed(conversation={"started_at": ""}), "conversation.started_at is not an ISO 8601 time"),
        (without(GOOD, "messages", 0, "sent_at"), "messages[0].sent_at is not an ISO 8601 time"),
        (said(sent_at=1747042200), "messages[0].sent_at is not an ISO 8601 time"),
        (said(sent_at="yesterday"), "messages[0].sent_at is not an ISO 8601 time"),
        (said(sent_at="2026-02-30T09:30:00Z"), "messages[0].sent_at is not an ISO 8601 time"),
        (said(sent_at="2026-05-12T09:30:00"), "messages[0].sent_at has no time zone"),
        (said(sent_at="2026-05-12"), "messages[0].sent_at has no time zone"),
        (said(sent_at="1899-12-31T23:59:59Z"), "messages[0].sent_at is not between 1900 and 2200"),
        (said(sent_at="2200-01-01T00:00:00Z"), "messages[0].sent_at is not between 1900 and 2200"),
        (said(sent_at="0001-01-01T00:00:00+14:00"), "messages[0].sent_at is not between 1900 and 2200"),
        (said(text=7), "messages[0].text is missing, empty or not a text"),
        (said(author=""), "messages[0].author is missing, empty or not a text"),
        (said(role="admin"), "messages[0].role must be one of user, assistant, system, tool, other"),
        (said(role="User"), "messages[0].role must be one of user, assistant, system, tool, other"),
        (said(role=["user"]), "messages[0].role must be one of user, assistant, system, tool, other"),
        (said(metadata=[]), "messages[0].metadata is not an object"),
        (
            said(metadata={"secret": {}}),
            "messages[0].metadata has a member that is no text, number, true, false or null",
        ),
        (
            said(metadata={"secret": "\ud83d"}),
            "messages[0].metadata contains half of a surrogate pair, or a number of too many digits",
        ),
        (said(metadata={"secret": float("nan")}), "messages[0].metadata has a number that is not finite"),
        (said(metadata={"secret": "x" * 4096}), "messages[0].metadata takes more than 4,096 bytes as JSON"),
        (said(expires_at="tomorrow"), "messages[0].expires_at is not an ISO 8601 time"),
        (said(expires_at="2100-01-01"), "messages[0].expires_at has no time zone"),
        (said(text="a" * 500_001), "messages[0].text is longer than 500,000 characters"),
        (said(text="secret\0"), "messages[0].text contains a NUL character"),
        (said(text="secret \ud83d"), "messages[0].text contains a lone surrogate"),
        (said(author="\udfff"), "messages[0].author contains a lone surrogate"),
        (said(id="m" * 201), "messages[0].id is longer than 200 characters"),
    ],
)
def test_a_bad_line_is_named_by_number_and_field(line, reason):
    assert complaint(line) == f"line 7: {reason}"


def test_what_a_message_may_also_have_is_read():
    given = {"role": "assistant", "metadata": {"mood": "glad", "n": 1}, "expires_at": "2100-01-01T01:00:00+01:00"}
    [message] = parse(1, json.dumps(said(**given)).encode()).messages
    assert (message.role, message.payload.metadata) == ("assistant", {"mood": "glad", "n": 1})
    assert message.expires_at.isoformat() == "2100-01-01T00:00:00+00:00"
    for nothing in ({}, {"role": None, "metadata": None, "expires_at": None}, {"role": "", "metadata": {}}):
        [message] = parse(1, json.dumps(said(**nothing)).encode()).messages
        assert (message.role, message.payload.metadata, message.expires_at) == (None, {}, None)


@pytest.mark.parametrize("text", [{"text": ""}, {"text": None}, {}])
def test_a_message_without_a_text_is_no_reason_to_refuse_a_line(text):
    picture = {**without(MESSAGE, "text"), **text}
    [message] = parse(1, json.dumps(changed(messages=[picture])).encode()).messages
    assert message.payload.text == ""


def test_the_offset_of_a_time_is_kept_where_it_has_one():
    times = {"2026-05-12T09:30:00+02:00": 120, "2026-05-12T09:30:00-05:30": -330, "2026-05-12T09:30:00Z": None}
    times |= {"2026-05-12T09:30:00+00:00": None, "2026-05-12T09:30:00-23:59:59": -1439}
    for time, offset in times.items():
        [message] = parse(1, json.dumps(said(sent_at=time)).encode()).messages
        assert message.payload.utc_offset == offset


def test_offsets_are_turned_into_one_time():
    times = {"2026-05-12T09:30:00+02:00", "2026-05-12T07:30:00Z", "2026-05-12T02:30:00-05:00", "20260512T073000+0000"}
    assert {parse(1, json.dumps(said(sent_at=time)).encode()).messages[0].sent_at.isoformat() for time in times} == {
        "2026-05-12T07:30:00+00:00"
    }


def test_a_pair_of_surrogates_is_one_character():
    line = json.dumps(said(text="\U0001f680")).encode()
    assert b"\\ud83d\\ude80" in line
    assert parse(1, line).messages[0].payload.text == "\U0001f680"


def test_lines_are_numbered_as_an_editor_does_whatever_ends_them():
    source = io.BytesIO(b"\xef\xbb\xbf{1}\r\n\n  \r\n{4}\n{5}")
    assert [(number, line.strip()) for number, line in read_lines(source, 100)] == [
        (1, b"{1}"),
        (4, b"{4}"),
        (5, b"{5}"),
    ]


def test_an_empty_source_has_no_lines():
    assert list(read_lines(io.BytesIO(b""), 100)) == []
    assert list(read_lines(io.BytesIO(b"\xef\xbb\xbf"), 100)) == []


def test_a_line_may_be_as_long_as_the_limit_and_no_longer():
    source = io.BytesIO(b"a" * 10 + b"\n" + b"b" * 11 + b"\n" + b"c" * 35 + b"\nd\n" + b"e" * 10)
    read = [line if isinstance(line, bytes) else str(line) for _, line in read_lines(source, 10)]
    too_long = "longer than 10 bytes (IMPORT_LINE_LIMIT)"
    assert read == [b"a" * 10 + b"\n", f"line 2: {too_long}", f"line 3: {too_long}", b"d\n", b"e" * 10]


def test_a_line_over_the_limit_is_never_held_whole():
    class Endless(io.RawIOBase):
        """100 MB without an end of line, and a count of the most that was asked for at once."""

        left, most = 100_000_000, 0

        def readline(self, size=-1):
            self.most = max(self.most, size)
            size = min(size, self.left)
            self.left -= size
            return b"a" * size

    source = Endless()
    assert [str(line) for _, line in read_lines(source, 1_000_000)] == [
        "line 1: longer than 1,000,000 bytes (IMPORT_LINE_LIMIT)"
    ]
    assert source.most <= 1_000_001
