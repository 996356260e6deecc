"""A check finds each mistake, proves what it says, and is silent about what is meant."""

from pathlib import Path

import numpy as np
import pytest

from api.playbook_check import MEASURED, OF_ACCOUNTS
from api.simulation_figures import SIMULATED
from data.playbooks import read_playbook, shipped
from data.world.business import business as business_of
from data.world.business import businesses
from engine.condition_cells import cells_of
from engine.conditions import parse_condition
from engine.facts import Attribute, fact_types
from engine.playbook import parse_playbook
from engine.playbook_check import CHECK_KINDS, check_playbook
from engine.predicates import FactColumn
from engine.rule_checks import levels_of_nobody
from engine.treatment_checks import unnamed_columns
from tests.engine.builders import NOW
from tests.engine.example_playbook import TEXT, changed

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "checks.md"

JOURNEY = """
[journey.new]
name = { en = "New", fa = "تازه" }
position = 1
owners = ["manager", "system"]

[journey.bought]
name = { en = "Bought", fa = "خریده" }
position = 2
owners = ["manager", "system"]
when = "outcomes_365d >= 1"
"""


def found(text: str, as_of: int = NOW) -> set[tuple[str, str]]:
    return {(each.code, each.where) for each in check_playbook(parse_playbook(text), as_of)}


def policy(name: str, when: str, applies: str = "", stage: str = "suitability") -> str:
    about = f'applies = "{applies}"\n' if applies else ""
    return (
        f'[policies.{name}]\nstage = "{stage}"\n{about}when = "{when}"\ntext = {{ en = "No.", fa = "نه." }}\n'
    )


