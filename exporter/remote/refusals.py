"""
What to do with a request that was refused for some of its samples: find them, and get the others to the receiver.

Prometheus refuses a whole request for one sample and stores nothing of it. Mimir, Cortex and Thanos store the others
and say 400 all the same; what is sent to them once more is then refused for being there. Either way a receiver takes a
series in the order of time only: once it has a sample, it takes none before it. So:

- Requests are halved, by series, a single series by time with the older half first, until a bad sample stands alone.
- Before that, the oldest samples of some series are sent one by one. Where one is taken, halving finds the rest. Where
  all are refused for their time, the receiver has them, or something newer: it is asked the same about the instant
  after, and so on. From the first instant that it takes on, all is sent at once. A request that it has already, or that
  overlaps with what another replica sent, costs dozens of requests rather than thousands.
- A receiver that says it stores the rest has it: only the newest sample of each series can still tell something.

A body costs at most `MOST` requests; what is then still refused is dropped whole. How to send, and to wait while the
receiver cannot answer, is the caller's. No I/O of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.remote.replies import (
    ORDER,
    OUT_OF_ORDER,
    TOO_OLD,
    Reply,
    beyond_reach,
    brief,
    of_one_sample,
    reason_of,
    stores_the_rest,
)
from exporter.remote.wire import Row, Sample

MOST = 4000
"""Requests that one body may cost: enough to find a hundred bad series here and there among two thousand."""

MOST_STORED = 1000
"""The same where the receiver stores the rest anyway, so that only the counting is at stake."""

_SCOUTS = 8
_ALL_OF = 16
"""Of more series than `_ALL_OF`, so many are asked on behalf of all."""


class Refused(NamedTuple):
    """
    The receiver's no.

    Args:
        reason: one of `replies`.

        text: its words.

        alone: whether a refusal of the newest sample of a series says nothing about its older ones.

        stored: whether it stores the good samples of such a request.

        gone: whether a sample is too old for it whatever it has of the series.
    """

    reason: str
    text: str = ""
    alone: bool = False
    stored: bool = False
    gone: bool = False


def refused_by(reply: Reply) -> Refused:
    """What an answer that is neither success nor a wish to wait says."""
    reason, text = reason_of(reply.status, reply.text), reply.text
    return Refused(
        reason,
        brief(text),
        of_one_sample(reason, text),
        stores_the_rest(reply.status, text),
        beyond_reach(reason, text),
    )


Post = Callable[[Sequence[Row]], Awaitable[Refused | None]]
"""Sends rows as one request; None where they were taken. Only 2xx and refusals return, all else waits or raises."""


class Example(NamedTuple):
    """One refused sample, for a log line: the encoded labels, the stamp (ms) and what was said."""

    labels: bytes
    at: int
    refused: Refused


class Placed(NamedTuple):
    """
    What became of the samples of a body; `sent`, `there` and `dropped` add up to all of them.

    Args:
        sent: taken.

        there: refused for their time, while the receiver took something newer of the same series: it has them already,
            or never will. Also what is left when the requests are used up, where the receiver stores the rest.

        dropped: refused and given up, by reason.

        examples: one for each reason.

        requests: what it cost.

        whole: samples that were dropped unseen, with others, when the requests were used up. Some of them may have
            been taken.
    """

    sent: int
    there: int
    dropped: Mapping[str, int]
    examples: Mapping[str, Example]
    requests: int
    whole: int


async def place(rows: Sequence[Row], post: Post, most: int = MOST) -> Placed:
    """
    Get what is good of a refused body to the receiver.

    Args:
        rows: its series, each with its samples in the order of time.

        post: to send with. What it raises goes through, and the same body may be placed again later.

        most: requests, but for the last attempt at each of the few parts that are then left.
    """
    placing = _Placing(post, most)
    pieces = [_Piece(_Series(row.labels), row.samples) for row in rows if row.samples]
    if pieces:
        await placing.settle(pieces, None)
    return placing.result(pieces)


@dataclass(slots=True, eq=False)
class _Series:
    """What is known of one series: samples set aside as behind what the receiver has, and whether it took any."""

    labels: bytes
    taken: bool = False
    aside: Counter[str] = field(default_factory=Counter)
    lost: Refused | None = None


class _Piece(NamedTuple):
    """Some samples of a series."""

    series: _Series
    samples: tuple[Sample, ...]


class _Placing:
    def __init__(self, post: Post, most: int) -> None:
        self._post = post
        self._most = most
        self._requests = 0
        self._dropped: Counter[str] = Counter()
        self._examples: dict[str, Example] = {}
        self._there = 0
        self._whole = 0

    def result(self, pieces: Sequence[_Piece]) -> Placed:
        there = self._there
        for piece in pieces:
            series = piece.series
            for reason, count in series.aside.items():
                if reason == TOO_OLD:
                    self._dropped[reason] += count
                elif series.taken or series.lost is None or series.lost.alone:
                    there += count
                else:
                    self._dropped[series.lost.reason] += count
        total = sum(len(piece.samples) for piece in pieces)
        sent = total - there - self._dropped.total()
        return Placed(sent, there, dict(self._dropped), self._examples, self._requests, self._whole)

    async def settle(self, pieces: Sequence[_Piece], refused: Refused | None) -> None:
        """
        Place what was refused as one request.

        Args:
            pieces: at least one; of each series one.

            refused: by which words, None for the body itself.
        """
        if refused is not None and _size(pieces) == 1:
            self._drop(pieces, refused)
        elif refused is not None and self._requests >= self._most:
            if refused.stored:
                self._there += _size(pieces)  # nearly all of it, or there would be few requests to make
            else:
                self._whole += self._drop(pieces, refused)
        elif any(piece.series.taken for piece in _longer(pieces) or pieces):
            await self._halve(pieces)
        else:
            await self._step(pieces)

    async def _halve(self, pieces: Sequence[_Piece]) -> None:
        halves: tuple[Sequence[_Piece], Sequence[_Piece]]
        if len(pieces) > 1:
            middle = len(pieces) // 2
            halves = pieces[:middle], pieces[middle:]
        else:
            series, samples = pieces[0]
            middle = len(samples) // 2
            halves = [_Piece(series, samples[:middle])], [_Piece(series, samples[middle:])]
        for half in halves:
            if (refused := await self._offer(half)) is not None:
                await self.settle(half, refused)

    async def _step(self, pieces: Sequence[_Piece]) -> None:
        """Place pieces of which none is known to be taken: instant by instant, from the oldest on."""
        rest = list(pieces)
        turn = 0
        while rest and self._requests < self._most:
            at = min(piece.samples[0].at for piece in rest)
            asked = [piece for piece in rest if piece.samples[0].at == at]
            asked = _longer(asked) or asked  # the one sample of a series may be taken where older ones are not
            answers = await self._ask(asked, turn)
            if answers is None or not _agree(answers.values(), all_asked=len(answers) == len(asked)):
                break
            aside = self._set_aside(asked, answers)
            rest = [left for piece in rest if (left := aside.get(id(piece.series), piece)).samples]
            if any(refused.stored for refused in answers.values()):
                rest = [self._newest(piece) for piece in rest]
                break
            turn += 1
            ones = [piece for piece in rest if piece.samples[0].at == at]
            if ones and (refused := await self._offer(ones)) is not None:
                await self.settle(ones, refused)
            rest = [piece for piece in rest if piece.samples[0].at > at]
        if _size(rest) == _size(pieces):
            if _size(rest) > 1:
                await self._halve(rest)
        elif rest and (refused := await self._offer(rest)) is not None:
            await self.settle(rest, refused)

    async def _ask(self, asked: Sequence[_Piece], turn: int) -> dict[int, Refused] | None:
        """
        Send the oldest samples of some series, one by one.

        Args:
            asked: of which all begin at one instant.

            turn: counts up, so that it is others each time.

        Returns:
            The refusals by the identity of the series; None as soon as a sample is taken.
        """
        answers = {}
        for index in _spread(len(asked), turn):
            piece = asked[index]
            refused = await self._offer([_Piece(piece.series, piece.samples[:1])])
            if refused is None:
                return None
            answers[id(piece.series)] = refused
        return answers

    def _set_aside(self, asked: Sequence[_Piece], answers: Mapping[int, Refused]) -> dict[int, _Piece]:
        """Take the first sample off each series, or drop it whole, as the *answers* say; what is left of each."""
        words = Counter(refused.reason for refused in answers.values()).most_common(1)[0][0]
        usual = next(refused for refused in answers.values() if refused.reason == words)
        left = {}
        for piece in asked:
            refused = answers.get(id(piece.series), usual)
            samples = piece.samples[1:]
            if refused.reason in ORDER and samples:
                self._note(piece, refused)
                piece.series.aside[TOO_OLD if refused.gone else OUT_OF_ORDER] += 1
            else:
                self._drop([piece], refused)
                samples = ()
            left[id(piece.series)] = _Piece(piece.series, samples)
        return left

    def _newest(self, piece: _Piece) -> _Piece:
        """The newest sample; what is older is set aside."""
        if older := len(piece.samples) - 1:
            piece.series.aside[OUT_OF_ORDER] += older
        return _Piece(piece.series, piece.samples[-1:])

    async def _offer(self, pieces: Sequence[_Piece]) -> Refused | None:
        self._requests += 1
        refused = await self._post([Row(piece.series.labels, piece.samples) for piece in pieces])
        if refused is None:
            for piece in pieces:
                piece.series.taken = True
        elif refused.stored:
            self._most = min(self._most, MOST_STORED)
        return refused

    def _drop(self, pieces: Sequence[_Piece], refused: Refused) -> int:
        count = _size(pieces)
        self._dropped[refused.reason] += count
        for piece in pieces:
            piece.series.lost = refused
        self._note(pieces[0], refused)
        return count

    def _note(self, piece: _Piece, refused: Refused) -> None:
        self._examples.setdefault(refused.reason, Example(piece.series.labels, piece.samples[0].at, refused))


def _agree(answers: Collection[Refused], *, all_asked: bool) -> bool:
    """Whether what some series were told holds for all: one kind of reason, or each was told for itself."""
    return all_asked or len({refused.reason in ORDER for refused in answers}) == 1


def _longer(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Those with more than one sample."""
    return [piece for piece in pieces if len(piece.samples) > 1]


def _size(pieces: Sequence[_Piece]) -> int:
    return sum(len(piece.samples) for piece in pieces)


def _spread(count: int, turn: int) -> list[int]:
    """Indices below *count*: all of few, else some at equal distances, others at the next *turn*."""
    if count <= _ALL_OF:
        return list(range(count))
    shift = turn * 37 % count
    return [(shift + each * count // _SCOUTS) % count for each in range(_SCOUTS)]
