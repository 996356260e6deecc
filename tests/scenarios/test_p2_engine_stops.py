"""P2, the engine's own stops: where e-mails tire and nowhere else, worth what they say, kept when accepted.

The small form of `python -m benchmarks.stopping`, whose figures over several seeds are in docs/method.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from benchmarks.stopping import Said, said_of
from data.playbooks import read_playbook
from data.world import WorldSettings
from tests.api.company import Company, served
from tests.data.files import account, days_before, outcome, preference, team_member, touchpoint, user
from tests.scenarios.physicians import PLAYBOOK
from training.boosting import Boosting
from training.run import Settings, train

SMALL: dict[str, Any] = {"accounts": 400, "every_days": 7, "days": 330, "seed": 2_010}
QUICK = Boosting(rounds=40, threads=1)


@pytest.fixture(scope="module")
def tired() -> Said:
    """E-mails tire segment C alone, more than they ever should."""
    settings = WorldSettings.named(**SMALL, fatigue=8.0, fatigue_segment="C")
    return said_of(settings, "linear", QUICK, draws=20)


def test_stops_lie_where_e_mails_tire_and_save_what_they_say(tired: Said) -> None:
    """At least 80 % in the tired segment; the truth lies within what is stated, of each and of all."""
    assert len(tired.worth) >= 3
    assert tired.tired.mean() >= 0.8
    assert tired.covered.mean() >= 0.8
    assert tired.low.mean() <= tired.truth.mean() <= tired.high.mean()
    assert (tired.low > 0.0).all()
    assert (tired.truth > 0.0).mean() >= 0.8


def test_where_nobody_tires_hardly_any_stop_is_suggested() -> None:
    """At most 1 % of accounts: a stop costs a conversation, so chance must not suggest it."""
    said = said_of(WorldSettings.named(**SMALL, fatigue=0.0), "linear", QUICK, draws=1)

    assert said.share <= 0.01


TIRED, CALM = [f"a{n:03}" for n in range(300)], [f"b{n:03}" for n in range(150)]
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
        wanted = Settings(made_at=found.clock(), boosting=QUICK)
        outcome_ = train(found.settings.as_home(), read_playbook(str(book)), wanted, progress=lambda *_: None)
        assert outcome_.promoted
        assert outcome_.release.manifest["stopping"]["channels"] == ["email"]
        found.night()
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
    assert len(stops) > 30
    assert not with_stops(company, CALM[:40])
    physician, stop = next(iter(stops.items()))

    saving = next(reason for reason in stop["reasons"] if reason["code"] == "stop_saving")
    assert 0.0 < saving["facts"]["low"] < saving["facts"]["caused"] < saving["facts"]["high"]
    assert saving["text"].startswith("Within 14 days about 1 contact would follow: ")
    assert company.answers(stop, "accept", "rep1")["state"] == "completed"

    against = company.get(f"/accounts/{physician}/why-not/mail_news", "rep1")["objections"]
    assert "consent" in [each["rule"] for each in against]
    company.clock.pass_time(days=1)
    company.night()
    assert physician not in with_stops(company, [physician])
