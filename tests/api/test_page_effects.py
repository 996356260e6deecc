"""What marketers read of effects: the figures of the release in use, and honestly where nobody knows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.experiment_report import keep, kept
from data.artifacts import write_release
from data.playbooks import playbook_of, playbook_text, read_playbook
from tests.api.company import Company, served, tables_of
from tests.api.visitors import Visitor
from tests.data.files import user

TEST = """
[experiment]
starts = 2027-01-04
arms = ["control:0.1", "no_levers:0.05"]
weeks = 12
"""


def effect(estimate: float, low: float, high: float) -> dict[str, float]:
    return {"estimate": estimate, "low": low, "high": high, "standard_error": 1.0, "level": 0.95}


MEASURED = [
    {"treatment": "visit_efficacy", "cases": 453, "effect": effect(120.4, 80.2, 160.6)},
    {"treatment": "visit_dosing", "cases": 1, "effect": effect(12.0, -40.0, 64.0)},
    {"treatment": "call_efficacy", "cases": 77, "effect": effect(-33.0, -60.0, -6.0)},
    {"treatment": "call_dosing", "cases": 3, "effect": None},
]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """With a release of which the figures alone are read, and a playbook with a standing test."""
    home = tmp_path_factory.mktemp("effects")
    book = home / "book.toml"
    book.write_text(playbook_text("pharma") + TEST, encoding="utf-8")
    office = [user("market", name="M", role="marketer")]
    with served(home, tables_of(["a1"], users=office), playbook=str(book)) as found:
        yield found


def use(
    company: Company, persons: int | None = None, strength: float | None = None,
    *, verdict: str = "directional", low: float = 3.2,
) -> str:  # fmt: skip
    """A release that says the same of every account, with what was measured of it, and on whose accounts."""
    packed = io.BytesIO()
    ones, alone = np.ones(2), np.ones((1, 1))
    np.savez(
        packed, value=ones, uplift=ones, response=ones / 2, error=ones, pool_effect=alone, pool_error=alone
    )
    own = {
        "policy": "best_fixed", "strength": strength, "verdict": {"level": verdict},
        "versus_logged": effect(12.4, low, 21.6),
    }  # fmt: skip
    manifest = {
        "format": 2, "release": "r1", "learner": "best_fixed", "treatments": ["none", "visit_efficacy"],
        "feature_names": [], "levels": {}, "evidence": {}, "pool": {"channels": [], "topics": []},
        "overlap": MEASURED,
        "evaluation": {"accounts": {"persons": persons, "decisions": 2568, "policies": [own]}},
    }  # fmt: skip
    name = f"r{persons or 1}-{strength or 0:g}-{verdict[0]}{low:g}"
    files = {"values.npz": packed.getvalue(), "report.html": b"<p>R</p>", "board.html": b"<p>B</p>"}
    release = write_release(company.settings.models, name, files, manifest | {"release": name})
    with company.ledger() as ledger:
        ledger.put_release_in_use(name, release.manifest_hash, now=company.clock(), by="test")
    return name


def line_of(text: str, treatment: str, company: Company) -> str:
    """What stands beneath a treatment's own text, up to the next one."""
    own = read_playbook(company.settings.playbook).treatment(treatment).text["en"].replace("{name}", "…")
    return text.partition(own)[2][:150]


def test_effects_have_an_interval_and_a_count_or_are_not_known(company: Company) -> None:
    """A marketer must not plan with a figure whose sign nobody knows; before a release there is none."""
    before = Visitor(company, "market").get("/playbook")
    use(company)
    text = Visitor(company, "market").get("/playbook")

    assert "What each contact causes".lower() not in before.lower()
    assert "120 EUR 80 EUR … 161 EUR · seen in 453 cases" in line_of(text, "visit_efficacy", company)
    assert "We do not know -40 EUR … 64 EUR · seen in 1 case" in line_of(text, "visit_dosing", company)
    assert "-33 EUR -60 EUR … -6 EUR · seen in 77 cases" in line_of(text, "call_efficacy", company)
    assert "Not enough evidence seen in 3 cases" in line_of(text, "call_dosing", company)
    assert "Not enough evidence" in line_of(text, "congress_new_data", company)


