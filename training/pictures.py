"""The pictures of a training report, as PNG: values, cases, overlap, calibration, importance, arrival."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from engine.estimation import Interval
from engine.records import NO_CONTACT, Floats
from training.balance import BALANCED, Overlap
from training.board import Line
from training.constants import LEAST_CASES
from training.errors import TrainingError
from training.evaluate import Evaluation
from training.gains import Decile, Gains
from training.segments import SegmentEffect

INK, LIGHT, ACCENT, WARNING = "#22313f", "#b8c4ce", "#0b7a75", "#b3471d"
GREY = "#7c8a96"
MOST_FEATURES = 20
_STROKES = ("-", ":", "-.", (0, (6, 2)), (0, (1, 4)), (0, (8, 2, 1, 2, 1, 2)))


def values_by_policy(evaluation: Evaluation, chosen: str, currency: str) -> bytes:
    """Doubly robust value of each policy with its 95 % interval."""

    def draw(axes: Any) -> None:
        policies = evaluation.policies[::-1]
        for row, value in enumerate(policies):
            interval = value.doubly_robust
            colour = ACCENT if value.policy == chosen else INK
            axes.plot([interval.low, interval.high], [row, row], color=colour, linewidth=3, alpha=0.5)
            axes.plot(interval.estimate, row, "o", color=colour)
        axes.set_yticks(range(len(policies)), [value.policy for value in policies])
        axes.set_xlabel(f"{currency} per decision, net of cost")

    return _picture(draw, height=0.5 * len(evaluation.policies) + 1.2)


def money_a_month(lines: Sequence[Line], currency: str) -> bytes:
    """Each sum with its 95 % interval, zero marked."""

    def draw(axes: Any) -> None:
        for row, line in enumerate(lines[::-1]):
            look = _look(line.month, certain=line.certain)
            axes.plot(
                [line.month.low, line.month.high], [row, row], color=look["color"], linewidth=5, alpha=0.4
            )
            axes.plot(line.month.estimate, row, **look | {"markersize": 8})
        axes.axvline(0.0, color=LIGHT, linewidth=1)
        axes.set_yticks(range(len(lines)), [line.label for line in lines[::-1]])
        axes.set_ylim(-0.6, len(lines) - 0.4)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel(f"{currency} a month")
        axes.locator_params(axis="x", nbins=4)  # or sums of seven digits run into each other
        _legend(axes, _CHANCE)

    return _picture(draw, height=0.5 * len(lines) + 1.2)


def segments(effects: Sequence[SegmentEffect], currency: str) -> bytes:
    """The effect of treatments by category of accounts, with 95 % intervals."""

    def draw(axes: Any) -> None:
        names = [f"{each.treatment}: {each.attribute} {each.level}" for each in effects]
        for row, each in enumerate(effects):
            place, found = len(effects) - 1 - row, each.shrunk
            look = _look(found, certain=each.certain)
            axes.plot([found.low, found.high], [place, place], color=look["color"], linewidth=3, alpha=0.4)
            axes.plot(found.estimate, place, **look)
        axes.axvline(0.0, color=LIGHT, linewidth=1)
        axes.set_yticks(range(len(effects)), names[::-1], fontsize=8)
        axes.set_xlabel(f"caused, {currency} per contact before cost")
        _legend(axes, _CHANCE)

    return _picture(draw, height=0.24 * len(effects) + 1.3)


def cases_by_treatment(counts: Mapping[str, int]) -> bytes:
    """How often each treatment was chosen in the log."""
    return _bars(list(counts), [float(count) for count in counts.values()], "cases")


def overlap(rows: Sequence[Overlap], without: Sequence[str] = ()) -> bytes:
    """Where the log can judge a treatment: how much it says of it, and whether weighting makes groups alike.

    Left, the effective sample size, and in words the share of decisions in which it can be judged, where that
    is not all. Right, the largest standardised difference before and after weighting. Both with a bar.

    Args:
        rows: Treatments with cases.
        without: Those that nobody was given.
    """

    def draw(sizes: Any, balance: Any) -> None:
        places = range(len(rows) + len(without))[::-1]
        sizes.set_xscale("log")
        largest = max(LEAST_CASES, *(row.effective for row in rows))
        sizes.set_xlim(1.0, largest**1.8)  # room for the words
        for place, row in zip(places, rows, strict=False):
            _draw_size(sizes, place, row)
            _draw_balance(balance, place, row)
        for place in places[len(rows) :]:
            _say(sizes, place, "no case", WARNING)
        names = [*(row.treatment for row in rows), *without]
        sizes.set_yticks(list(places), names, fontsize=8)
        sizes.set_ylim(-0.7, len(names) - 0.3)
        sizes.minorticks_off()
        sizes.set_xticks(10.0 ** np.arange(np.log10(largest)))
        sizes.xaxis.set_major_formatter("{x:,.0f}")
        _bar(sizes, LEAST_CASES, f"effective sample size\n(bar at {LEAST_CASES})")
        balance.set_xlim(0.0, max(balance.get_xlim()[1], 2.0 * BALANCED))
        balance.locator_params(axis="x", nbins=4)
        balance.tick_params(axis="y", length=0)
        _bar(balance, BALANCED, f"largest standardised\ndifference (bar at {BALANCED:g})")
        _legend(sizes, (_BEFORE, _AFTER, _STILL_APART))

    return _picture(draw, height=0.24 * (len(rows) + len(without)) + 1.6, panels=2)


def importance(moved: Mapping[str, float], currency: str) -> bytes:
    """The features that move effects most: by how much they make a treatment's effect differ."""
    top = _largest(moved)
    return _bars(list(top), list(top.values()), f"makes effects differ by (standard deviation), {currency}")


