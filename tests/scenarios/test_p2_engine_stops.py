"""P2, the engine's own stops: from opt-outs that happened to a suggestion, and to what accepting it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from data.playbooks import read_playbook
from tests.api.company import Company, served
from tests.data.files import account, days_before, outcome, preference, team_member, touchpoint, user
from tests.scenarios.physicians import PLAYBOOK
from training.boosting import Boosting
from training.run import Settings, train

SMALLEST = Boosting(rounds=12, leaves=4, learning_rate=0.3, threads=1)
TIRED, CALM = [f"a{n:03}" for n in range(200)], [f"b{n:03}" for n in range(150)]
TURNS, PERIOD = 4, 14.0
BOOK = (
    PLAYBOOK.replace("exploration_share = 0", "exploration_share = 0\noptout_loss = 300")
    + """
[issues.preferences]
groups = ["stop"]

[treatments.stop_mail]
kind = "stop"
channel = "email"
role = "rep"
issue = "preferences"
group = "stop"
action = "stop_mail"
stops = ["email:marketing"]
value = 0
starting_uplift = 0
text.en = "Stop marketing e-mails to {name}."
"""
)


def company_tables() -> dict[str, list[dict[str, Any]]]:
    """Every two weeks half of the physicians get an e-mail, which sells nothing; of those of segment A a
    third then wants no more of them."""
    draw, everybody = np.random.default_rng(4), [*TIRED, *CALM]
    rows: dict[str, list[dict[str, Any]]] = {
        "accounts": [account(p, name=f"Dr {p}", segment=p[0].upper()) for p in everybody],
        "users": [user("rep1", name="Lena Sommer", role="rep")],
        "account_team": [team_member(p, role="rep", user_id="rep1") for p in everybody],
        "touchpoints": [touchpoint("first", CALM[0], occurred_at=days_before((TURNS + 1) * PERIOD))],
        "responses": [], "outcomes": [outcome("last", CALM[0], occurred_at=days_before(0.01), value=0)],
        "preferences": [preference(p) for p in everybody],
    }  # fmt: skip
    for physician in everybody:
        wants = True
        for turn in range(TURNS, 0, -1):
            sent = turn * PERIOD - float(draw.uniform(0.2, 6.0))
            worth, mailed, enough = (
                round(50.0 + 10.0 * float(draw.normal()), 2),
                *(draw.random(2) < (0.5, 0.33)),
            )
            key = f"{physician}-{turn}"
            bought = days_before(sent - 1.0)
            rows["outcomes"].append(outcome(f"o-{key}", physician, occurred_at=bought, value=worth))
            if not (mailed and wants):
                continue
            mail = {"channel": "email", "treatment": "mail_news", "role": "system"}
            rows["touchpoints"].append(
                touchpoint(f"t-{key}", physician, occurred_at=days_before(sent), **mail)
            )
            if enough and physician in TIRED:
                left = days_before(sent - 0.1)
                rows["preferences"].append(preference(physician, status="opt_out", since=left))
                wants = False
    return rows


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A company that has trained, and decided a night with what it has learned."""
    folder = tmp_path_factory.mktemp("tired")
    book = folder / "physicians.toml"
    book.write_text(BOOK, encoding="utf-8")
    with served(folder / "home", company_tables(), playbook=str(book)) as found:
        wanted = Settings(made_at=found.clock(), boosting=SMALLEST)
        outcome_ = train(found.settings.as_home(), read_playbook(str(book)), wanted, progress=lambda *_: None)
        assert outcome_.promoted
        assert outcome_.release.manifest["stopping"]["channels"] == ["email"]
        found.night(ignore_freshness=True)
        yield found


def with_stops(company: Company, among: list[str]) -> dict[str, dict[str, Any]]:
    """Physician -> the stop on the representative's list."""
    found = {}
    for physician in among:
        for each in company.suggestions(physician, "rep1"):
            if each["treatment"] == "stop_mail":
                found[physician] = each
    return found


def test_from_training_to_the_list_and_to_what_accepting_does(company: Company) -> None:
    """The engine suggests it by itself, gives its reckoning, and who accepts it has ended the e-mails."""
    stops = with_stops(company, TIRED)
    assert len(stops) > 10
    assert not with_stops(company, CALM[:40])
    physician, stop = next(iter(stops.items()))

    saving = next(reason for reason in stop["reasons"] if reason["code"] == "stop_saving")
    assert 0.0 < saving["facts"]["low"] < saving["facts"]["caused"] < saving["facts"]["high"]
    assert saving["text"].startswith("Within 14 days about 1 contact would follow: ")
    assert company.answers(stop, "accept", "rep1")["state"] == "completed"

    against = company.get(f"/accounts/{physician}/why-not/mail_news", "rep1")["objections"]
    assert "consent" in [each["rule"] for each in against]
    company.clock.pass_time(days=1)
    company.night(ignore_freshness=True)
    assert physician not in with_stops(company, [physician])
