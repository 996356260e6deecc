"""A world for each shipped playbook: it speaks its playbook's words, and its truth is what its log shows."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.playbooks import playbook_text, read_playbook, shipped
from data.tables import read_table
from data.world import (
    World,
    WorldError,
    WorldSettings,
    best_fixed,
    business,
    businesses,
    oracle,
    policy_value,
)
from data.world.business import parse_business
from data.world.catalogue import Catalogue
from engine.contract import TABLES
from engine.playbook import parse_playbook
from tests.data.worlds import check_outcomes_average_the_truth, chosen, world

PLAYBOOKS = businesses()
DIGESTS = json.loads(Path(__file__).with_name("world_digests.json").read_text(encoding="utf-8"))


def of(playbook: str, **changes: object) -> World:
    return world(**({"playbook": playbook, "accounts": 200} | changes))


def digest(given: World) -> dict[str, str]:
    """Of every table and of the truth; digits that could differ between processors are left out."""
    truth = given.truth
    tables = dict(given.tables) | {
        "truth": pl.DataFrame(truth.expected, schema=list(truth.treatments)),
        "truth decisions": pl.DataFrame({
            "choice": truth.choice, "probability": truth.probability, "baseline": truth.baseline,
            "optout": truth.optout, "at": truth.decided_at, "eligible": truth.eligible.sum(axis=1),
        }),
        "traits": given.traits,
    }  # fmt: skip
    numbers = pl.selectors.float().round(6) + 0.0
    return {
        name: sha256(table.with_columns(numbers).write_csv().encode()).hexdigest()[:16]
        for name, table in tables.items()
    }


@pytest.mark.parametrize("seed", ["1", "7"])
def test_the_default_world_stays_as_it_was(seed: str) -> None:
    """Published figures were measured in it: whatever other worlds learn, this one may not change."""
    assert digest(world(accounts=150, seed=int(seed))) == DIGESTS[seed]


def test_every_playbook_of_a_business_has_a_world() -> None:
    """A playbook without one cannot be tried before there are customers."""
    assert set(PLAYBOOKS) == set(shipped()) - {"bank", "detailing", "olist", "starbucks"}


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_world_passes_the_contract_and_speaks_its_playbook(playbook: str, tmp_path: Path) -> None:
    """The loader rejects nothing, and no row names a channel, topic, role or treatment that is not there."""
    given, rules = of(playbook), read_playbook(playbook)
    given.write(tmp_path)

    for name in TABLES:
        checked = read_table(tmp_path, name)
        assert checked is None or len(checked.rejects) == 0, name
    said = {
        name: set(given.tables["touchpoints"][name].drop_nulls()) for name in ("channel", "topic", "role")
    }
    assert said["channel"] <= {c.id for c in rules.channels}
    assert said["topic"] <= {t.id for t in rules.topics}
    assert said["role"] <= {r.id for r in rules.roles}
    assert set(given.tables["outcomes"]["kind"]) == set(rules.outcome_worth)
    assert set(given.tables["users"]["role"]) <= {r.id for r in rules.roles} | {"job"}


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_what_the_playbook_asks_of_accounts_stands_in_its_world(playbook: str) -> None:
    """A rule on an attribute that no account has would fall closed for everybody."""
    rules, accounts = read_playbook(playbook), of(playbook).tables["accounts"]

    for attribute in rules.attributes:
        assert attribute.name in accounts.columns, attribute.name
        if attribute.levels:
            assert set(accounts[attribute.name]) <= set(attribute.levels)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_contact_of_the_playbook_occurs(playbook: str) -> None:
    """What is in no log cannot be learned."""
    given = of(playbook, assignment="randomised")

    contacts = {t.id for t in read_playbook(playbook).treatments if t.kind != "stop"}

    assert set(given.tables["decisions"]["treatment"]) == contacts == set(given.truth.treatments)
    assert given.settings.horizon_days == read_playbook(playbook).horizon("")


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_outcomes_average_what_the_truth_expects(playbook: str) -> None:
    """Baseline plus caused effect is the expectation of every window, whatever the business and horizon."""
    given = of(playbook, accounts=1_500)

    check_outcomes_average_the_truth(given)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_in_every_world_choosing_pays_and_choosing_by_account_pays_more(playbook: str) -> None:
    """Otherwise there is nothing that an engine could be good at."""
    truth = of(playbook, accounts=600).truth

    logged, fixed, best = (policy_value(truth, policy(truth)) for policy in (chosen, best_fixed, oracle))

    assert 0.0 < logged < best
    assert fixed < 0.9 * best


def test_a_treatment_with_a_horizon_of_its_own_is_judged_by_it() -> None:
    """Advice works slower than an offer: within its own horizon more of its effect has arrived."""
    given = of("telecom", repetition=0.0, fatigue=0.0, recency=0.0, personalisation=0.0)
    rules, truth = read_playbook("telecom"), given.truth

    horizons = {t.id: rules.horizon(t.issue) for t in rules.treatments if t.kind == "contact"}

    assert {truth.horizon_days[truth.treatments.index(name)] for name in horizons} == {60.0, 90.0}
    for name, days in horizons.items():
        assert truth.horizon_days[truth.treatments.index(name)] == days


def test_what_outcomes_are_worth_is_what_the_playbook_says() -> None:
    """Orders are recorded in full; the truth counts the 35 cents of a euro that remain."""
    given = of("ecommerce")

    recorded = given.tables["outcomes"]["value"].mean()

    assert recorded == pytest.approx(given.settings.business.amount / 0.35, rel=0.1)


def test_in_an_online_shop_nobody_works_and_in_a_small_company_one_person_does_everything() -> None:
    """Who there is decides what can be suggested to whom."""
    shop, small = of("ecommerce").tables, of("small_company").tables

    assert shop["users"]["role"].to_list() == ["job"]
    assert shop["account_team"].is_empty()
    assert shop["touchpoints"]["user_id"].null_count() == len(shop["touchpoints"])
    assert small["users"]["role"].to_list() == ["owner"]
    assert set(small["account_team"]["user_id"]) == {"ow0001"}


def test_small_customers_of_telecom_never_see_a_person_and_large_ones_get_no_advertising_mail() -> None:
    """The log is one that the company's own rules could have left."""
    tables = of("telecom", accounts=600).tables
    rows = tables["touchpoints"].join(tables["accounts"].select("account_id", "segment"), on="account_id")

    by_people = rows.filter(pl.col("role").is_in(["account_manager", "technical_sales"]), status="done")
    mailed = rows.filter(treatment="email_fibre")

    assert set(by_people["segment"]) == {"large", "medium"}
    assert set(mailed["segment"]) == {"medium", "small"}