def splits(gains: Mapping[str, float]) -> bytes:
    """The features that forests split by most, by gain, as shares."""
    total = sum(gains.values()) or 1.0
    top = _largest(gains)
    return _bars(
        list(top), [gain / total for gain in top.values()], "share of what all splits together foretell"
    )


def _largest(sizes: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:MOST_FEATURES])


def calibration(deciles: Sequence[Decile], currency: str) -> bytes:
    """Expected beside observed, with 95 % intervals; on the line what came is what was expected."""

    def draw(axes: Any) -> None:
        for decile in deciles:
            ends = [decile.observed.low, decile.observed.high]
            axes.plot([decile.expected] * 2, ends, color=ACCENT, linewidth=3, alpha=0.4)
            axes.plot(decile.expected, decile.observed.estimate, "o", color=ACCENT)
        axes.axline((0.0, 0.0), slope=1.0, color=LIGHT, linewidth=1, zorder=0)
        axes.set_xlabel(f"expected gain, {currency} per decision")
        axes.set_ylabel(f"gain that came, {currency} per decision")

    return _picture(draw, height=3.6)


def uplift(gains: Mapping[str, Gains], chosen: str, currency: str) -> bytes:
    """Gain when those of whom most is expected are contacted first, beside random order."""

    def draw(axes: Any) -> None:
        others = cycle(_STROKES)
        for name, each in gains.items():
            colour, stroke = (ACCENT, "-") if name == chosen else (GREY, next(others))
            axes.plot(each.curve.share * 100.0, each.curve.gain, color=colour, linestyle=stroke, label=name)
            if name == chosen:
                axes.plot(each.curve.share * 100.0, each.curve.random, "--", color=colour, linewidth=1,
                          label="random order")  # fmt: skip
        axes.set_xlabel("% of decisions contacted as the policy says, highest expected gain first")
        axes.set_ylabel(f"gain, {currency} per decision")
        axes.figure.legend(loc="outside upper right", ncols=4, frameon=False, fontsize=8)

    return _picture(draw, height=4.0)


def arrival(days: Floats, horizon_days: float) -> bytes:
    """How many days after the occasion outcomes come in."""

    def draw(axes: Any) -> None:
        axes.hist(days, bins=np.linspace(0.0, horizon_days, 31), color=INK)
        axes.set_xlabel("days after the occasion")
        axes.set_ylabel("outcomes")

    return _picture(draw, height=2.8)


