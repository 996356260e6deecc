"""What the pictures of a report show: read from what is drawn, not from pixels."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from engine.curves import UpliftCurve
from engine.estimation import Interval
from training import pictures
from training.balance import Overlap
from training.board import Line
from training.gains import Decile, Gains
from training.segments import SegmentEffect


def row(treatment: str, *, judged: bool = True, effective: float = 1234.0, after: float = 0.05) -> Overlap:
    effect = Interval(1.0, 0.0, 2.0, 0.5) if judged else None
    return Overlap(treatment, 2000, effective, 0.1, 0.75, 0.6, after, (), effect)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Any]]:
    """The panels of the picture that was drawn last."""
    figures: list[Figure] = []
    save = Figure.savefig

    def kept(figure: Figure, *arguments: Any, **named: Any) -> None:
        figures.append(figure)
        save(figure, *arguments, **named)

    monkeypatch.setattr(Figure, "savefig", kept)
    return lambda: figures[-1].axes


def words(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_overlap_says_in_words_what_cannot_be_judged(drawn: Callable[[], list[Any]]) -> None:
    """No bar may look like a small share where there is nothing to look at."""
    rows = [row("none", judged=False), row("visit", effective=49.0), row("mail", judged=False)]

    assert pictures.overlap(rows, ["call"]).startswith(b"\x89PNG")

    sizes, balance = drawn()
    assert [label.get_text() for label in sizes.get_yticklabels()] == ["none", "visit", "mail", "call"]
    assert words(sizes) == ["1,234, in 75%", "49, in 75%", "cannot be judged", "no case"]
    assert [bar.get_width() for bar in sizes.patches] == [1234.0, 49.0]
    assert [bool(bar.get_hatch()) for bar in sizes.patches] == [False, True]
    limits = [line.get_xdata()[0] for axes in (sizes, balance) for line in axes.lines
              if line.get_linestyle() == "--"]  # fmt: skip
    assert limits == [50, 0.1]


def test_what_is_not_balanced_by_weighting_has_another_colour_and_shape(
    drawn: Callable[[], list[Any]],
) -> None:
    """Colour alone is nothing to who does not see it; what could not be compared has no point at all."""
    pictures.overlap([row("a", after=0.1), row("b", after=0.11), row("c", after=float("nan"))])

    points = {
        line.get_ydata()[0]: (line.get_marker(), line.get_color())
        for line in drawn()[1].lines
        if len(line.get_xdata()) == 1 and line.get_xdata()[0] < 0.5
    }
    assert points == {2: ("o", pictures.ACCENT), 1: ("D", pictures.WARNING)}


def test_a_long_list_has_a_line_of_its_own_for_each_treatment(drawn: Callable[[], list[Any]]) -> None:
    """Sixty names at one place could not be read."""
    pictures.overlap([row(f"visit_topic_{number}") for number in range(60)])

    labels = [label.get_window_extent() for label in drawn()[0].get_yticklabels()]
    assert all(below.y1 <= above.y0 for above, below in pairwise(labels))


def markers(axes: Any) -> dict[float, tuple[str, str, str]]:
    """Place from below -> shape, colour and inside of what stands there."""
    return {
        float(line.get_ydata()[0]): (line.get_marker(), line.get_color(), line.get_markerfacecolor())
        for line in axes.lines
        if len(line.get_xdata()) == 1 and line.get_marker() != "None"
    }


def test_a_colour_means_the_same_for_a_sum_and_for_a_segment(drawn: Callable[[], list[Any]]) -> None:
    """Teal for whatever is drawn first, as it was, looks proven to who has read the board's page."""
    ends = [(2.0, 6.0), (-6.0, -2.0), (-2.0, 6.0), (2.0, 6.0)]
    found = [Interval((low + high) / 2.0, low, high, 1.0) for low, high in ends]
    sure = [True, True, False, False]
    lines = [
        Line(f"line {n}", each, certain) for n, (each, certain) in enumerate(zip(found, sure, strict=True))
    ]
    effects = [
        SegmentEffect(f"visit_{n}", "segment", "A", 50, (0.0, 1.0), each, enough_persons=n < 3)
        for n, each in enumerate(found)
    ]

    pictures.money_a_month(lines, "EUR")
    money = drawn()[0]
    pictures.segments(effects, "EUR")
    segments = drawn()[0]

    assert markers(money) == markers(segments)
    assert markers(money) == {
        3.0: ("o", pictures.ACCENT, pictures.ACCENT),
        2.0: ("D", pictures.WARNING, pictures.WARNING),
        1.0: ("o", pictures.INK, "white"),
        0.0: ("o", pictures.INK, "white"),
    }
    for axes in (money, segments):
        (legend,) = axes.figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [
            "more than chance",
            "a loss, more than chance",
            "not told from chance",
        ]


def test_calibration_shows_how_sure_each_tenth_is(drawn: Callable[[], list[Any]]) -> None:
    """Ten points without intervals look like a curve where there is only noise."""
    tenths = [Decile(5.0, Interval(2.0, -4.0, 8.0, 3.0), 100), Decile(9.0, Interval(8.0, 3.0, 13.0, 2.5), 90)]

    assert pictures.calibration(tenths, "EUR").startswith(b"\x89PNG")
    assert drawn()[0].get_ylabel() == "gain that came, EUR per decision"

    (axes,) = drawn()
    ends = [
        list(line.get_ydata()) for line in axes.lines if list(line.get_xdata()) in ([5.0, 5.0], [9.0, 9.0])
    ]
    assert ends == [[-4.0, 8.0], [3.0, 13.0]]


def test_every_learner_has_a_stroke_of_its_own(drawn: Callable[[], list[Any]]) -> None:
    """All in one grey, nobody knows which is which."""
    curve = UpliftCurve(np.array([0.0, 1.0]), np.array([0.0, 4.0]), np.array([0.0, 4.0]))
    gains = Gains(curve, Interval(0.0, 0.0, 0.0, 0.0), None, ())

    pictures.uplift(dict.fromkeys(("linear", "s_learner", "t_learner", "best_fixed"), gains), "linear", "EUR")

    (axes,) = drawn()
    looks = {
        line.get_label(): (line.get_color(), line.get_linestyle(), line.get_linewidth())
        for line in axes.lines
    }
    assert list(looks) == ["linear", "random order", "s_learner", "t_learner", "best_fixed"]
    assert len(set(looks.values())) == len(looks)


def test_the_names_of_learners_stand_beside_their_curves_and_not_on_them(
    drawn: Callable[[], list[Any]],
) -> None:
    """With a learner more than the product has, names lay on the curve of the chosen one."""
    curve = UpliftCurve(np.array([0.0, 0.2, 1.0]), np.array([0.0, 9.0, 4.0]), np.array([0.0, 0.8, 4.0]))
    gains = Gains(curve, Interval(0.0, 0.0, 0.0, 0.0), None, ())
    names = ("linear", "s_learner", "t_learner", "doubly_robust", "best_fixed", "a_learner_of_ones_own")

    pictures.uplift(dict.fromkeys(names, gains), "linear", "EUR")

    (axes,) = drawn()
    (legend,) = axes.figure.legends
    assert axes.get_legend() is None
    assert legend.get_window_extent().y0 >= axes.get_window_extent().y1
    assert axes.figure.bbox.x0 <= legend.get_window_extent().x0
    assert legend.get_window_extent().x1 <= axes.figure.bbox.x1
