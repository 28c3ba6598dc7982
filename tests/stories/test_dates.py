"""Times in a sentence mean what they meant on the day it was said."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.processors.offline.dates import spans
from stories.processors.offline.dates.resolving import find_dates

WEDNESDAY = datetime(2024, 5, 15, 10, 30, tzinfo=UTC)

RESOLVED = [
    # days
    ("We left today.", "2024-05-15", "day"),
    ("The kiln broke yesterday.", "2024-05-14", "day"),
    ("I burnt the soup last night.", "2024-05-14", "day"),
    ("We open tomorrow.", "2024-05-16", "day"),
    ("I arrived the day before yesterday.", "2024-05-13", "day"),
    ("She flies the day after tomorrow.", "2024-05-17", "day"),
    ("It broke the night before last.", "2024-05-13", "day"),
    ("I woke up 15 hours ago.", "2024-05-14", "day"),
    ("I call back in nine hours.", "2024-05-15", "day"),
    ("The bus goes twenty hours from now.", "2024-05-16", "day"),
    ("I planted them ten days ago.", "2024-05-05", "day"),
    ("I planted them a week ago today.", "2024-05-08", "day"),
    ("I heard it two nights ago.", "2024-05-13", "day"),
    ("I fell off the ladder a few days ago.", "2024-05-06", "week"),
    ("We leave in three days.", "2024-05-18", "day"),
    # weekdays
    ("We sang last Friday.", "2024-05-10", "day"),
    ("We sang last Wednesday.", "2024-05-08", "day"),
    ("I saw the dentist on Monday.", "2024-05-13", "day"),
    ("See you on Monday.", "2024-05-20", "day"),
    ("This Friday we are off.", "2024-05-17", "day"),
    ("I fly next Friday.", "2024-05-24", "day"),
    ("We rowed on Tuesday last week.", "2024-05-07", "day"),
    ("We row next week on Tuesday.", "2024-05-21", "day"),
    ("He quit three Fridays ago.", "2024-04-26", "day"),
    ("I went there last Tues.", "2024-05-14", "day"),
    ("We row the Monday after next.", "2024-05-27", "day"),
    ("We row a week from Friday.", "2024-05-24", "day"),
    ("Two Saturdays from now we row.", "2024-05-25", "day"),
    ("I fell on Tuesday the 7th.", "2024-05-07", "day"),
    # weeks and weekends
    ("I moved the shed last week.", "2024-05-06", "week"),
    ("The fair is next week.", "2024-05-20", "week"),
    ("We met two weeks ago.", "2024-04-29", "week"),
    ("We met a couple of weeks ago.", "2024-04-29", "week"),
    ("It rained the week before last.", "2024-04-29", "week"),
    ("It rained the week before.", "2024-05-06", "week"),
    ("This weekend we are fishing.", "2024-05-18", "weekend"),
    ("This weekend we went fishing.", "2024-05-11", "weekend"),
    ("The coming weekend we are fishing.", "2024-05-18", "weekend"),
    ("I left a fortnight ago.", "2024-04-29", "week"),
    ("We fished last weekend.", "2024-05-11", "weekend"),
    ("We went out over the weekend.", "2024-05-11", "weekend"),
    # months
    ("I begin next month.", "2024-06-01", "month"),
    ("I began last month.", "2024-04-01", "month"),
    ("I began three months ago.", "2024-02-01", "month"),
    ("I was ill in March.", "2024-03-01", "month"),
    ("My exam is in March.", "2025-03-01", "month"),
    ("I was ill last June.", "2023-06-01", "month"),
    ("We wed in May of 2019.", "2019-05-01", "month"),
    ("I fell ill a few weeks ago.", "2024-04-01", "month"),
    # days of a month
    ("It is due on the 5th.", "2024-06-05", "day"),
    ("I paid on the 5th.", "2024-05-05", "day"),
    ("He came on 3 July.", "2023-07-03", "day"),
    ("The fair is on July 3rd.", "2024-07-03", "day"),
    ("I paid on the 31st.", "2024-03-31", "day"),
    ("I sold the boat on 29 February.", "2024-02-29", "day"),
    ("I will sell the boat on February 29th.", "2028-02-29", "day"),
    ("We leave on Saturday 25 May.", "2024-05-25", "day"),
    ("I paid on Sat 25 May.", "2024-05-25", "day"),  # on a Saturday that is to come, whatever the tense
    ("I paid on 11 May, a Saturday.", "2024-05-11", "day"),
    ("I fell on Saturday the 30th.", "2024-03-30", "day"),
    ("She was born on July 3, 1990.", "1990-07-03", "day"),
    ("It was the 3rd of July 2020.", "2020-07-03", "day"),
    ("Signed on 2023-02-28.", "2023-02-28", "day"),
    ("Signed on 3/14/2023.", "2023-03-14", "day"),
    ("Signed on 14.3.2023.", "2023-03-14", "day"),
    # seasons, years, feasts
    ("We swam there last summer.", "2023-06-01", "season"),
    ("We ski next winter.", "2024-12-01", "season"),
    ("We met in the summer of 2019.", "2019-06-01", "season"),
    ("I quit last year.", "2023-01-01", "year"),
    ("I quit seven years ago.", "2017-01-01", "year"),
    ("I quit a year ago today.", "2023-05-15", "day"),
    ("I quit in 2016.", "2016-01-01", "year"),
    ("Christmas Eve was quiet.", "2023-12-24", "day"),
    ("Thanksgiving will be loud.", "2024-11-28", "day"),
    ("Easter was early.", "2024-03-31", "day"),
]

NO_TIME = [
    "The tower wasn't built in a day.",
    "I ran for the last three years.",
    "Over the last year I slept badly.",
    "My desk is on the 5th floor.",
    "I sat in the Sun.",
    "We may march, this may be late.",
    "We meet every Friday.",
    "It was a Friday.",
    "I found a watch from 1979.",
    "I like Sunday mornings.",
    "It ended on 2023-02-30.",
    "It ended on 31 April.",
    "A light from 99999 years ago.",
    "The next day was dull.",
    "",
]


@pytest.mark.parametrize(("sentence", "first", "precision"), RESOLVED)
def test_a_time_is_resolved_against_the_day_it_was_said(sentence: str, first: str, precision: str) -> None:
    assert [(dating.span.first.isoformat(), dating.span.precision) for dating in find_dates(sentence, WEDNESDAY)] == [
        (first, precision)
    ]


@pytest.mark.parametrize("sentence", NO_TIME)
def test_what_only_looks_like_a_time_is_none(sentence: str) -> None:
    assert find_dates(sentence, WEDNESDAY) == []


def test_the_next_day_is_the_day_after_the_one_named_before() -> None:
    found = find_dates("We climbed last Saturday and the next day we slept.", WEDNESDAY)
    assert [dating.span.first for dating in found] == [date(2024, 5, 11), date(2024, 5, 12)]


def test_the_zone_of_the_message_decides_what_yesterday_was() -> None:
    late = datetime(2024, 5, 15, 23, 30, tzinfo=timezone(timedelta(hours=-8)))
    assert find_dates("I left yesterday.", late)[0].span.first == date(2024, 5, 14)


@pytest.mark.parametrize("hours", [-12, -3.5, 5.75, 14])
@pytest.mark.parametrize("clock", [time(0, 0), time(23, 59, 59)], ids=["begins", "ends"])
def test_from_its_first_second_to_its_last_it_is_the_day_of_the_speaker(hours: float, clock: time) -> None:
    """What counts hours is left out: it means another day from one hour to the next."""
    said_at = datetime.combine(WEDNESDAY.date(), clock, timezone(timedelta(hours=hours)))
    wrong = {
        sentence: found
        for sentence, *expected in RESOLVED
        if "hours" not in sentence
        and (found := [(each.span.first.isoformat(), each.span.precision) for each in find_dates(sentence, said_at)])
        != [tuple(expected)]
    }
    assert wrong == {}


def test_hours_are_counted_over_midnight() -> None:
    early, late = (WEDNESDAY.replace(hour=hour, tzinfo=timezone(timedelta(hours=-8))) for hour in (1, 23))
    assert find_dates("I ate two hours ago.", early)[0].span.first == date(2024, 5, 14)
    assert find_dates("I ate two hours ago.", late)[0].span.first == date(2024, 5, 15)
    assert find_dates("I will eat in two hours.", late)[0].span.first == date(2024, 5, 16)


def test_no_month_lasts_for_long_and_no_leap_day_is_far() -> None:
    """1900 was no leap year."""
    assert find_dates("I was born on 29 February.", WEDNESDAY.replace(year=1903))[0].span.first == date(1896, 2, 29)
    assert find_dates("It is due on the 30th.", WEDNESDAY.replace(month=1, day=31))[0].span.first == date(2024, 3, 30)


def test_a_caller_may_know_the_direction_better_than_the_verbs() -> None:
    assert find_dates("on Friday", WEDNESDAY, ahead=False)[0].span.first == date(2024, 5, 10)
    assert find_dates("on Friday", WEDNESDAY, ahead=True)[0].span.first == date(2024, 5, 17)


@pytest.mark.parametrize(
    ("year", "sunday"),
    [(1961, date(1961, 4, 2)), (2000, date(2000, 4, 23)), (2019, date(2019, 4, 21)), (2038, date(2038, 4, 25))],
)
def test_easter_falls_where_the_almanac_has_it(year: int, sunday: date) -> None:
    assert spans.easter(year) == sunday


PIECES = st.sampled_from([part for sentence, *_ in RESOLVED for part in sentence.split()] + NO_TIME)


@given(st.lists(PIECES, max_size=12).map(" ".join), st.datetimes(timezones=st.just(UTC)))
def test_any_words_on_any_day_give_times_in_order_or_none(text: str, said_at: datetime) -> None:
    found = find_dates(text, said_at)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(dating.span.first <= dating.span.last for dating in found)
    assert found == find_dates(text, said_at)