def test_planted_underperformers_buy_far_less_than_accounts_like_them() -> None:
    """Twins can be measured only where it is known who has them."""
    given = of("telecom", accounts=1_500, effect=0.0)
    bought = given.tables["outcomes"].group_by("account_id").agg(pl.col("value").sum())
    spent = given.traits.join(bought, on="account_id", how="left").fill_null(0.0)

    few, usual = (spent.filter(underperforms=yes)["value"].mean() for yes in (True, False))

    assert 0.04 < given.traits["underperforms"].mean() < 0.12  # type: ignore[operator]
    assert few < 0.5 * usual  # type: ignore[operator]


def test_forms_carry_answers_and_quotes_are_opened_and_settled() -> None:
    """What inside sales must know before it calls, and what no channel may undercut."""
    tables = of("b2b_software").tables
    forms = tables["touchpoints"].filter(channel="form")
    offers = tables["offers"]

    answers = [json.loads(form) for form in forms["details"]]

    assert set(forms["topic"]) == {"contact_request"}
    assert all(set(a) == {"seats", "budget", "decides_by"} for a in answers)
    assert len({a["seats"] for a in answers}) > 1
    assert set(offers["price"]) == {6000.0, 12000.0}
    closed = offers.filter(pl.col("closed_at").is_not_null())
    assert set(closed["result"]) == {"won", "lost"}
    assert set(closed["offer_id"]) < set(offers["offer_id"])
    assert (closed["closed_at"] <= closed["expires_at"]).all()


