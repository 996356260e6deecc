"""The stage of an account follows from its facts at the moment, forward and back; its owners get the work."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from engine.features import FeatureSet, features_as_of
from engine.playbook import Playbook, PlaybookError, parse_playbook
from engine.policies import fact_of, object_to
from engine.records import History, Moments
from engine.scoring import StartingScorer
from engine.stage_rules import qualified
from tests.engine import funnel
from tests.engine.builders import ATTRIBUTES, Row, account, at, history, moments, outcome, team, touchpoint
from tests.engine.deciding import decided, listed

FUNNEL = parse_playbook(funnel.text())
SERVED = (team(role="marketer"), team(role="seller"))


def asked(days: float, topic: str, **v) -> Row:
    return touchpoint(days, direction="inbound", channel="form", topic=topic, **v)


def stages(past: History, when: Moments, rules: Playbook = FUNNEL) -> list[str | None]:
    known = features_as_of(past, when, playbook=rules, features=FeatureSet.of(rules, ATTRIBUTES))
    return [fact_of(known, rules, "stage", row, 0) for row in range(len(when))]


def stage_of(*rows: Row, day: float = 0.0, rules: Playbook = FUNNEL) -> str | None:
    return stages(history(*rows), moments(at_day=day), rules)[0]


def test_the_stage_is_the_furthest_whose_condition_holds() -> None:
    """Whoever asks for prices is past comparing, though she still compares."""
    compared = (asked(-2.0, "comparison"), asked(-3.0, "comparison"))
    priced = (asked(-1.0, "pricing"), asked(-1.5, "pricing"))

    assert stage_of() == "customer_awareness"
    assert stage_of(*compared) == "brand_consideration"
    assert stage_of(*compared, *priced) == "purchase_intention"


def test_it_goes_back_when_windows_pass_and_when_facts_are_taken_back() -> None:
    """Buying is not linear: interest that has gone cold is not interest."""
    priced = (asked(-1.0, "pricing"), asked(-1.5, "pricing", id="second"))
    retracted = asked(-1.5, "pricing", id="second", stored=1.0, deleted=True)

    assert stage_of(*priced, day=9.0) == "purchase_intention"
    assert stage_of(*priced, day=9.5) == "customer_awareness"
    assert stage_of(*priced, retracted, day=0.5) == "purchase_intention"
    assert stage_of(*priced, retracted, day=2.0) == "customer_awareness"


def test_what_is_stored_later_changes_no_earlier_stage() -> None:
    """A decision replayed must see the stage that it saw."""
    late = (asked(-1.0, "pricing", stored=2.0), asked(-1.5, "pricing", stored=2.0))

    assert stage_of(*late, day=1.0) == "customer_awareness"
    assert stage_of(*late, day=2.5) == "purchase_intention"


def planted(seed: int, days: int = 720) -> tuple[list[str], list[Row]]:
    """The stage of an account on each day and the traces that it leaves; a third of the moves go back."""
    draw, place = random.Random(seed), 0
    path: list[str] = []
    rows: list[Row] = []
    while len(path) < days:
        start, stay = len(path), draw.randint(60, 150)
        path += [funnel.STAGES[place]] * stay
        rows += traces(funnel.STAGES[place], float(start), float(start + stay), draw, f"p{seed}")
        step = -draw.randint(1, 2) if draw.random() < 0.33 else draw.randint(1, 2)
        moved = min(max(place + step, 0), len(funnel.STAGES) - 1)
        place = moved if moved != place else max(place - 1, 0)
    return path[:days], rows


def traces(stage: str, start: float, end: float, draw: random.Random, owner: str) -> Iterator[Row]:
    """What accounts in a stage do, and now and then something that belongs to another."""
    topic = dict(zip(funnel.STAGES, ("problem", "brand", "comparison", "trial", "pricing"), strict=False))
    gap = {"purchase": (16, 24), "loyalty": (6, 9), "advocacy": (6, 9)}.get(stage, (2, 6))
    day = start
    while day < end:
        topical = topic.get(stage, "referral" if stage == "advocacy" else "")
        if topical:
            yield asked(day, topical, account_id=owner)
        if stage in ("purchase", "loyalty", "advocacy"):
            yield outcome(day, kind="order", account_id=owner)
        if draw.random() < 0.05:
            yield asked(day + 0.5, draw.choice(funnel.TOPICS[:5]), account_id=owner)
        day += draw.uniform(*gap) if stage != "advocacy" else draw.uniform(3, 6)


def test_planted_journeys_with_reversals_are_found_again() -> None:
    """At least nine of ten stages agree with the truth, reversals and stray traces included."""
    truth, rows, when = [], [], []
    for seed in range(40):
        path, left = planted(seed)
        rows += left
        for day in range(15, len(path), 15):
            truth.append(path[day])
            when.append((f"p{seed}", at(day + 0.9)))
    owners, days = zip(*when, strict=True)
    past = history(*rows, accounts=sorted(set(owners)))

    found = stages(past, Moments(owners, np.array(days)))

    back = sum(funnel.STAGES.index(b) < funnel.STAGES.index(a) for a, b in pairwise(truth))
    agree = sum(a == b for a, b in zip(truth, found, strict=True)) / len(truth)
    assert back > 80
    assert set(truth) == set(funnel.STAGES)
    assert agree >= 0.9, agree


def test_together_is_the_same_as_one_by_one() -> None:
    """The night and a live event must see one stage."""
    rows = [row for seed in range(5) for row in planted(seed, 200)[1]]
    owners = [f"p{seed}" for seed in range(5)]
    past = history(*rows, accounts=owners)

    together = stages(past, moments(*owners, at_day=150.0))

    assert together == [stages(past, moments(owner, at_day=150.0))[0] for owner in owners]
    assert len(set(together)) > 1


def test_where_no_condition_holds_there_is_no_stage_and_nothing_meant_for_one() -> None:
    """Fail closed: an unknown stage is not the stage that somebody hoped for."""
    only = funnel.stage("known", 1, '["sales"]', "potential_value > 500000", [])
    treatments = tuple(
        part.replace('["loyalty", "advocacy"]', '["known"]') for part in funnel.text(only).split("\n\n")
    )
    rules = parse_playbook("\n\n".join(treatments))

    found = decided(history(*SERVED), rules=rules, scorer=StartingScorer(rules))

    assert stage_of(rules=rules) is None
    assert "stage" in objections(rules, "thanks")
    assert objections(rules, "guide") == ["owner"]
    assert listed(found) == ["answer_price"]


def objections(rules: Playbook, treatment: str, *rows: Row) -> list[str]:
    known = features_as_of(
        history(*SERVED, *rows), moments(), playbook=rules, features=FeatureSet.of(rules, ATTRIBUTES)
    )
    found = object_to(known, rules)
    flags = found.objects[0, [t.id for t in rules.treatments].index(treatment)]
    return [rule.id for rule, flag in zip(found.rules, flags, strict=True) if flag]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), {"guide", "answer_price"}),
        ([asked(-d, "comparison") for d in (1.0, 2.0)], {"guide", "story", "answer_price"}),
        ([asked(-d, "pricing") for d in (1.0, 2.0)], {"demo", "quote", "answer_price"}),
        ([outcome(-d, kind="order") for d in (1.0, 9.0, 17.0)], {"demo", "quote", "answer_price", "thanks"}),
    ],
)
def test_every_suggestion_goes_to_the_owner_of_the_stage_and_fits_it(rows, expected: set[str]) -> None:
    """Education early, prices late; a particular objection is sales' whatever the stage."""
    found = decided(history(*SERVED, *rows), rules=FUNNEL, scorer=StartingScorer(FUNNEL))

    assert set(listed(found)) == expected


