"""What every shipped playbook must be able to do, and what each refuses: what its business cannot have."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest

from data.playbooks import read_playbook, shipped
from engine.decide import Decisions, decide
from engine.facts import Attribute
from engine.features import FeatureSet
from engine.playbook import Playbook, PlaybookError, parse_playbook
from engine.records import History
from engine.scoring import StartingScorer
from tests.engine.builders import (
    Row,
    account,
    history,
    moments,
    outcome,
    permission,
    planned,
    response,
    team,
    touchpoint,
    twins,
)

ROOT = Path(__file__).parents[2]
ACCOUNTS = tuple(f"a{number:03}" for number in range(600))
PUBLIC = {"bank", "detailing", "olist", "starbucks"}
"""Those of public data sets."""
INVENTED_FOR_A_BUSINESS = tuple(name for name in shipped() if name not in PUBLIC)


def text_of(name: str) -> str:
    return (ROOT / "data" / "playbooks" / f"{name}.toml").read_text(encoding="utf-8")


def everything_happens(rules: Playbook, seed: int = 5) -> History:
    """Accounts whose facts are drawn so that every rule of the playbook is met by some of them."""
    draw = Random(seed)
    rows: list[Row] = []
    for id in ACCOUNTS:
        traits = {a.name: _trait(a, draw) for a in rules.attributes}
        rows += [account(id, **({"country": "de"} | traits))]
        rows += [team(id, role.id, f"u-{role.id}") for role in rules.roles if not role.system]
        rows += [
            permission(-200.0, purpose=p, account_id=id) for p in ("marketing", "service", "web_behaviour")
        ]
        rows += _touchpoints(id, rules, draw)
        reach = draw.choice((60, 700))
        rows += [outcome(-draw.uniform(1, reach), account_id=id, kind=next(iter(rules.outcome_worth)))
                 for _ in range(draw.choice((0, 0, 1, 4)))]  # fmt: skip
        rows += [twins(-1.0, account_id=id)] if rules.twins is not None and draw.random() < 0.5 else []
    return history(*rows)


def _trait(attribute: Attribute, draw: Random) -> object:
    if attribute.levels is not None:
        return draw.choice(attribute.levels) if attribute.levels else "de"
    return float(draw.random() < 0.3) if attribute.name == "automated" else 10 ** draw.uniform(1, 6)


def _touchpoints(id: str, rules: Playbook, draw: Random) -> list[Row]:
    inbound = [channel.id for channel in rules.channels if not channel.outbound]
    if draw.random() < 0.15:
        return []
    about = draw.sample([topic.id for topic in rules.topics], k=min(2, len(rules.topics)))
    rows = [
        touchpoint(-draw.expovariate(rate), account_id=id, direction="inbound", topic=topic,
                   channel=draw.choice(inbound))
        for topic in about for rate in draw.choice(((0.3,), (0.005,), (0.3,) * 6)) if inbound
    ]  # fmt: skip
    for treatment in draw.sample([t for t in rules.treatments if t.kind == "contact"], k=2):
        answered = draw.random() < 0.4
        for number in range(draw.choice((0, 1, 9))):
            days = -0.5 - draw.expovariate(1 / 25)
            key = f"{id}-{treatment.id}-{number}"
            rows.append(touchpoint(days, account_id=id, id=key, channel=treatment.channel,
                                   treatment=treatment.id, topic=treatment.topic or None))  # fmt: skip
            if answered and draw.random() < 0.6:
                rows.append(response(key, days * draw.random(), account_id=id))
        if draw.random() < 0.4:
            rows.append(planned(draw.uniform(0.5, 3), account_id=id, channel=treatment.channel))
    return rows


@cache
def decided(name: str) -> Decisions:
    rules = read_playbook(name)
    declared = tuple(a for a in rules.attributes if a.levels != ())
    return decide(
        everything_happens(rules), moments(*ACCOUNTS), playbook=rules,
        features=FeatureSet.of(rules, declared), scorer=StartingScorer(rules), seed=1,
    )  # fmt: skip


@pytest.mark.parametrize("name", INVENTED_FOR_A_BUSINESS)
def test_every_treatment_of_a_shipped_playbook_is_allowed_for_somebody(name):
    """A treatment that no account can ever get is a slip of whoever wrote its rules."""
    decisions = decided(name)

    allowed = decisions.objections.eligible.any(axis=0)

    never = [t for t, yes in zip(decisions.treatments, allowed, strict=True) if not yes]
    assert never == []


@pytest.mark.parametrize("name", INVENTED_FOR_A_BUSINESS)
def test_every_policy_of_a_shipped_playbook_removes_something(name):
    """A policy that never objects says nothing."""
    decisions = decided(name)

    removes = decisions.objections.objects.any(axis=(0, 1))

    idle = [r.id for r, yes in zip(decisions.objections.rules, removes, strict=True) if not yes]
    assert [rule for rule in idle if rule.startswith("policy:")] == []


@pytest.mark.parametrize("name", INVENTED_FOR_A_BUSINESS)
def test_a_shipped_playbook_suggests_different_things_to_different_accounts(name):
    """What comes first must depend on what is known."""
    decisions = decided(name)

    first = {decisions.treatments[index] for index in decisions.ranking.greedy}

    assert len(first) >= 4


@pytest.mark.parametrize("name", INVENTED_FOR_A_BUSINESS)
def test_every_stage_of_a_shipped_journey_is_reached(name):
    """A stage in which nobody can be is a slip of its condition."""
    decisions = decided(name)
    stages = read_playbook(name).journey.ids

    reached = set(decisions.features.fact("stage").values[:, 0].astype(int)) if stages else set()

    assert {stages[place] for place in reached if place >= 0} == set(stages)


@pytest.mark.parametrize(("name", "channel"), [("pharma", "congress"), ("b2b_software", "webinar")])
def test_no_list_invites_somebody_twice(name, channel):
    """Two invitations on one morning's list: nobody sends them both. Even of a list with room for all."""
    rules = read_playbook(name)
    long = replace(rules, places=len(rules.treatments))
    declared = tuple(a for a in rules.attributes if a.levels != ())
    decisions = decide(
        everything_happens(rules), moments(*ACCOUNTS), playbook=long,
        features=FeatureSet.of(long, declared), scorer=StartingScorer(long), seed=1,
    )  # fmt: skip

    invites = np.array([t.channel == channel for t in rules.treatments])
    places = decisions.ranking.places
    invited = (invites[places] & (places > 0)).sum(axis=1)

    assert (decisions.objections.eligible[:, invites].sum(axis=1) == 2).any()
    assert invited.max() == 1


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_playbook_is_described(name):
    """Nobody chooses what is not listed."""
    assert f"| `{name}` |" in (ROOT / "docs" / "playbooks.md").read_text(encoding="utf-8")


