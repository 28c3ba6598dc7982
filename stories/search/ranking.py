"""Ranks a person's passages, and their stories, for one question, and can say why.

    own score       BM25 of the words + cosine of the vectors, each scaled to the best of all
    neighbours      what stands next to a passage in its conversation speaks for it too
    conversation    how well the whole conversation fits
    opening         whether a person began a conversation with an assistant with it
    speaker         whether the person asked about said it
    time            whether it was said in the time asked about
    newest          how new it is, of what fits best, if that is preferred
    assistant       what an assistant says stands behind what people say, unless it is asked for

What is in another language than the question can share only names with it, so its meaning counts for its words too.

Nothing here knows a word or a name: words are rows of counts, speakers are opaque numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from stories.search.scoring import (
    BY_WORDS,
    OFFLINE,
    Calibration,
    Collection,
    Counts,
    Floats,
    Weights,
    bm25,
    features,
    word_weights,
)

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEWEST_AMONG = 20
"""Of how many passages that fit best the newest is preferred, if that is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Passages:
    """All passages of a person, or those that came into question (then give Ranker the `collection` too).

    Arrays over the N passages, in any order, no passage twice; T words are asked for.
    """

    story: Integers
    """(N,) which story: any number."""
    position: Integers
    """(N,) place of the message in its conversation, counted from any number, in steps of one."""
    counts: Counts
    """(T, N) how often each word of the question stands in each passage."""
    lengths: Counts
    """(N,) number of words in each passage."""
    similarity: Floats | None = None
    """(N,) cosine with the question; NaN where unknown; None to search by words alone."""
    asking: Flags | None = None
    """(N,) the message ends in a question."""
    dated: Flags | None = None
    """(N,) the message names a time; None unless the question asks for one."""
    foreign: Flags | None = None
    """(N,) in another language than the question, so that only names can be in both."""
    spoken: Flags | None = None
    """(N,) said by the one whom the question is about; None if it is about nobody, or several."""
    timely: Floats | None = None
    """(N,) 1 for what was said in a time that the question names, less the farther from it; None if it names none."""
    said_at: Integers | None = None
    """(N,) when it was said, in any unit; None unless the newest is preferred."""
    author: Integers | None = None
    """(N,) who said it: any number; None where every message counts as somebody else's than the one before."""
    assistant: Flags | None = None
    """(N,) said by an assistant, a tool or the system; None if nothing is."""

    def __len__(self) -> int:
        return len(self.story)