def test_with_prefer_others_only_count_less() -> None:
    """Some firms want the owner first and the other rather than nobody."""
    rules = parse_playbook(funnel.text(top='stage_owner = "prefer"\nother_owner_weight = 0.25'))
    past = history(*SERVED, *(asked(-d, "trial") for d in (1.0, 2.0)))

    found = decided(past, rules=rules, scorer=StartingScorer(rules))

    owners, others = (found.priority.weight[0, found.treatments.index(t)] for t in ("story", "demo"))
    assert (owners, others) == (1.0, 0.25)
    assert listed(found)[0] == "story"
    assert "demo" in listed(found)


def overlapping() -> str:
    """Five stages of marketing, four of sales; they share two."""
    owners = ['["marketing"]'] * 3 + ['["marketing", "sales"]'] * 2 + ['["sales"]'] * 2
    topics = ("", "brand", "comparison", "trial", "pricing", "referral", "price_objection")
    return "\n".join(
        funnel.stage(f"s{place}", place, whose, f"inbound_{topic}_30d >= 1" if topic else None, [])
        for place, (whose, topic) in enumerate(zip(owners, topics, strict=True), start=1)
    )


@pytest.mark.parametrize(
    ("topic", "role"), [("brand", {"system", "marketer"}), ("trial", {"system", "marketer", "seller"}),
                        ("referral", {"seller"})]
)  # fmt: skip
def test_a_funnel_in_which_two_teams_overlap_is_a_matter_of_the_playbook(topic: str, role: set[str]) -> None:
    """Five marketing stages and four sales stages, two of them shared."""
    text = funnel.text(overlapping()).replace('stages = ["loyalty", "advocacy"]', "")
    rules = parse_playbook(text)

    found = decided(history(*SERVED, asked(-1.0, topic)), rules=rules, scorer=StartingScorer(rules))

    roles = {rules.treatment(id).role for id in listed(found) if id != "answer_price"}
    assert roles == role


