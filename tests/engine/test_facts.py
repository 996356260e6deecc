"""Names and types of facts follow from one registry."""

import pytest

from engine.facts import (
    SCOPES,
    STATISTICS,
    TREATMENT_FACTS,
    Attribute,
    FactError,
    FactSource,
    account_names,
    channel_names,
    definitions,
    fact_name,
    fact_sources,
    fact_types,
    message_names,
    topic_names,
    treatment_names,
)

CHANNELS = ("email", "visit")
TOPICS = ("dosing", "side_effects")
ATTRIBUTES = (Attribute("segment", ("A", "B")), Attribute("potential_value"))


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda s: s.name)
def test_every_statistic_has_a_column_a_type_and_a_meaning(statistic):
    """What is added to the registry must reach the models and the rules without a second entry."""
    columns = [d for group in SCOPES for d in definitions(group) if d.statistic == statistic.name]
    types = fact_types(CHANNELS, TOPICS, ATTRIBUTES)

    assert len(columns) == max(1, len(statistic.groups)) * max(1, len(statistic.windows_days))
    assert all(types[column.name].levels is None for column in columns)
    assert statistic.meaning.endswith(".")
    assert statistic.unit in {"count", "days", "share", "currency"}


def test_names_are_derived_from_statistic_scope_and_window():
    """People write these names in rules by hand."""
    names = fact_types(CHANNELS, TOPICS, ATTRIBUTES)

    assert {
        "outbound_visit_30d", "inbound_any_7d", "days_since_visit", "days_since_inbound_side_effects",
        "days_until_visit", "responses_email_90d", "response_rate_same_topic_365d", "outcomes_30d",
        "outcome_value_365d", "days_since_outcome", "optouts_365d", "planned_any", "segment", "channel",
    } <= set(names)  # fmt: skip
    assert not {"inbound_same_treatment_7d", "days_until_same_treatment", "responses_visit_7d"} & set(names)
    assert fact_name("outbound", "visit", 30) == "outbound_visit_30d"
    assert fact_name("days_since_outcome", "", None) == "days_since_outcome"


def test_every_model_column_is_also_a_fact_or_a_treatment_column():
    """A rule and a model must mean the same by the same name."""
    sources = fact_sources(CHANNELS, TOPICS, ATTRIBUTES)
    columns = account_names(ATTRIBUTES) + channel_names() + topic_names() + message_names()

    assert set(columns) <= set(sources)
    assert len(set(columns)) == len(columns)
    assert treatment_names() == tuple(TREATMENT_FACTS.values())


def test_a_fact_says_in_which_group_and_for_which_member_it_stands():
    """The feature path looks facts up by this."""
    sources = fact_sources(CHANNELS, TOPICS, ATTRIBUTES)

    assert sources["outbound_visit_30d"] == FactSource("channel", "outbound_same_channel_30d", "visit")
    assert sources["days_since_dosing"] == FactSource("topic", "days_since_same_topic", "dosing")
    assert sources["days_since_same_topic"] == FactSource("topic", "days_since_same_topic")
    assert sources["outbound_any_7d"] == FactSource("account", "outbound_any_7d")
    assert sources["segment"] == FactSource("account", "segment")
    assert sources["action_group"] == FactSource("treatment", "treatment_action_group")


def test_texts_of_a_candidate_know_the_blank_of_no_contact():
    """A treatment without a topic is known to have none; an unknown topic would let every rule apply."""
    types = fact_types(CHANNELS, TOPICS, ATTRIBUTES, taxonomy={"role": ("manager",)})

    assert types["topic"].levels == ("", *TOPICS)
    assert types["role"].levels == ("", "manager")
    assert types["issue"].levels == ()
    assert types["cost"].levels is None
    assert types["segment"].levels == ("A", "B")
    assert types["potential_value"].levels is None


@pytest.mark.parametrize(
    ("channels", "topics", "attributes", "named"),
    [
        (("news",), ("news",), (), "one of channel 'news' and one of topic 'news'"),
        (("any",), (), (), "a built-in one and one of channel 'any'"),
        ((), ("same_topic",), (), "a built-in one and one of topic 'same_topic'"),
        (("visit", "inbound_visit"), (), (), "'inbound_visit'"),
        ((), (), (Attribute("outbound_any_7d"),), "the column 'outbound_any_7d'"),
        ((), (), (Attribute("channel", ()),), "'channel' would mean two things"),
    ],
)
def test_two_facts_with_one_name_are_refused(channels, topics, attributes, named):
    """A rule that reads one of two facts at random cannot be trusted."""
    with pytest.raises(FactError) as error:
        fact_types(channels, topics, attributes)

    assert named in str(error.value)
    assert "\n" not in str(error.value)
