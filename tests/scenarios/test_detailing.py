"""Calls on physicians: the slope that everybody sees is mostly targeting; skipped without the data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.scenarios.public_data import follow, needs

PLAIN = {"visits_1": 1.78, "visits_2": 2.76, "visits_3": 4.15}
"""Prescriptions more a month of those called on once, twice, three times or more than of those left alone."""


@needs("detailing")
@pytest.mark.slow
def test_the_slope_of_calls_is_not_reported_as_their_effect(tmp_path: Path) -> None:
    """A company that believes the slope sends representatives to those who would prescribe anyway."""
    said = follow("detailing.md", "detailing", tmp_path)

    shown = next(text for line, text in said.items() if line == "nextbest evaluate effects")
    found = json.loads(said["nextbest evaluate effects --json"])
    assert [each["row"]["treatment"] for each in found] == list(PLAIN)
    for each in found:
        plain, effect = each["row"]["plain"], each["row"]["effect"]
        assert plain["estimate"] == pytest.approx(PLAIN[each["row"]["treatment"]], abs=0.02)
        assert effect["high"] < plain["low"] / 2
        assert effect["low"] > -0.1
        assert 1.0 <= each["strength"] < 1.5
        assert any(name.startswith("outcome_value") and size > 0.1 for name, size in each["row"]["apart"])
    assert shown.count("They differ because of whom it was given") == len(PLAIN)
    trained = next(text for line, text in said.items() if line == "nextbest train")
    # Only what was logged is certain; what rests on estimated probabilities is directional at best.
    assert [line for line in trained.splitlines() if "│ reliable" in line and "as logged" not in line] == []
    check_report(next((tmp_path / "models").iterdir()))


def check_report(release: Path) -> None:
    """Both figures of each row, and why they differ, are those of the manifest."""
    page = " ".join((release / "report.html").read_text(encoding="utf-8").split())
    overlap = json.loads((release / "manifest.json").read_text(encoding="utf-8"))["overlap"]
    rows = {row["treatment"]: row for row in overlap if row["treatment"] != "none"}
    assert list(rows) == list(PLAIN)
    for treatment, row in rows.items():
        name = treatment.replace("_", "_<wbr>")
        begins = f'<td class="id">{name}</td><td class="number">{row["cases"]:,}</td>'
        shown = next(part for part in page.split("<tr>") if part.startswith(begins))
        for name in ("plain", "effect"):
            found = row[name]
            figure = f"{found['estimate']:,.2f} <small>{found['low']:,.2f} to {found['high']:,.2f}</small>"
            assert f'<td class="number">{figure}</td>' in shown
        assert row["effect"]["high"] < row["plain"]["low"]
        apart = ", ".join(f"{name} {size:+.2f}" for name, size in row["apart"])
        assert "outcome_value_90d +" in apart
        assert (
            f"<li>Before the decision those given {treatment} differed from those left alone, in standard "
            f"deviations: {apart}.</li>"
        ) in page