def test_where_one_person_does_everything_nothing_is_removed() -> None:
    """A small company: one role owns all stages."""
    owner = '["marketer", "seller", "system"]'
    journey = "\n".join(
        funnel.stage(id, place, owner, funnel.WHEN.get(id), []) for place, id in enumerate(funnel.STAGES, 1)
    )
    rules = parse_playbook(funnel.text(journey))

    for treatment in ("guide", "story", "demo", "quote"):
        assert objections(rules, treatment) == []


def test_rules_and_weights_may_name_the_stage_and_its_owner() -> None:
    """What a marketer thinks in must be what she can write."""
    rest = """
[policies.no_mail_late]
stage = "suitability"
applies = "role = 'system'"
when = "stage_number < 4 and stage_owner = 'marketing'"
text.en = "Too late for mails."

[context_weights.close]
when = "stage = 'purchase_intention' and owns_stage = 1"
weight = 3
"""
    rules = parse_playbook(funnel.text(rest=rest))
    priced = [asked(-d, "pricing") for d in (1.0, 2.0)]

    found = decided(history(*SERVED, *priced), rules=rules, scorer=StartingScorer(rules))

    assert "policy:no_mail_late" in objections(rules, "guide", *priced)
    assert "policy:no_mail_late" not in objections(rules, "guide")
    weights = dict(zip(found.treatments, found.priority.weight[0], strict=True))
    assert (weights["quote"], weights["story"]) == (3.0, 1.0)


def test_the_stage_is_kept_with_the_decision() -> None:
    """A record that lacks it could not be read a year later."""
    found = decided(
        history(*SERVED, *(asked(-d, "trial") for d in (1.0, 2.0))), rules=FUNNEL,
        scorer=StartingScorer(FUNNEL),
    )  # fmt: skip

    kept = found.features.known().row(0, named=True)

    assert (kept["stage"], kept["stage_owner"], kept["stage_number"]) == ("brand_preference", "marketing", 4)