def test_journeys_go_back_as_well_as_forward_and_what_is_asked_follows_them() -> None:
    """Buying is not linear; an engine must see a stage fall as well as rise."""
    given = of("b2b_software", accounts=500)
    stages = given.stages
    assert stages is not None
    order = [phase.name for phase in given.settings.business.phases]
    place = pl.col("stage").replace_strict(order, list(range(len(order))), return_dtype=pl.Int64)
    step = stages.with_columns(step=place.diff().over("account_id")).drop_nulls()["step"]

    asked = (
        given.tables["touchpoints"].filter(direction="inbound").sort("occurred_at")
        .join_asof(stages.sort("since"), left_on="occurred_at", right_on="since", by="account_id")
    )  # fmt: skip
    about = asked.group_by("stage").agg(pl.col("topic").is_in(["pricing", "contact_request"]).mean())
    share = dict(about.iter_rows())

    assert min((step > 0).sum(), (step < 0).sum()) > 500
    assert share["purchase_intention"] > 0.6 > 0.05 > share["brand_consideration"]


def test_what_works_differs_by_phase() -> None:
    """A demonstration to somebody who does not know the problem is lost."""
    given = of("b2b_software", accounts=400, repetition=0.0, fatigue=0.0, recency=0.0)
    assert given.stages is not None
    truth, demo = given.truth, given.truth.treatments.index("demo_features")
    at = pl.DataFrame(
        {"account_id": truth.account_ids, "at": truth.decided_at, "worth": truth.expected[:, demo]}
    )
    found = at.with_columns(pl.col("at").cast(pl.Datetime("us", "UTC"))).sort("at").join_asof(
        given.stages.sort("since"), left_on="at", right_on="since", by="account_id"
    )  # fmt: skip

    worth = dict(found.group_by("stage").agg(pl.col("worth").mean()).iter_rows())

    assert worth["purchase_intention"] > 4 * worth["customer_awareness"] > 0


# -- knobs for learning ------------------------------------------------------------------------------


def test_newsletters_tire_and_drive_people_away() -> None:
    """Heavy mailing is the world in which stopping is worth something."""
    calm, heavy = (of("pharma", accounts=600, fatigue=0.3, emails_per_month=n) for n in (0.0, 2.0))
    email = np.array([name.startswith("email_") for name in calm.truth.treatments])

    sent = heavy.tables["touchpoints"].filter(channel="email", status="done")
    left = [w.tables["preferences"].filter(channel="email", status="opt_out").height for w in (calm, heavy)]
    last = heavy.tables["preferences"].filter(channel="email", status="opt_out").select("account_id", "since")

    by_email = [w.truth.expected[heavy.truth.eligible[:, email].any(axis=1)][:, email].mean(axis=0)
                for w in (calm, heavy)]  # fmt: skip

    assert sent["treatment"].null_count() > 8_000
    assert left[1] > 5 * left[0]
    assert all(worth[1] < 0.9 * worth[0] for worth in zip(*by_email, strict=True))
    assert sent.join(last, on="account_id").filter(pl.col("occurred_at") > pl.col("since")).is_empty()
    unsubscribed = heavy.tables["responses"].filter(response="unsubscribed")
    assert unsubscribed["touchpoint_id"].str.starts_with("N").any()
    assert len(unsubscribed) == left[1]


def test_without_newsletters_there_are_none() -> None:
    """The knob is off unless it is turned."""
    assert of("pharma").tables["touchpoints"].filter(direction="outbound")["treatment"].null_count() == 0


def test_contacts_can_do_harm_and_the_log_shows_as_much() -> None:
    """An engine that never sees harm never learns to keep quiet; what is lost is taken back as outcomes."""
    given = of("pharma", accounts=1_500, harm=0.8)

    assert 0.2 < (given.truth.expected[:, 1:] < 0).mean() < 0.8
    assert (given.tables["outcomes"]["value"] < 0).any()
    check_outcomes_average_the_truth(given)