@dataclass(frozen=True, slots=True, eq=False)
class StoryWords:
    """What BM25 must know of whole stories; each row of `story` is one of S stories."""

    story: Integers
    """(S,) in rising order; every story of a passage must be among them."""
    counts: Counts
    """(T, S) how often each word of the question stands in each story."""
    lengths: Counts
    """(S,) number of words in each story."""

    @classmethod
    def of(cls, passages: Passages) -> StoryWords:
        """Added up from the passages; exact if all of a story's passages are among them."""
        story, of = np.unique(passages.story, return_inverse=True)
        rows = [_added(row, of, len(story)) for row in (*passages.counts, passages.lengths)]
        return cls(story, np.reshape(rows[:-1], (len(passages.counts), len(story))), rows[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Scores of passages or stories in the order in which they were given.

    `score` is the sum of `parts`: name of a part to its share of each score. Only the order means anything: scores of
    two questions cannot be compared, probabilities can.
    """

    score: Floats
    parts: dict[str, Floats]

    def best(self, limit: int | None = None) -> Integers:
        """Positions of the best, best first; of equal ones the first given."""
        order: Integers = np.argsort(-self.score, kind="stable")
        return order[:limit]

    def why(self, at: int) -> dict[str, float]:
        """What made up the score of one result; parts that gave it nothing are left out."""
        return {name: round(float(part[at]), 4) for name, part in self.parts.items() if part[at]}


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The question's answer: passages as they were given, stories as in `story`."""

    passages: Ranked
    stories: Ranked
    story: Integers
    probability: Floats
    """(N,) that the passage answers the question."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranker:
    """Ranks for one question.

    asked: (T,) how often the question has each of its words.
    collection: of all the person's passages; None if all of them are given.
    story_words, story_collection: of whole stories; None to add them up from the passages given.
    floor: cosine of what has nothing to do with the question; None for the least that is given. Give the least of a
        random hundred of the person's passages when only the nearest are given.
    calibration: of the model that the cosines are of.
    """

    asked: Counts
    collection: Collection | None = None
    story_words: StoryWords | None = None
    story_collection: Collection | None = None
    floor: float | None = None
    weights: Weights = field(default_factory=Weights)
    calibration: Calibration = OFFLINE

    def rank(self, passages: Passages) -> Ranking:
        order = np.lexsort((passages.position, passages.story))
        near = _Near.of(passages, order)
        mixed = self.weights.mixed(*_shares(passages, near))
        return replace(self, weights=mixed)._rank(passages, near)

    def _rank(self, passages: Passages, near: _Near) -> Ranking:
        likeness = self._likeness(passages)
        stories = self.story_words or StoryWords.of(passages)
        of = np.searchsorted(stories.story, passages.story)

        stand_in = _stand_in(passages.foreign, likeness)
        fit = self._fit(stories, of, likeness, stand_in)
        parts = self._own(passages, likeness, near, stand_in)
        parts["conversation"] = self.weights.conversation * fit[of]
        if passages.spoken is not None:
            parts["speaker"] = self.weights.speaker * passages.spoken
        if passages.timely is not None:
            parts["time"] = self.weights.time * passages.timely
        if passages.assistant is not None:
            parts["opening"] = self.weights.opening * near.opens(passages.assistant)
            asked_for = False if passages.spoken is None else passages.spoken
            parts["assistant"] = self.weights.assistant * np.where(asked_for, 2, -1) * passages.assistant
        if passages.said_at is not None:
            parts["newest"] = self._newest(_sum(parts, len(passages)), passages.said_at)
        ranked = _sum(parts, len(passages))
        calibration = BY_WORDS if likeness is None else self.calibration
        probability = calibration.probability(self.features(passages, ranked))
        return Ranking(ranked, self._stories(ranked.score, of, fit), stories.story, probability)

    def features(self, passages: Passages, ranked: Ranked) -> Floats:
        """Return what the probability of each passage is made of. How new it is says nothing of it."""
        weights = word_weights(self.collection or Collection.of(passages.counts, passages.lengths), self.asked)
        score = ranked.score - ranked.parts.get("newest", 0.0)
        return features(score, passages.similarity, passages.counts, weights)

    def _newest(self, ranked: Ranked, said_at: Integers) -> Floats:
        """Of what fits best, the share for each by its place in time, the newest having most."""
        best = ranked.best(NEWEST_AMONG)
        lift = np.zeros(len(said_at))
        moments, place = np.unique(said_at[best], return_inverse=True)
        lift[best] = self.weights.newest * place / max(len(moments) - 1, 1)
        return lift

    def _likeness(self, passages: Passages) -> Floats | None:
        """Return cosines scaled to 0..1, 0 for an unknown one."""
        if passages.similarity is None or not np.isfinite(passages.similarity).any():
            return None
        cosine = np.asarray(passages.similarity, dtype=np.float64)
        floor = np.fmin.reduce(cosine) if self.floor is None else self.floor
        return _to_one(np.fmax(cosine - floor, 0.0))

    def _own(
        self, passages: Passages, likeness: Floats | None, near: _Near, stand_in: Floats | None
    ) -> dict[str, Floats]:
        """Words and vector of a passage and of those next to it, scaled so that the best comes to 1."""
        knobs = self.weights
        collection = self.collection or Collection.of(passages.counts, passages.lengths)
        by_word = bm25(passages.counts, passages.lengths, collection, self.asked, k1=knobs.saturation, b=knobs.length)
        words = by_word.sum(axis=0)
        around = near.strongest(by_word, knobs.near_words).sum(axis=0)
        scale = (1 - knobs.vector if likeness is not None else 1.0) / (float(around.max(initial=0.0)) or 1.0)
        parts: dict[str, Floats] = {"words": scale * words, "neighbours": scale * (around - words)}
        if likeness is not None and passages.similarity is not None:
            # What has no vector yet is judged by its words alone: it must not fall behind what happens to have one.
            by_words = scale * around / (1 - knobs.vector)
            parts["vector"] = knobs.vector * np.where(np.isfinite(passages.similarity), likeness, by_words)
            if stand_in is not None:
                meant = (1 - knobs.vector) * stand_in * likeness
                parts["other_language"] = np.maximum(meant - parts["words"], 0.0)
        parts["substance"] = knobs.substance * np.minimum(np.log1p(passages.lengths) / np.log1p(100), 1.0)
        if passages.dated is not None:
            parts["dated"] = knobs.dated * passages.dated
        if passages.asking is not None:
            parts["asking"] = -knobs.asking * passages.asking
        best = float(_sum(parts, len(passages)).score.max(initial=0.0))
        return {name: part / best for name, part in parts.items()} if best > 0 else parts

    def _fit(self, stories: StoryWords, of: Integers, likeness: Floats | None, stand_in: Floats | None) -> Floats:
        """(S,) how well each conversation as a whole fits, 0..1."""
        knobs = self.weights
        collection = self.story_collection or Collection.of(stories.counts, stories.lengths)
        by_word = bm25(
            stories.counts, stories.lengths, collection, self.asked, k1=knobs.saturation, b=knobs.story_length
        )
        words = _to_one(by_word.sum(axis=0))
        if likeness is None:
            return words
        meaning = _spread(_best_of_each(likeness, of, len(stories.story), 3).sum(axis=0))
        if stand_in is not None:
            share = np.ones(len(meaning))  # nothing for a story of which a part is in the question's language
            np.minimum.at(share, of, stand_in)
            words = np.maximum(words, share * meaning)
        return _to_one((1 - knobs.conversation_vector) * words + knobs.conversation_vector * meaning)

    def _stories(self, scores: Floats, of: Integers, fit: Floats) -> Ranked:
        """A story is as good as its best passages and its whole."""
        knobs = self.weights
        best, second, third = _best_of_each(scores, of, len(fit), 3)
        passages = _spread(best + knobs.runners_up * (second + third) / 2)
        return _sum(
            {"passages": knobs.best_passages * passages, "conversation": (1 - knobs.best_passages) * fit}, len(fit)
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Near:
    """Which passages stand near which. `story` and `position` are sorted; `order` leads back to the order given.

    Words are shared across a change of speaker alone: what one person says in a row are statements of their own. An
    assistant's speak for nothing else: it repeats what it was told.
    """

    story: Integers
    position: Integers
    order: Integers
    changes: Flags
    """(N - 1,) the speaker changes between two."""
    gives: Flags
    """(N,) its words speak for those near it."""

    @classmethod
    def of(cls, passages: Passages, order: Integers) -> _Near:
        every = np.ones(len(order), dtype=np.bool_)
        author, gives = passages.author, every
        changes = every[1:] if author is None else author[order][1:] != author[order][:-1]
        if passages.assistant is not None:
            gives = ~passages.assistant[order]
        return cls(passages.story[order], passages.position[order], order, changes, gives)

    def starts(self) -> Integers:
        """Return where each story begins, of those in order."""
        return np.flatnonzero(np.diff(self.story, prepend=self.story[:1] - 1))

    def opens(self, assistant: Flags) -> Flags:
        """(N,) a person began a story with it in which an assistant takes part."""
        starts, by_assistant = self.starts(), assistant[self.order]
        opening = np.zeros(len(self.order), dtype=np.bool_)
        opening[self.order[starts]] = np.logical_or.reduceat(by_assistant, starts) & ~by_assistant[starts]
        return opening

    def strongest(self, by_word: Floats, shares: tuple[float, ...]) -> Floats:
        """(T, N) each word's score with the faded ones around it: the root of the sum of squares.

        Near enough the strongest of them: a word that the question asks for once is not to count three times because
        three messages in a row have it, as it would if they were added.
        """
        squares = np.square(by_word)
        root: Floats = np.sqrt(squares + self._gathered(squares, tuple(share**2 for share in shares)))
        return root

    def _gathered(self, scores: Floats, shares: tuple[float, ...]) -> Floats:
        ordered = scores[:, self.order]
        found = np.zeros_like(ordered)
        by_distance = np.array([0.0, *shares, 0.0])
        changes = np.ones(len(self.order), dtype=np.bool_)
        for step in range(1, len(shares) + 1):
            # Sorted neighbours need not be next to each other: passages between them may be missing.
            distance = self.position[step:] - self.position[:-step]
            changes = changes[:-1] & self.changes[step - 1 :]
            share = by_distance.take(distance, mode="clip") * (self.story[step:] == self.story[:-step]) * changes
            found[:, step:] += share * self.gives[:-step] * ordered[:, :-step]
            found[:, :-step] += share * self.gives[step:] * ordered[:, step:]
        back = np.empty_like(found)
        back[:, self.order] = found
        return back


def _shares(passages: Passages, near: _Near) -> tuple[float, float]:
    """Return which share of passages is of stories in which an assistant takes part, and in which one person talks."""
    if not len(passages) or passages.author is None:
        return 0.0, 0.0
    starts = near.starts()
    sizes = np.diff(starts, append=len(near.story))
    turns = np.concatenate([[False], near.changes & (near.story[1:] == near.story[:-1])])
    talked = np.logical_or.reduceat(turns, starts)
    assisted = np.zeros(len(starts), dtype=np.bool_)
    if passages.assistant is not None:
        assisted = np.logical_or.reduceat(passages.assistant[near.order], starts)
    shares = (float(sizes[each].sum()) / len(passages) for each in (assisted, ~talked & ~assisted))
    return next(shares), next(shares)


def _stand_in(foreign: Flags | None, likeness: Floats | None) -> Floats | None:
    """(N,) how far the meaning of each passage stands in for words that it cannot have in common with the question.

    Only for what is in another language, and less where something in the question's language is nearer to it.
    """
    if foreign is None or likeness is None or not foreign.any():
        return None
    own, other = (float(likeness[which].max(initial=0.0)) for which in (~foreign, foreign))
    return foreign * (min(1.0, other / own) if own else 1.0)


def _added(counts: Counts, of: Integers, groups: int) -> Integers:
    return np.bincount(of, counts, groups).astype(np.int64)


def _sum(parts: dict[str, Floats], size: int) -> Ranked:
    return Ranked(sum(parts.values(), np.zeros(size)), parts)


def _to_one(scores: Floats) -> Floats:
    """Scores from 0 up, scaled so that the best is 1."""
    best = float(scores.max(initial=0.0))
    return scores / best if best > 0 else scores


def _spread(scores: Floats) -> Floats:
    """Scores moved and scaled to fill 0..1, so that a difference counts whatever all have in common."""
    return _to_one(scores - scores.min()) if len(scores) else scores


def _best_of_each(scores: Floats, of: Integers, groups: int, many: int) -> Floats:
    """(many, groups) the best scores of each group, best first; a group with fewer repeats none: the rest is 0."""
    order = np.lexsort((-scores, of))
    starts = np.searchsorted(of[order], np.arange(groups + 1))
    best = np.zeros((many, groups))
    for place in range(many):
        there = starts[:-1] + place < starts[1:]
        best[place, there] = scores[order[starts[:-1][there] + place]]
    return best