def test_a_safety_report_is_no_signal() -> None:
    """A reported side effect must not make anybody a better prospect."""
    safe = funnel.text(top='safety_role = "seller"', rest="[service_levels.seller]\nhours = 24")
    rules = parse_playbook(safe.replace("[topics.pricing]", "[topics.pricing]\nsafety = true", 1))
    reports = [asked(-d, "pricing") for d in (1.0, 2.0)]
    known = features_as_of(
        history(*reports), moments(), playbook=rules, features=FeatureSet.of(rules, ATTRIBUTES)
    )

    assert stage_of(*reports, rules=rules) == "customer_awareness"
    for name in ("inbound_any_365d", "inbound_pricing_365d", "inbound_form_365d"):
        assert fact_of(known, rules, name, 0, 0) == 0.0
    assert fact_of(known, rules, "days_since_inbound_any", 0, 0) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("position = 2", "position = 1", "journey.customer_awareness.position: 1 is the one of"),
        ('owners = ["sales"]\nwhen', 'owners = []\nwhen', "journey.purchase_intention.owners: empty"),
        ('owners = ["sales"]\nwhen', 'owners = ["sale"]\nwhen', "unknown owner 'sale', did you mean"),
        ('when = "outcomes_30d >= 1"', "", "journey.purchase.when: missing; only the first stage"),
        ("outcomes_30d >= 1", "channel = 'call'",
         "journey.purchase.when: 'channel' is a fact of a candidate; name facts of the account alone."),
        ("outcomes_30d >= 1", "stage_number > 2", "purchase.when: 'stage_number' is a fact of the stage"),
        ("outcomes_30d >= 1", "outcome_30d >= 1", "unknown fact 'outcome_30d', did you mean 'outcomes_30d'?"),
        ('stages = ["loyalty", "advocacy"]', 'stages = ["loyal"]',
         "treatments.thanks.stages: unknown journey 'loyal', did you mean 'loyalty'?"),
        ("[teams.sales]", "[teams.seller]", "unknown owner 'sales'"),
        ('roles = ["seller"]', "roles = []", "teams.sales.roles: empty"),
        ("[teams.sales]", "[teams.system]\nname.en = 'S'\nroles = ['seller']\n[teams.sales]",
         "teams.system: a role is called so too"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_journey_is_said_in_one_line(old: str, new: str, said: str) -> None:
    """Whoever writes a funnel is told what is near."""
    text = funnel.text()
    assert old in text

    with pytest.raises(PlaybookError) as error:
        parse_playbook(text.replace(old, new, 1))

    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('qualified_when = "stage_number >= 4"\nby = "seller"\nto = "seller"', "hand over to itself"),
        ('qualified_when = "stage_number >= 4"\nby = "seller"\nto = "system"', "'system' is the system"),
        ('qualified_when = "owns_stage = 1"\nby = "marketer"\nto = "seller"', "'owns_stage' is a fact of"),
        ('qualified_when = "stage = 4"\nby = "marketer"\nto = "seller"', "cannot be compared"),
        ('qualified_when = "stage = \'x\'"\nby = "marketer"\nto = "seller"', "stage is never 'x'"),
    ],
)
def test_a_mistake_in_a_hand_over_is_said_in_one_line(rule: str, said: str) -> None:
    """A lead that goes nowhere is lost without a sound."""
    with pytest.raises(PlaybookError) as error:
        parse_playbook(funnel.text(rest=f"[hand_overs.lead]\n{rule}\ntext.en = 'Ready.'"))

    assert said in str(error.value)


def test_content_that_no_stage_allows_is_refused() -> None:
    """It would never be suggested, and nobody would know why."""
    strict = "\n".join(
        funnel.stage(id, place, '["sales"]', funnel.WHEN.get(id), ["educational"])
        for place, id in enumerate(funnel.STAGES, 1)
    )

    with pytest.raises(
        PlaybookError, match=r"treatments.demo.content: no stage of the journey allows 'demo'"
    ):
        parse_playbook(funnel.text(strict))


def test_who_is_qualified_is_handed_over_but_not_who_is_closed_or_unknown() -> None:
    """A lead that was merged into another is no lead; what is not known qualifies nobody."""
    rest = """
[hand_overs.lead]
qualified_when = "stage_number >= 5"
by = "marketer"
to = "seller"
text.en = "Ready."

[hand_overs.rich]
qualified_when = "stage_number >= 5 and potential_value > 100"
by = "marketer"
to = "seller"
text.en = "Rich."
"""
    rules = parse_playbook(funnel.text(rest=rest))
    ids = ("ready", "cold", "closed", "poor")
    rows = [asked(-d, "pricing", account_id=id) for d in (1.0, 2.0) for id in ids if id != "cold"]
    closed = account("closed", stored=-0.5, deleted=True)
    past = history(*rows, account("closed", stored=-9.0), closed, account("poor", potential_value=None),
                   accounts=ids)  # fmt: skip

    known = features_as_of(past, moments(*ids), playbook=rules, features=FeatureSet.of(rules, ATTRIBUTES))

    flags = dict(zip(ids, qualified(known, rules).tolist(), strict=True))
    assert flags == {
        "ready": [True, True], "cold": [False, False], "closed": [False, False], "poor": [True, False]
    }  # fmt: skip