def test_colleagues_can_differ_in_skill() -> None:
    """Accounts of one person share her skill: what is learned on them is not of independent cases."""
    same, varied = of("pharma", accounts=600), of("pharma", accounts=600, skill=0.7)
    visit = same.truth.treatments.index("visit_dosing")
    email = same.truth.treatments.index("email_guidelines")
    rounds = same.settings.rounds

    ratio = (varied.truth.expected[:, visit] / same.truth.expected[:, visit])[::rounds]
    territory = same.tables["accounts"]["territory"].to_numpy()
    by_person = [ratio[territory == name] for name in np.unique(territory)]

    assert all(np.std(one) < 0.15 * np.mean(one) for one in by_person)
    assert np.std([np.mean(one) for one in by_person]) > 0.2
    assert np.allclose(varied.truth.expected[:, email], same.truth.expected[:, email])


# -- refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"playbook": "telecoms"}, "no world for the playbook 'telecoms'.*Did you mean 'telecom'"),
        ({"playbook": "starbucks"}, "no world for the playbook 'starbucks'"),
        ({"playbook": "telecom", "effect_segment": "A"}, "'large', 'medium', 'small'"),
        ({"harm": 2.0}, "harm: got 2.0, need a number from 0 to 1"),
        ({"emails_per_month": -1}, "emails_per_month: got -1"),
    ],
)
def test_a_setting_that_the_business_does_not_have_is_refused(changes: dict[str, object], said: str) -> None:
    """One line that says what there is."""
    with pytest.raises(WorldError, match=said):
        WorldSettings.named(**changes)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('channel = "sms"\nrole', 'channel = "fax"\nrole', "does not know what a contact by 'fax' does"),
        ("[topics.cloud]", "[topics.clouds]", "the topic 'cloud', which its playbook does not have"),
        ("purchase = 0.4", "sale = 0.4", "the outcome 'purchase', which its playbook does not have"),
    ],
)
def test_a_world_and_its_playbook_must_agree(old: str, new: str, said: str) -> None:
    """A channel that is added to a playbook has to be described in its world, or nothing is simulated."""
    text = playbook_text("telecom").replace(old, new)
    text = text.replace('topic = "cloud"', 'topic = "clouds"') if "clouds" in new else text
    text += '\n[channels.fax]\nname = { en = "Fax", ar = "فاكس", fa = "فکس" }\nautomated = true\n'

    with pytest.raises(WorldError, match=said):
        Catalogue.of(parse_playbook(text), business("telecom"))


def test_a_role_without_colleagues_is_refused() -> None:
    """Suggestions to nobody would be dropped every night."""
    kind = business("telecom")
    lonely = replace(kind, roles={"account_manager": kind.roles["account_manager"]})

    with pytest.raises(WorldError, match="no colleagues in the role 'technical_sales'"):
        Catalogue.of(read_playbook("telecom"), lonely)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("yearly = 1200", "yearly = ", "is no TOML"),
        ("yearly = 1200\n", "", "needs 'yearly'"),
        ("yearly = 1200", "yearly = 1200\nweekly = 3", "has no 'weekly'"),
        ('who = "physician"', 'who = "robot"', "got 'robot'"),
        ('positive = "attended"', 'positive = "cheered"', "got 'cheered'"),
        ("[segments]", "[pieces]", "does not say 'segments'"),
    ],
)
def test_a_description_that_cannot_be_is_one_line(old: str, new: str, said: str) -> None:
    """Whoever writes a world of her own is told what is wrong with it."""
    folder = Path(__file__).parents[2] / "data" / "world" / "natures"
    text = (folder / "pharma.toml").read_text(encoding="utf-8").replace(old, new)

    with pytest.raises(WorldError, match=said) as error:
        parse_business(text, "pharma")

    assert "\n" not in str(error.value)