_BEFORE, _AFTER, _STILL_APART = (
    {"label": label, "marker": marker, "linestyle": "", "color": colour, "markersize": 5, "clip_on": False}
    for label, marker, colour in (
        ("before weighting", "o", LIGHT),
        ("after", "o", ACCENT),
        (f"after, above {BALANCED:g}", "D", WARNING),
    )
)


_CHANCE = (_MORE, _LESS, _MAYBE) = tuple(
    {
        "label": label,
        "marker": marker,
        "linestyle": "",
        "color": colour,
        "markerfacecolor": inside,
        "markersize": 5,
    }
    for label, marker, colour, inside in (
        ("more than chance", "o", ACCENT, ACCENT),
        ("a loss, more than chance", "D", WARNING, WARNING),
        ("not told from chance", "o", INK, "white"),
    )
)


def _look(interval: Interval, *, certain: bool) -> dict[str, Any]:
    """Colour and shape mean the same for sums and effects: whether it is more than chance."""
    if not certain:
        return _MAYBE
    return _MORE if interval.low > 0.0 else _LESS


def _legend(axes: Any, looks: Sequence[dict[str, Any]]) -> None:
    """Above the picture: what each marker means."""
    shown = [axes.plot([], [], **look)[0] for look in looks]
    axes.figure.legend(handles=shown, loc="outside upper right", ncols=len(shown), frameon=False, fontsize=8)


def _judged(row: Overlap) -> bool:
    """No contact has no effect beside itself."""
    return row.judged or row.treatment == NO_CONTACT


def _draw_size(axes: Any, place: int, row: Overlap) -> None:
    """A bar with its figure; what cannot be judged has words instead."""
    if not _judged(row):
        _say(axes, place, "cannot be judged", WARNING)
        return
    few = row.effective < LEAST_CASES
    style = {"color": WARNING, "hatch": "////"} if few else {"color": INK}
    axes.barh(place, row.effective, edgecolor="white", **style)
    part = "" if row.comparable > 0.995 else f", in {row.comparable:.0%}"
    _say(axes, place, f"{row.effective:,.0f}{part}", INK)


def _say(axes: Any, place: int, words: str, colour: str) -> None:
    """At the right end of a row."""
    beside = {"transform": axes.get_yaxis_transform(), "horizontalalignment": "right"}
    axes.text(0.99, place, words, color=colour, fontsize=8, verticalalignment="center", **beside)


def _bar(axes: Any, at: float, label: str) -> None:
    """The usual limit, and what the axis is."""
    axes.axvline(at, color=ACCENT, linewidth=1, linestyle="--")
    axes.set_xlabel(label, fontsize=9)
    axes.tick_params(axis="x", labelsize=8)


def _draw_balance(axes: Any, place: int, row: Overlap) -> None:
    """From before to after; what stays above the bar has another colour and shape."""
    axes.axhline(place, color=LIGHT, linewidth=0.4, zorder=0)
    if not _judged(row) or not np.isfinite([row.before, row.after]).all():
        return
    axes.plot([row.before, row.after], [place, place], color=LIGHT, linewidth=1.5)
    axes.plot(row.before, place, **_BEFORE)
    axes.plot(row.after, place, **(_AFTER if row.after <= BALANCED else _STILL_APART))


def _bars(names: Sequence[str], sizes: Sequence[float], label: str) -> bytes:
    def draw(axes: Any) -> None:
        rows = range(len(names))[::-1]
        axes.barh(list(rows), sizes, color=INK)
        axes.set_yticks(list(rows), names, fontsize=8)
        axes.set_xlabel(label)

    return _picture(draw, height=0.24 * len(names) + 1.0)


def _picture(draw: Callable[..., None], *, height: float, panels: int = 1) -> bytes:
    """What `draw` draws on so many axes side by side, which share the rows."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, only reports need it
    except ModuleNotFoundError:
        raise TrainingError("Training needs MLflow and matplotlib: pip install 'nextbest[train]'.") from None
    figure = Figure(figsize=(7.0, height), layout="constrained")
    every = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for axes in every:
        axes.spines[["top", "right"]].set_visible(False)
    draw(*every)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()
