"""An account's year as a small picture: a line per channel, a dot per touchpoint, what was bought beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.account_schemas import OutcomeOut
from api.hand_over_schemas import TimelineOut
from api.page.words import Words
from engine.contract import POSITIVE_RESPONSES

DAYS = 365
AHEAD_DAYS = 14
WIDTH, LABEL, LANE, TOP = 720, 150, 30, 22
"""In units of the drawing; labels stand where reading begins."""
_LANES = 8


@dataclass(frozen=True)
class Dot:
    """One touchpoint. `kind`: in, out, answered, planned or outcome."""

    x: float
    kind: str
    title: str


@dataclass(frozen=True)
class Lane:
    """One channel, or outcomes."""

    y: int
    name: str
    dots: Sequence[Dot]


@dataclass(frozen=True)
class Tick:
    """The beginning of a month."""

    x: float
    name: str


@dataclass(frozen=True)
class Picture:
    """What is drawn, in units of the drawing; `mirrored`: time runs from right to left."""

    width: int
    height: int
    label_x: int
    today_x: float
    mirrored: bool
    lanes: Sequence[Lane]
    ticks: Sequence[Tick]


def picture(timeline: Sequence[TimelineOut], outcomes: Sequence[OutcomeOut], words: Words) -> Picture | None:
    """None where nothing happened in the last year."""
    first, last = words.now - timedelta(days=DAYS), words.now + timedelta(days=AHEAD_DAYS)
    mirrored = words.direction == "rtl"

    def at(moment: datetime) -> float:
        share = (moment - first) / (last - first)
        x = LABEL + share * (WIDTH - LABEL - 10)
        return round(WIDTH - x if mirrored else x, 1)

    shown = [row for row in timeline if first <= row.at <= last and row.status != "cancelled"]
    bought = [one for one in outcomes if one.at >= first]
    if not shown and not bought:
        return None
    channels = sorted({row.channel for row in shown}, key=lambda c: -sum(r.channel == c for r in shown))
    lanes = [
        Lane(TOP + LANE * n + LANE // 2, words.called("channel", channel),
             [Dot(at(row.at), _kind(row), _title(row, words)) for row in shown if row.channel == channel])
        for n, channel in enumerate(channels[:_LANES])
    ]  # fmt: skip
    if bought:
        dots = [Dot(at(one.at), "outcome", f"{words.short(one.at)} · {words.called('money', one.value)}")
                for one in bought]  # fmt: skip
        lanes.append(Lane(TOP + LANE * len(lanes) + LANE // 2, "", dots))
    ticks = [Tick(at(month), words.month(month)) for month in _months(first, words.now)]
    return Picture(
        WIDTH, TOP + LANE * len(lanes) + 8, WIDTH if mirrored else 0, at(words.now), mirrored, lanes, ticks
    )


def _kind(row: TimelineOut) -> str:
    if row.status == "planned":
        return "planned"
    if row.direction == "inbound":
        return "in"
    return "answered" if POSITIVE_RESPONSES & set(row.responses) else "out"


def _title(row: TimelineOut, words: Words) -> str:
    parts = [words.short(row.at), words.called("channel", row.channel)]
    return " · ".join(parts + ([words.called("topic", row.topic)] if row.topic else []))


def _months(first: datetime, last: datetime) -> list[datetime]:
    """Every third month's first day."""
    found, year, month = [], first.year, first.month
    while (year, month) < (last.year, last.month):
        month += 1
        year, month = (year + 1, 1) if month > 12 else (year, month)
        if month % 3 == 1:
            found.append(first.replace(year=year, month=month, day=1))
    return found