def test_of_what_five_persons_did_no_interval_is_told(company: Company) -> None:
    """An interval by account only is too narrow: it would not hold the truth in 95 of 100."""
    use(company, persons=5)
    few = Visitor(company, "market").get("/playbook")
    use(company, persons=6)
    enough = Visitor(company, "market").get("/playbook")

    assert "Not enough evidence seen in 453 cases" in line_of(few, "visit_efficacy", company)
    assert "120 EUR 80 EUR … 161 EUR · seen in 453 cases" in line_of(enough, "visit_efficacy", company)


def test_effects_of_estimated_probabilities_say_so(company: Company) -> None:
    """Nobody drew lots: whom representatives chose may be part of what their contacts seem to cause."""
    use(company)
    drawn = Visitor(company, "market").get("/playbook")
    use(company, strength=1.5)
    chosen = Visitor(company, "market").get("/playbook")

    assert "what nobody recorded may explain part of it" not in drawn
    assert "such measurements. How past contacts were chosen was estimated:" in chosen
    assert "what nobody recorded may explain part of it" in chosen


def test_effects_are_for_those_who_write_the_playbook(company: Company) -> None:
    """Who stands before a door reads reasons, not campaign figures."""
    use(company)

    assert "seen in" not in Visitor(company, "am").get("/playbook")


def test_releases_say_what_they_were_shown_to_bring(company: Company) -> None:
    """Who leads reads the figure before the report: with its range, or that nobody knows."""
    visitor = Visitor(company, "market")

    def line(**measured: Any) -> str:
        name = use(company, **measured)
        return visitor.get("/releases").partition(name)[2][:160]

    assert "12 EUR 3.2 EUR … 22 EUR · seen in 2,568 cases Report" in line()
    assert "We do not know -3 EUR … 22 EUR" in line(low=-3.0)
    assert "Not enough evidence seen in 2,568 cases" in line(verdict="limited evidence")
    assert "Not enough evidence" in line(persons=5)
    assert "what nobody recorded may explain part of it" in line(strength=1.5)


def test_the_documents_of_a_release_open_from_the_page_unless_they_were_changed(company: Company) -> None:
    """A report that somebody wrote over says what nobody measured."""
    name, visitor = use(company), Visitor(company, "market")

    assert (visitor.get(f"/releases/{name}/report"), visitor.get(f"/releases/{name}/board")) == ("R", "B")
    (company.settings.models / name / "board.html").write_text("<p>Twice as much</p>")
    assert "Twice as much" not in visitor.get(f"/releases/{name}/board")
    assert visitor.page.status_code == 404
    assert "Not for your role" in Visitor(company, "am").get(f"/releases/{name}/report")


def compared(**others: Any) -> dict[str, Any]:
    lift = {"estimate": 0.12, "low": 0.03, "high": 0.21}
    open_end = lift | {"low": None}
    return {
        "playbook": "pharma", "planned_end": "2027-03-29T00:00:00Z", "provisional": False,
        "assignment": {"as_planned": True},
        "comparisons": [
            {"against": "control", "programme": True, "finding": "more", "lift": lift},
            {"against": "no_levers", "programme": False, "finding": "not_shown", "lift": open_end},
        ],
    } | others  # fmt: skip


def test_measured_arms_stand_beside_the_playbook(company: Company) -> None:
    """The one figure for the whole programme; and who looks early is warned here too."""
    visitor = Visitor(company, "market")
    waiting = visitor.get("/playbook")
    keep(company.settings.home, read_playbook(company.settings.playbook), compared())
    text = visitor.get("/playbook")
    keep(company.settings.home, read_playbook(company.settings.playbook), compared(provisional=True))
    early = visitor.get("/playbook")

    assert "Without suggestions: 10%" in waiting
    assert "It has not been compared yet." in waiting
    assert "The whole programme – Without suggestions 12% ( 3% … 21% )" in text
    assert "The engine – Without levers We do not know 12% (? … 21% )" in text
    assert "Not the end: planned until Monday, 29 March" not in text
    assert "Not the end: planned until Monday, 29 March" in early
    assert "so until then ranges are wider" in early


def test_a_report_on_another_test_is_not_shown(tmp_path: Path) -> None:
    """Another salt is another test with other accounts in its arms."""
    playbook = playbook_of(playbook_text("pharma") + TEST)
    keep(tmp_path, playbook, compared())

    assert kept(tmp_path, playbook) is not None
    assert kept(tmp_path, replace(playbook, experiment=replace(playbook.experiment, salt="next"))) is None
    assert kept(tmp_path / "elsewhere", playbook) is None