def test_an_online_shop_has_no_role_for_a_person():
    """Everything is automated there: who adds a visit is told at once."""
    rules = read_playbook("ecommerce")
    visit = text_of("ecommerce").replace('role = "system"', 'role = "account_manager"', 1)

    assert all(role.system for role in rules.roles)
    with pytest.raises(PlaybookError, match="account_manager"):
        parse_playbook(visit)


def test_in_a_small_company_one_person_owns_every_stage_and_hands_nothing_over():
    """One person wears both hats."""
    rules = read_playbook("small_company")
    people = [role.id for role in rules.roles if not role.system]

    assert people == ["owner"]
    assert all("owner" in stage.roles for stage in rules.journey.stages)
    assert rules.hand_overs == ()


def test_a_clinic_uses_what_was_read_only_with_permission_and_keeps_medicine_with_physicians():
    """What somebody reads about an illness is health data."""
    text = text_of("clinic").replace('action = "answer_medical_question"\n', 'action = "x"\n')
    commercial = text.replace(
        'channel = "medical_call"\nrole = "physician"', 'channel = "call"\nrole = "coordinator"'
    )

    assert read_playbook("clinic").web_behaviour_needs_consent
    with pytest.raises(PlaybookError, match="medical"):
        parse_playbook(commercial)


def test_after_buying_nobody_is_reminded_of_a_click():
    """One reinforcing message after a click without a purchase; never after buying."""
    clicked = [touchpoint(-3.0, id="t", channel="email", treatment="email_new_arrivals"), response("t", -2.0),
               permission(-200.0)]  # fmt: skip

    open_ = _reinforced(*clicked)
    bought = _reinforced(*clicked, outcome(-1.0, kind="order"))
    again = _reinforced(*clicked, touchpoint(-1.0, channel="email", treatment="email_reinforce"))

    assert (open_, bought, again) == (True, False, False)


def _reinforced(*rows: Row) -> bool:
    """Whether a reinforcing message is allowed through any channel."""
    rules = read_playbook("ecommerce")
    decisions = decide(
        history(account("a", network="photo", segment="new"), *rows), moments("a"), playbook=rules,
        features=FeatureSet.of(rules, (Attribute("network", ("none", "photo")),)),
        scorer=StartingScorer(rules), seed=1,
    )  # fmt: skip
    return any(
        bool(decisions.objections.eligible[0, place])
        for place, name in enumerate(decisions.treatments) if name.endswith("_reinforce")
    )  # fmt: skip
