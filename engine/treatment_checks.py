"""Checks of limits, treatments and texts: what contradicts itself, what can never be suggested, what is
missing."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator

from engine.findings import Finding, check_kind, listed
from engine.journey import JourneyStage
from engine.playbook import ContactLimit, Playbook, Suppression, Texts, Treatment
from engine.policies import limit_counts
from engine.records import DAY_MICROS
from engine.sentences import LANGUAGES, WORDS
from engine.stage_rules import content_fits, topic_owners

SOON_DAYS = 30
"""An approval that ends within so many days is worth a word."""
LEAST_OPTIONS = 7
"""Treatments that should be there for an account to have a choice."""


@check_kind(
    limit_zero=("warning", "A contact limit of 0: what it counts is never suggested."),
    limit_redundant=("warning", "A contact limit that another one, at least as strict, always meets first."),
)
def contradicting_limits(playbook: Playbook, _: int) -> Iterator[Finding]:
    """Limits against limits."""
    for limit in playbook.contact_limits:
        where = f"contact_limits.{limit.id}"
        if limit.count == 0:
            yield Finding("limit_zero", "warning", where, "Nothing that it counts is ever suggested.",
                          "Raise count, or leave the treatments out.")  # fmt: skip
        stricter = next((o for o in playbook.contact_limits if _stricter(o, limit, playbook)), None)
        if stricter is not None:
            yield Finding("limit_redundant", "warning", where,
                          f"contact_limits.{stricter.id} is always reached first: {stricter.count} in "
                          f"{stricter.days:g} days against {limit.count} in {limit.days:g}.",
                          "Leave it out, or make it stricter than the other.")  # fmt: skip


def _stricter(other: ContactLimit, limit: ContactLimit, playbook: Playbook) -> bool:
    """Whether `other` leaves `limit` nothing to stop. Of two that are the same, the second is told."""
    if other is limit or not _within(limit, other):
        return False
    same = (other.count, other.days) == (limit.count, limit.days) and _within(other, limit)
    order = [each.id for each in playbook.contact_limits]
    if same and order.index(other.id) > order.index(limit.id):
        return False
    return other.count <= limit.count and other.days >= limit.days


def _within(inner: ContactLimit, outer: ContactLimit) -> bool:
    """Whether all that `inner` counts `outer` counts too."""
    return outer.channel in ("*", inner.channel) and outer.group in ("", inner.group)


@check_kind(
    pause_never_starts=("warning", "A pause after contacts that a contact limit never lets happen."),
)
def contradicting_pauses(playbook: Playbook, _: int) -> Iterator[Finding]:
    """Pauses against limits."""
    for pause in playbook.suppressions:
        limit = next((each for each in playbook.contact_limits if _prevents(each, pause)), None)
        if limit is not None:
            yield Finding("pause_never_starts", "warning", f"suppressions.{pause.id}",
                          f"It begins after {pause.count} contacts in {pause.window_days:g} days, and "
                          f"contact_limits.{limit.id} allows {limit.count} in {limit.days:g}.",
                          "Lower its count or raise the limit.")  # fmt: skip


def _prevents(limit: ContactLimit, pause: Suppression) -> bool:
    counted = limit.channel in ("*", pause.channel) and limit.group == ""
    fewer = limit.count < pause.count and limit.days >= pause.window_days
    return pause.track == "contacts" and counted and fewer


@check_kind(
    channel_inbound=("error", "A contact through a channel that only receives."),
    approval_over=("error", "A treatment whose text is not approved any more."),
    validity_over=("warning", "A treatment whose time is over."),
    approval_ends=("warning", "A treatment whose approval ends within 30 days."),
    never_allowed=("error", "A treatment that at_most = 0 or a contact limit of 0 keeps away for ever."),
)
def treatments_that_cannot_be(playbook: Playbook, as_of: int) -> Iterator[Finding]:
    """Treatments that no account can ever be suggested, or soon not any more."""
    inbound = {channel.id for channel in playbook.channels if not channel.outbound}
    for treatment in playbook.treatments[1:]:
        where = f"treatments.{treatment.id}"
        if treatment.kind == "contact" and treatment.channel in inbound:
            yield Finding("channel_inbound", "error", where,
                          f"Its channel {treatment.channel!r} is not outbound.",
                          "Give it an outbound channel.")  # fmt: skip
        yield from _over(treatment, where, as_of)
        closed = [limit.id for limit in playbook.contact_limits
                  if limit.count == 0 and limit_counts(limit, treatment)]  # fmt: skip
        if treatment.at_most == 0 or closed:
            why = "at_most is 0" if not closed else f"contact_limits.{closed[0]} allows 0"
            yield Finding("never_allowed", "error", where, f"It is never suggested: {why}.",
                          "Allow some, or leave it out.")  # fmt: skip


def _over(treatment: Treatment, where: str, as_of: int) -> Iterator[Finding]:
    ends, until = treatment.approved_until, treatment.valid_until
    if ends is not None and ends <= as_of:
        yield Finding("approval_over", "error", where, "The approval of its text has run out.",
                      "Have the text approved again, or leave it out.")  # fmt: skip
    elif ends is not None and ends <= as_of + SOON_DAYS * DAY_MICROS:
        days = (ends - as_of) // DAY_MICROS
        yield Finding("approval_ends", "warning", where, f"The approval of its text ends in {days} days.",
                      "Have the text approved again in time.")  # fmt: skip
    if until is not None and until <= as_of:
        yield Finding("validity_over", "warning", where, "Its time is over (valid_until).", "Leave it out.")


@check_kind(
    no_stage_for_it=("error", "A treatment that fits no stage of the journey: its stages, the owners, the "
                              "content or the tone rule out each."),
    topic_of_others=("error", "A contact on a topic that other roles alone may speak about."),
)  # fmt: skip
def treatments_without_stage(playbook: Playbook, _: int) -> Iterator[Finding]:
    """Treatments that owners or the journey keep away from every account."""
    owners = topic_owners(playbook)
    for treatment in playbook.treatments[1:]:
        where = f"treatments.{treatment.id}"
        if treatment.kind != "contact":
            continue
        if treatment.role not in owners.get(treatment.topic, (treatment.role,)):
            yield Finding("topic_of_others", "error", where,
                          f"Only {listed(owners[treatment.topic])} may speak about {treatment.topic!r}.",
                          "Give it to one of these roles, or change the topic's owners.")  # fmt: skip
        stages = playbook.journey.stages
        if stages and not any(_open(stage, treatment, playbook, owners) for stage in stages):
            yield Finding("no_stage_for_it", "error", where, "It fits no stage of the journey.",
                          "Compare its stages, role, content and tone with the journey.")  # fmt: skip


def _open(
    stage: JourneyStage, treatment: Treatment, playbook: Playbook, owners: dict[str, tuple[str, ...]]
) -> bool:
    strict = playbook.journey.owner_rule == "strict" and treatment.topic not in owners
    return (
        (not treatment.stages or stage.id in treatment.stages)
        and (not strict or treatment.role in stage.roles)
        and content_fits(stage, treatment)
    )


@check_kind(stops_nothing=("warning", "A stop that ends no contact of the playbook."))
def idle_stops(playbook: Playbook, _: int) -> Iterator[Finding]:
    """Stops against contacts."""
    sent = {(t.channel, t.purpose) for t in playbook.treatments if t.kind == "contact"}
    for treatment in playbook.treatments:
        if treatment.kind == "stop" and not sent & set(treatment.stops):
            yield Finding("stops_nothing", "warning", f"treatments.{treatment.id}.stops",
                          "No contact goes through such a channel for such a purpose: it saves nothing.",
                          "Name channels and purposes of contacts, or leave it out.")  # fmt: skip


@check_kind(
    few_options=("note", "Fewer than 7 treatments: an account has little choice."),
    channel_unused=("note", "An outbound channel that no treatment uses."),
)
def options(playbook: Playbook, _: int) -> Iterator[Finding]:
    """How much there is to choose from."""
    contacts = [treatment for treatment in playbook.treatments if treatment.kind == "contact"]
    if len(contacts) < LEAST_OPTIONS:
        yield Finding("few_options", "note", "treatments",
                      f"There are {len(contacts)} contacts to choose from; have {LEAST_OPTIONS} or more.",
                      "Add treatments, so that every account has some that fit.")  # fmt: skip
    used = {treatment.channel for treatment in contacts}
    for channel in playbook.channels:
        if channel.outbound and channel.id not in used:
            yield Finding("channel_unused", "note", f"channels.{channel.id}", "No treatment uses it.",
                          "Add a treatment, or leave the channel out.")  # fmt: skip


@check_kind(
    language_without_sentences=("warning", "A language in which reasons and objections have no sentences."),
    text_repeated=("warning", "A text that is the same in two languages: probably not translated."),
    text_placeholders=("warning", "A text that fills in something else than in another language."),
    trigger_without_words=("warning", "A text with {trigger} on a topic that has no triggers."),
)
def texts(playbook: Playbook, _: int) -> Iterator[Finding]:
    """Texts by language."""
    for language in playbook.languages:
        if language not in LANGUAGES:
            yield Finding("language_without_sentences", "warning", "languages",
                          f"Reasons have no sentences in {language!r} and are shown in English.",
                          "Add the language to the sentences of the engine.")  # fmt: skip
    triggers = {topic.id for topic in playbook.topics if topic.triggers}
    for treatment in playbook.treatments[1:]:
        where = f"treatments.{treatment.id}.text"
        yield from _compared(treatment, where)
        if "trigger" in _filled_in(treatment.text) and treatment.topic not in triggers:
            yield Finding("trigger_without_words", "warning", where,
                          f"It has {{trigger}}, and the topic {treatment.topic!r} has no triggers.",
                          "Add topics.ID.triggers, or take {trigger} out.")  # fmt: skip


def _compared(treatment: Treatment, where: str) -> Iterator[Finding]:
    by_text: dict[str, list[str]] = {}
    for language, text in treatment.text.items():
        by_text.setdefault(text.strip(), []).append(language)
    for text, languages in by_text.items():
        if len(languages) > 1 and any(letter.isalpha() for letter in text):
            yield Finding("text_repeated", "warning", where, f"It is the same in {listed(languages)}.",
                          "Translate it.")  # fmt: skip
    named = {language: "{name}" in text or "{trigger}" in text for language, text in treatment.text.items()}
    if len(set(named.values())) > 1:
        without = [language for language, has in named.items() if not has]
        yield Finding("text_placeholders", "warning", where,
                      f"In {listed(without)} it does not say whom it is about, in other languages it does.",
                      "Write {name} in every language.")  # fmt: skip


def _filled_in(said: Texts) -> set[str]:
    return {name for text in said.values() for _, name, _, _ in string.Formatter().parse(text) if name}


@check_kind(
    column_unnamed=("warning", "A column that people are shown under the name that it has in the data.")
)
def columns_without_name(playbook: Playbook, _: int) -> Iterator[Finding]:
    """Columns that the playbook declares."""
    yield from unnamed_columns(playbook, (attribute.name for attribute in playbook.attributes))


def unnamed_columns(playbook: Playbook, columns: Iterable[str]) -> Iterator[Finding]:
    """Those of the columns that lack a language of the playbook. Their names in the data pass for English."""
    for column in columns:
        has = playbook.columns.get(column) or WORDS.get(f"column_{column}", {})
        missing = [language for language in playbook.languages if language not in {*has, "en"}]
        if missing:
            yield Finding("column_unnamed", "warning", f"columns.{column}",
                          f"In {listed(missing)} it is shown under the name that it has in the data.",
                          "Say in [columns] what people call it.")  # fmt: skip