CASES = {
    "removes nothing": (TEXT + policy("p", "outbound_visit_30d >= 0"), "rule_never_removes", "policies.p"),
    "can never apply": (TEXT + policy("p", "false", "outbound_visit_7d > 3 and outbound_visit_30d < 2"),
                        "rule_never_removes", "policies.p"),
    "removes all": (TEXT + policy("p", "response_rate_any_365d > 1"),
                    "rule_removes_everything", "policies.p"),
    "removes one treatment": (TEXT + policy("p", "outcomes_30d between 5 and 3", "channel = 'visit'"),
                              "treatment_always_removed", "policies.p"),
    "behind another": (TEXT + policy("z", "outbound_visit_30d < 5") + policy("a", "outbound_visit_30d < 3"),
                       "rule_shadowed", "policies.z"),
    "weight never": (changed("days_since_inbound_same_topic < 1", "segment = 'A' and segment = 'B'"),
                     "condition_never_holds", "context_weights.asked"),
    "stage never": (TEXT + JOURNEY.replace("outcomes_365d >= 1", "outcomes_365d < 0"),
                    "stage_unreachable", "journey.bought"),
    "stage behind": (TEXT + JOURNEY.replace("outcomes_365d >= 1", "outcomes_365d >= 0"),
                     "stage_unreachable", "journey.new"),
    "unknown days": (changed("coalesce(days_since_visit, 999) > 7", "days_since_visit > 7"),
                     "unknown_removes", "policies.rested"),
    "unknown column": (TEXT + policy("p", "potential_value > 5"), "unknown_attribute_removes", "policies.p"),
    "limit of 0": (changed("count = 2\ndays = 30", "count = 0\ndays = 30"),
                   "limit_zero", "contact_limits.visits"),
    "closed by a limit": (changed("count = 2\ndays = 30", "count = 0\ndays = 30"),
                          "never_allowed", "treatments.visit_dosing"),
    "limit behind a limit": (TEXT + '[contact_limits.more]\nchannel = "visit"\ncount = 5\ndays = 7\n',
                             "limit_redundant", "contact_limits.more"),
    "pause never": (TEXT + '[suppressions.visited]\ntrack = "contacts"\nscope = "channel"\ncount = 3\n'
                    'window_days = 30\nsuppress_days = 9\nchannel = "visit"\n',
                    "pause_never_starts", "suppressions.visited"),
    "stop of nothing": (changed('stops = ["email:marketing"]', 'stops = ["visit:service"]'),
                        "stops_nothing", "treatments.stop_email.stops"),
    "inbound": (changed('[channels.visit]', '[channels.visit]\noutbound = false'),
                "channel_inbound", "treatments.visit_dosing"),
    "approval over": (changed("2027-12-31", "2025-12-30"), "approval_over", "treatments.visit_dosing"),
    "approval ends": (changed("2027-12-31", "2026-01-20"), "approval_ends", "treatments.visit_dosing"),
    "time over": (changed("starting_uplift = 0.2", "starting_uplift = 0.2\nvalid_until = 2025-12-01"),
                  "validity_over", "treatments.visit_dosing"),
    "owner of no stage": (TEXT + JOURNEY.replace('"manager", "system"', '"system"'),
                          "no_stage_for_it", "treatments.visit_dosing"),
    "content of no stage": (changed('value = 500', 'value = 500\ncontent = "price"\nstages = ["new"]')
                            + JOURNEY.replace("position = 1", 'position = 1\ncontent = ["demo"]'),
                            "no_stage_for_it", "treatments.visit_dosing"),
    "topic of others": (changed('[topics.dosing]', '[topics.dosing]\nowners = ["system"]'),
                        "topic_of_others", "treatments.visit_dosing"),
    "few": (TEXT, "few_options", "treatments"),
    "unused": (TEXT + '[channels.fax]\nname = { en = "Fax", fa = "فکس" }\n',
               "channel_unused", "channels.fax"),
    "not translated": (changed("ویزیت {name}.", "Visit {name}."),
                       "text_repeated", "treatments.visit_dosing.text"),
    "nobody named": (changed("ویزیت {name}.", "ویزیت."), "text_placeholders", "treatments.visit_dosing.text"),
    "no trigger": (changed('"Visit {name}."', '"{trigger} Visit {name}."'),
                   "trigger_without_words", "treatments.visit_dosing.text"),
    "column": (changed('city = "text"', 'city = "text", household = "text"'),
               "column_unnamed", "columns.household"),
    "language": (TEXT.replace('"fa"]', '"de"]').replace("fa = ", "de = "),
                 "language_without_sentences", "languages"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_mistake_is_found_where_it_stands(case):
    """Each was made by somebody: the playbook is read, works, and does something else than was meant."""
    text, code, where = case

    assert (code, where) in found(text)


def test_every_code_has_a_case_that_shows_it():
    """A check without an example may as well never find anything."""
    codes = {code for kind in CHECK_KINDS.values() for code in kind.codes}

    assert codes == {code for _, code, _ in CASES.values()}


def test_a_playbook_that_is_meant_so_is_left_in_peace():
    """A check that cries wolf is switched off."""
    assert found(TEXT) == {("few_options", "treatments")}


@pytest.mark.parametrize("name", shipped())
def test_shipped_playbooks_have_no_errors(name):
    """They are what people copy."""
    errors = [each for each in check_playbook(read_playbook(name), NOW) if each.severity == "error"]

    assert errors == []


@pytest.mark.parametrize("name", businesses())
def test_every_column_and_value_of_a_shipped_business_has_a_name_in_its_languages(name):
    """Also those that no rule names: an account's page shows them all."""
    business, book = business_of(name), read_playbook(name)
    levels = {business.column(kind): trait.levels for kind, trait in business.traits.items()}
    levels |= {"segment": business.segments, **{one: extra.levels for one, extra in business.extras.items()}}

    assert [each.where for each in unnamed_columns(book, sorted(levels))] == []
    words = {column: [one for one in found if len(one) > 1] for column, found in levels.items()}
    assert {column: sorted(book.column_values.get(column, {})) for column in words} == {
        column: sorted(found) for column, found in words.items()
    }


def test_a_policy_that_says_what_unknown_means_is_no_finding():
    """Whoever writes that it is meant is not asked again."""
    text = changed(
        "coalesce(days_since_visit, 999) > 7", "days_since_visit is not null and days_since_visit > 7"
    )

    assert ("unknown_removes", "policies.rested") not in found(text)


def test_a_policy_that_wants_something_recent_may_remove_whoever_never_had_it():
    """Only after an order is meant so; whoever never ordered is not to get it."""
    text = TEXT + policy("p", "days_since_outcome < 30", "channel = 'email'")

    assert ("unknown_removes", "policies.p") not in found(text)


def test_what_compares_facts_with_each_other_is_not_judged():
    """Without a proof nothing is said: 90 days hold more than 7, but trying values would not show it."""
    text = TEXT + policy("p", "outbound_visit_30d * 2 >= outbound_email_30d - 99999")

    assert not [where for _, where in found(text) if where == "policies.p"]


def test_findings_stand_worst_first():
    """The first line is the one that is read."""
    text = changed("[channels.visit]", "[channels.visit]\noutbound = false")

    severities = [each.severity for each in check_playbook(parse_playbook(text), NOW)]

    assert severities == sorted(severities, key=["error", "warning", "note"].index)


@pytest.mark.parametrize("text", [
    "outbound_visit_7d > 1.5 or outbound_visit_30d between 2 and 4",
    "coalesce(days_since_visit, 12) > 12 and not days_since_visit <= 40",
    "segment in ('A') or city <> 'Rome' and response_rate_any_365d >= 0.25",
    "potential_value is null or -3 < potential_value and potential_value <= 3",
])  # fmt: skip
def test_whatever_values_give_the_cells_have_too(text):
    """At random values a condition has no truth that no cell has: the proof leaves nothing out."""
    playbook = parse_playbook(TEXT)
    facts = fact_types(["visit", "email"], ["dosing"], playbook.attributes)
    condition = parse_condition(text, facts, where="test")
    draw, n = np.random.default_rng(0), 4_000
    short = draw.integers(0, 6, n)
    columns = {
        "outbound_visit_7d": FactColumn(short.astype(float)),
        "outbound_visit_30d": FactColumn((short + draw.integers(0, 4, n)).astype(float)),
        "days_since_visit": FactColumn(_some_unknown(draw.uniform(0, 90, n).round(), draw)),
        "response_rate_any_365d": FactColumn(_some_unknown(draw.integers(0, 5, n) / 4, draw)),
        "potential_value": FactColumn(_some_unknown(draw.integers(-5, 6, n).astype(float), draw)),
        "segment": FactColumn(draw.integers(-1, 2, n).astype(float), ("A", "B")),
        "city": FactColumn(draw.integers(-1, 3, n).astype(float), ("Bonn", "Rome", "Ulm")),
    }

    cells = cells_of(playbook, [condition])

    assert cells is not None
    assert set(condition.evaluate(columns)) == set(np.unique(cells.truth(condition)))


def _some_unknown(values, draw):
    return np.where(draw.random(len(values)) < 0.2, np.nan, values)


ASKED = (
    TEXT.replace('segment = ["B", "A"]', 'segment = "text"')
    + policy("gold", "segment = 'Gold' or days_since_visit > 9")
    + policy("best", "city in ('Bern', 'Wien') and segment <> 'Gold'")
)
HELD = (Attribute("segment", ("gold", "silver")), Attribute("city", ("Bern", "Wien")))


def of_nobody(attributes, left_out=None):
    """What `levels_of_nobody` tells of the example with rules on segments and cities."""
    told = levels_of_nobody(parse_playbook(ASKED), attributes, left_out or {})
    return {(each.where, each.says) for each in told if "'A'" not in each.says}


def test_a_level_that_no_account_has_is_told_once_with_what_is_near():
    """A rule that asks for Gold where all are gold never holds, and nothing else would show it."""
    assert of_nobody(HELD) == {
        ("policies.best", "No account has the segment 'Gold', did you mean 'gold'? Also in 'policies.gold'.")
    }
    assert of_nobody((Attribute("segment", ("Gold",)), *HELD[1:])) == set()


def test_a_column_that_rules_cannot_read_is_told_with_the_reason():
    """Not one finding for each level that such a column may have."""
    many = "a text with 512 different values, more than 200"

    told = of_nobody(HELD[:1], {"city": many})

    assert ("policies.best", f"No rule can read city: {many}.") in told
    assert ("policies.best", "No rule can read city: accounts have no such column.") in of_nobody(HELD[:1])


def test_every_code_is_documented():
    """Whoever reads a code in a pipeline looks it up."""
    rows = {line for line in DOCUMENTATION.read_text(encoding="utf-8").splitlines() if line.startswith("| `")}
    codes = [item for kind in CHECK_KINDS.values() for item in kind.codes.items()] + list(MEASURED.items())
    codes += [*OF_ACCOUNTS.items(), *SIMULATED.items()]

    assert rows == {f"| `{code}` | {severity} | {meaning} |" for code, (severity, meaning) in codes}
