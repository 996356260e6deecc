"""The settings of a playbook: what may stand in its file, what each means, and what is assumed without it.

One place to add a setting: an entry of `SECTIONS`. Reading, checking and the documentation follow it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from engine.contract import WEEKDAYS

REQUIRED: Final = object()
"""Stands where a setting has no default."""


@dataclass(frozen=True)
class Setting:
    """One setting of a section.

    Attributes:
        name: As it stands in the file.
        kind: Key of `KINDS`: what its value is.
        meaning: One line for the documentation, with its unit.
        default: Used where the playbook says nothing; REQUIRED = it must be there.
        minimum, maximum: Bounds of a number, both allowed.
        choices: The only texts allowed; () = any.
        refers: Section whose ids are the only texts allowed ("groups": those of all issues); "" = any text.
        also: Texts allowed besides.
    """

    name: str
    kind: str
    meaning: str
    default: Any = REQUIRED
    minimum: float = -math.inf
    maximum: float = math.inf
    choices: tuple[str, ...] = ()
    refers: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """Settings that stand together. `name` "" = the top of the file; else one table per id beneath it, or
    where it is `single` the table of that name itself, which is read under the id "". With `any_id` the ids
    are names from the data, which may be written in any way."""

    name: str
    meaning: str
    settings: tuple[Setting, ...]
    required: bool = False
    single: bool = False
    any_id: bool = False


LEAST_DAYS = 1 / 1440
"""A minute: least of whatever is given in days and cannot be none."""


def _amount(name: str, meaning: str, default: Any = REQUIRED) -> Setting:
    return Setting(name, "number", meaning, default, minimum=0)


def _days(name: str, meaning: str, default: Any = REQUIRED) -> Setting:
    return Setting(name, "number", meaning, default, minimum=LEAST_DAYS)


def _share(name: str, meaning: str, default: Any = REQUIRED) -> Setting:
    return Setting(name, "number", meaning, default, minimum=0, maximum=1)


def _valid(what: str) -> tuple[Setting, Setting]:
    return (
        Setting("valid_from", "start", f"First day (UTC) or moment on which {what}; else always.", None),
        Setting("valid_until", "moment", f"Last day (UTC) or moment on which {what}; else no end.", None),
    )


def _repeats(what: str) -> tuple[Setting, Setting]:
    return (
        _days("repeat_after_days", f"Days after which {what} may be done again; else at once.", None),
        Setting("at_most", "whole", f"How often {what} may be done ever; else no end.", None, minimum=1),
    )


_FOR = Setting(
    "for", "scopes",
    "Short form of applies: level:id or a list of them, such as issue:access; the levels are issue, group,"
    " action, treatment, channel, topic, role.", (),
)  # fmt: skip
SECTIONS: tuple[Section, ...] = (
    Section("", "What holds for the whole playbook.", (
        Setting("id", "id", "Name of the playbook."),
        Setting("title", "texts", "What people call it; else its id.", {}),
        Setting("currency", "currency", "ISO 4217 code of every amount in the playbook."),
        Setting("languages", "languages", "ISO 639-1 codes; every text is needed in each of them."),
        Setting("default_timezone", "text",
                "IANA time zone of accounts that have none; empty = no outbound contact to them.", ""),
        _days("horizon_days", "Days after a decision within which outcomes count as caused by it.", 60.0),
        Setting("outcomes", "amounts", "Kind of outcome -> what one unit of its value is worth."),
        Setting("attributes", "attributes",
                "Columns of accounts that rules may name -> number, flag, text or a list of texts.", {}),
        Setting("levers", "levers",
                "Percent added to the priority of an issue, a group or an action; they are added up.", {}),
        Setting("priority", "text", "value = caused value in money; leaders = propensity x value x weight.",
                "value", choices=("value", "leaders")),
        Setting("places", "whole", "Suggestions that an account has at most.", 3, minimum=1),
        Setting("per_person_per_day", "whole", "Suggestions on a person's list at most.", 10, minimum=1),
        Setting("exploration_share", "number",
                "Share of accounts a day that get an eligible treatment drawn at random, so that"
                " effects can be learned; at most 0.5.", 0.02, minimum=0, maximum=0.5),
        Setting("exploration", "text", "uniform = only that share is drawn at random; thompson = the others"
                " take what draws of the uncertain effects put first, as often as they do.", "uniform",
                choices=("uniform", "thompson")),
        Setting("posterior_draws", "whole", "With thompson: draws for each decision, at most 1000; their"
                " counts are the probabilities.", 64, minimum=1, maximum=1000),
        _amount("starting_uncertainty",
                "Standard error of a starting value, as a share of it; no unit.", 1.0),
        _amount("optout_loss", "What an opt-out loses, in currency.", 0.0),
        _share("followed_floor", "Least P(followed) that is reckoned with.", 0.05),
        Setting("salt", "text",
                "Any text; with a unit's id it draws the arm of a standing test; another salt, another test.",
                "nextbest"),
        Setting("web_behaviour_needs_consent", "flag",
                "Whether visits to the website are used only with a permission of their own.", True),
        Setting("stage_owner", "text", "strict = only the owners of an account's stage are given suggestions"
                " for it; prefer = what is for others counts less.", "strict",
                choices=("strict", "prefer")),
        _share("other_owner_weight", "With prefer: what the priority of others is multiplied by.", 0.5),
        Setting("safety_role", "text", "Role to which reported side effects go at once; empty = none.", "",
                refers="roles"),
        Setting("undo_seconds", "number", "Seconds for which people may take back what they did, where"
                " nothing has gone out; 0 = they may not.", 120.0, minimum=0, maximum=3600),
        Setting("own_override", "flag", "Whether colleagues who say why may suggest themselves what an"
                " engagement policy removes; consent, caps and approvals bind in any case.", False),
        *_valid("the playbook contacts anybody"),
        Setting("topic_held_days", "number",
                "Days after a person's contact, or while one is planned, in which automated messages on its"
                " topic are held back; 0 = they are not.", 0.0, minimum=0),
        _days("medical_question_days",
              "Days for which a question on a medical topic stays open until somebody answers it.", 30.0),
    )),
    Section("channels", "A way to an account.", (
        Setting("name", "texts", "What people call it."),
        _amount("cost", "Cost of one contact, in currency.", 0.0),
        _amount("minutes", "Minutes of a person's time for one contact.", 0.0),
        Setting("outbound", "flag", "Whether we can use it; a website is only visited.", True),
        Setting("automated", "flag", "Whether the system dispatches it, without a person.", False),
        Setting("needs_opt_in", "flag",
                "Whether contact needs a recorded permission; otherwise only an opt-out forbids it.", False),
        _share("fatigue", "Added probability of an opt-out by one more contact; a starting value.", 0.0),
        Setting("quiet_hours", "hours",
                "When nothing goes out, in the account's local time; may span midnight.", None),
        Setting("working_days", "flag", "Whether it is used on working days of the account's country alone.",
                False),
    ), required=True),
    Section("roles", "Who acts.", (
        Setting("name", "texts", "What people call it."),
        Setting("side", "text", "Keeps medical and commercial apart.",
                choices=("commercial", "medical", "both")),
        Setting("sees", "list", "Roles whose suggestions it may read.", refers="roles"),
        Setting("system", "flag", "Whether it is the system and not a person.", False),
        _share("followed", "Probability that a suggestion to it is followed; a starting value.", 1.0),
    ), required=True),
    Section("topics", "What a message is about.", (
        Setting("name", "texts", "What people call it."),
        Setting("owners", "list", "Teams and roles that alone may speak about it, whatever the stage;"
                " empty = the owners of the stage.", (), refers="owners"),
        Setting("safety", "flag", "Whether what an account says about it is a safety report: it goes to the"
                " safety role and is no signal for anybody else.", False),
        Setting("triggers", "by_channel", "Channel -> what the account did about it there; {name} and"
                " {when} are filled in. A channel without one gets a general sentence.", {}),
        Setting("side", "text", "Which roles may speak about it: commercial, medical or both.", "both",
                choices=("commercial", "medical", "both")),
        Setting("concerns", "list", "Of a medical topic: other topics on which commercial roles keep silent"
                " while a question on it is open.", (), refers="topics"),
    )),
    Section("issues", "The upper level of the taxonomy of actions.", (
        Setting("groups", "ids", "The lower level: groups of actions within the issue."),
        _days("horizon_days", "Days within which its outcomes count; else the playbook's.", None),
    ), required=True),
    Section("treatments", "An action through a channel with a message: what a decision chooses.", (
        Setting("kind", "text", "contact, or stop = ends a kind of contact.", "contact",
                choices=("contact", "stop")),
        Setting("channel", "text", "Channel of the contact; of a stop, the one that is stopped.",
                refers="channels"),
        Setting("role", "text", "Who carries it out; of a stop, who confirms it.", refers="roles"),
        Setting("issue", "text", "Upper level of the taxonomy.", refers="issues"),
        Setting("group", "text", "Lower level of the taxonomy; a group of the issue.", refers="groups"),
        Setting("action", "id", "What is done; the same action may go through several channels."),
        Setting("topic", "text", "What it is about; empty = nothing in particular.", "", refers="topics"),
        Setting("purpose", "text", "Which permission it needs.", "marketing",
                choices=("marketing", "service")),
        _amount("value", "Of a positive outcome; of a stop what it saves. In currency, a starting value."),
        _share("starting_uplift",
               "Added probability of that outcome, a starting value. Stops: 1.", None),
        _amount("cost", "Cost of one, in currency; else that of the channel.", None),
        _amount("minutes", "Minutes of a person's time; else those of the channel.", None),
        _days("validity_days", "Days for which a suggestion of it stays posted.", 7.0),
        Setting("approval", "text", "Number of the approved text; empty = none needed.", ""),
        Setting("approved_until", "moment",
                "Last day (UTC) or moment (with offset) on which the text may be used; else no end.", None),
        *_valid("it may be suggested"),
        *_repeats("this treatment"),
        _amount("price", "Price that it offers, in currency; never below a quote that is open.", None),
        Setting("product", "text", "Product that it offers, as the table offers names it; empty = any.", ""),
        Setting("text", "template", "What the suggestion says; {name}, {when} and {trigger} are filled in."),
        Setting("note", "texts", "Small print beneath the suggestion.", {}),
        Setting("subject", "message", "Subject of the message.", {}),
        Setting("message", "message", "Text ready to send to the account, in its own language; {name} and"
                " {sender} are filled in.", {}),
        Setting("stops", "stops", "Of a stop: what it ends, such as [\"email:marketing\"]; * = all channels.",
                ()),
        _days("days", "Of a stop: the account rests for so many days; else until it is taken back.", None),
        Setting("stages", "list", "Stages of the journey that it is meant for; empty = all.", (),
                refers="journey"),
        Setting("content", "id", "What kind of content it is, such as educational, case_study, demo, price;"
                " empty = fits every stage.", ""),
        Setting("tone", "id", "How it speaks, such as inspiring or factual; empty = fits every stage.", ""),
    ), required=True),
    Section("actions", "What is done, through whatever channel: how often it may be repeated.", (
        *_repeats("this action"),
    )),
    Section("calendars", "Working days and holidays by country, and default for others.", (
        Setting("working_days", "list", "Days of the week on which people work.",
                ("monday", "tuesday", "wednesday", "thursday", "friday"), choices=WEEKDAYS),
        Setting("holidays", "days", "Days on which they do not.", ()),
    )),
    Section("policies", "Where `applies` holds, `when` must hold, or it is not suggested.", (
        Setting("stage", "text", "eligibility = may we ever, applicability = relevant now, suitability = in"
                " the customer's interest.", choices=("eligibility", "applicability", "suitability")),
        _FOR,
        Setting("applies", "condition", "Which candidates it is about; else all.", None),
        Setting("when", "condition", "What must hold for them; unknown does not."),
        Setting("text", "texts", "Why a candidate was removed, for people."),
    )),
    Section("contact_limits", "At most so many contacts by us within some days, planned ones included.", (
        Setting("channel", "text", "The channel; * = over all channels.", refers="channels", also=("*",)),
        Setting("group", "text", "Only contacts of this group; empty = all.", "", refers="groups"),
        Setting("count", "whole", "Contacts at most.", minimum=0),
        _days("days", "Length of the period in days."),
    )),
    Section("suppressions", "A pause after something has happened too often.", (
        Setting("track", "text", "What is counted.",
                choices=("contacts", "impressions", "clicks", "replies", "attendances", "acceptances",
                         "rejections", "dismissals", "opt_outs")),
        Setting("scope", "text", "What is counted and paused, one by one.",
                choices=("treatment", "action", "group", "topic", "channel")),
        Setting("count", "whole", "How often starts the pause.", minimum=1),
        _days("window_days", "Days within which it is counted."),
        _days("suppress_days", "Length of the pause in days."),
        Setting("channel", "text", "Only this channel; * = all.", "*", refers="channels", also=("*",)),
    )),
    Section("equivalents", "Contacts that are the same to the account, whichever role makes them.", (
        Setting("actions", "list", "Of these actions; else of all.", ()),
        Setting("channels", "list", "Through these channels; else through all.", (), refers="channels"),
        _days("days", "Days within which a second role does not do the same."),
        Setting("same_topic", "flag", "Whether only contacts on the same topic are the same.", True),
    )),
    Section("context_weights", "Where the condition holds, the priority is multiplied.", (
        _FOR,
        Setting("applies", "condition", "Which candidates it is about; else all.", None),
        Setting("when", "condition", "When it holds."),
        _amount("weight", "The factor; no unit."),
    )),
    Section("teams", "Roles that own stages of the journey together.", (
        Setting("name", "texts", "What people call it."),
        Setting("roles", "list", "Its roles; a role may be in several teams.", refers="roles"),
    )),
    Section("journey", "A stage of the funnel. An account is in the furthest stage whose condition holds.", (
        Setting("name", "texts", "What people call it."),
        Setting("position", "whole", "Its place in the funnel, 1 = first.", minimum=1),
        Setting("owners", "list", "Teams and roles that own it, the leading one first.", refers="owners"),
        Setting("when", "condition", "What must hold of the account; the first stage may hold for all.",
                None),
        Setting("content", "ids", "Kinds of content that fit it; empty = all.", ()),
        Setting("tones", "ids", "Tones that fit it; empty = all.", ()),
    )),
    Section("hand_overs", "When an account is handed over to another role without anybody asking.", (
        Setting("qualified_when", "condition", "What must hold of the account."),
        Setting("by", "text", "Role in whose name it is handed over; rejected, it returns there.",
                refers="roles"),
        Setting("to", "text", "Role that gets it.", refers="roles"),
        _days("again_days", "Days within which it is not handed over again by this rule.", 90.0),
        Setting("text", "texts", "What qualified it, for people."),
    )),
    Section("service_levels", "How soon a role acts on what it is handed; the id is the role's.", (
        Setting("hours", "number", "Hours of working time.", minimum=1 / 60, maximum=10_000),
        Setting("days", "list", "Working days.", WEEKDAYS[:5], choices=WEEKDAYS),
        Setting("from_hour", "number", "Hour at which a working day begins, local time.", 9.0, minimum=0,
                maximum=24),
        Setting("until_hour", "number", "Hour at which it ends; 0 to 24 on all days = by the clock.", 17.0,
                minimum=0, maximum=24),
    )),
    Section("plan", "The plan of people's days; made every night where this table stands.", (
        Setting("on", "flag", "Whether it is made.", True),
        Setting("horizon_days", "whole", "Days that are planned, days off among them.", 7, minimum=1,
                maximum=28),
        Setting("minutes_per_day", "number", "Minutes of customer time on a working day (calendars.default)"
                " of somebody whose own are not given.", 360.0, minimum=0, maximum=1440),
        Setting("spacing_days", "whole", "Days from one personal contact of an account to the next at least;"
                " 1 = not twice on a day.", 2, minimum=1, maximum=28),
        Setting("per_account", "whole",
                "Personal contacts of an account in one plan at most, over all roles.", 2, minimum=1),
        Setting("nearby_km", "number", "Contacts of a person that are no farther from each other come on the"
                " same day where it costs no other contact.", 2.0, minimum=0),
    ), single=True),
    Section("quotas", "At most so many contacts through a channel in one plan, over all accounts.", (
        Setting("channel", "text", "The channel.", refers="channels"),
        Setting("count", "whole", "Contacts at most.", minimum=0),
    )),
    Section("minimums", "A contact that is due: where the condition holds it is planned even where others"
            " would earn more.", (
        _FOR,
        Setting("applies", "condition", "Which candidates meet it; else all.", None),
        Setting("when", "condition", "When an account is due."),
        _amount("worth", "What meeting it is worth, in currency; else it is kept before everything else.",
                None),
    )),
    Section("feedback", "What a dismissal does; the id is its reason.", (
        _days("cool_down_days", "Days for which what was dismissed is kept away; else as listed below.",
              None),
        Setting("scope", "text", "What is kept away from the account: the treatment alone, or all treatments"
                " of the same role on its topic or through its channel; else as listed below.", None,
                choices=("treatment", "topic", "channel")),
        Setting("correction", "flag", "Whether the account's data goes to the list of corrections; else as"
                " listed below.", None),
        Setting("suspend_after", "whole", "For so many accounts dismissed, the treatment is stopped for"
                " everybody, to be reviewed; else as listed below.", None, minimum=1),
    )),
    Section("answers", "The shared collection of answers to what is heard in the field.", (
        Setting("topic", "text", "On which it is given; empty = on any.", "", refers="topics"),
        Setting("objection", "text", "What kind of objection it answers; empty = questions on the topic.",
                "", choices=("price", "timing", "features", "fit", "other")),
        Setting("owner", "text", "Role that keeps it true.", refers="roles"),
        Setting("text", "texts", "The answer."),
    )),
    Section("twins", "Similar accounts that buy much more; looked for every night where this table stands.", (
        Setting("on", "flag", "Whether they are looked for.", True),
        Setting("traits", "list", "Attributes that say which accounts are alike; empty = all.", ()),
        Setting("without", "list", "Attributes that are not used: how the account is served, and whatever"
                " follows from what it buys.", ("territory", "automated", "latitude", "longitude")),
        Setting("outcomes", "list", "Kinds of outcomes that count as purchases; empty = all that are worth"
                " something.", ()),
        Setting("neighbours", "whole", "How many of the most similar accounts are looked at.", 80,
                minimum=10, maximum=1000),
        Setting("alike", "number", "An account is similar when it is nearer than all but this share of"
                " random pairs.", 0.25, minimum=0.0001, maximum=1),
        Setting("upper_share", "number", "Share of the similar accounts, those that buy most, that are the"
                " twins.", 0.25, minimum=0.01, maximum=0.5),
        Setting("much", "number", "How many times as much as the account its twins must surely buy.", 1.1,
                minimum=1),
        Setting("least_twins", "whole", "With fewer twins nothing is claimed.", 10, minimum=5),
        Setting("window_days", "number", "Days in which purchases are compared.", 365.0, minimum=28),
        _amount("minimum_value", "Smaller differences are not claimed; in currency a year.", 0.0),
        Setting("error_rate", "number", "Share of claims that is accepted to be wrong.",
                0.05, minimum=0.0001, maximum=0.5),
        Setting("steps", "text", "What the contacts of an approach are told apart by.", "channel",
                choices=("channel", "group")),
        _days("sequence_days", "Days from the first to the last contact of an approach at most.", 90.0),
        _days("success_days", "Days after its last contact within which a larger purchase is its success.",
              60.0),
        _days("lookback_days", "Days for which approaches are looked for.", 730.0),
        Setting("growth", "number", "A purchase is a larger one when it is worth so many times the largest of"
                " the year before.", 1.5, minimum=1),
        Setting("least_tries", "whole", "An approach tried on fewer similar accounts is not told of.", 5,
                minimum=1),
    ), single=True),
    Section("experiment", "A standing test: a share of units is decided in another way, to compare.", (
        Setting("on", "flag", "Whether it runs.", True),
        Setting("starts", "start", "First day (UTC) or moment; earlier decisions are no part of it."),
        Setting("unit", "text", "What is assigned as a whole; people's accounts share their hours.",
                "account", choices=("account", "person", "territory")),
        Setting("role", "text", "With unit = person: the role whose person has the account.", "",
                refers="roles"),
        Setting("arms", "list", "Arms with their shares of the units, such as control:0.1; the rest is the"
                " engine's. While a test runs, arms are added at the end only."),
        Setting("always", "list", "Policies that also hold in the arm eligibility_only.", (),
                refers="policies"),
        Setting("weeks", "whole", "Weeks after which it is read; it stays.", 12, minimum=1, maximum=520),
    ), single=True),
    Section("gate", "What a new release must keep to be put in use; see how the engine learns.", (
        _share("tolerance", "How much less than the release in use it may earn at the lower bound of the 95 %"
               " interval, as a share of what that earns.", 0.05),
        _share("calibration", "Least share of the gain it expects that must be able to come: the upper bound"
               " of what came over what was expected of its own choices.", 0.5),
        _share("coverage", "Least share of the decisions with a contact that may be made in which it has"
               " learned of one and such accounts have had it.", 0.5),
        Setting("volume_factor", "number", "How many times as many, or as few, contacts of a channel as the"
                " release in use it may choose.", 3.0, minimum=1),
        _share("volume_least", "Changes of a channel below this share of all decisions are not looked at.",
               0.1),
        Setting("drift", "number", "Population stability index above which a feature has drifted; no unit.",
                0.25, minimum=0),
        _share("drifted_most", "Share of the features that may have drifted since what was learned from.",
               0.5),
    ), single=True),
    Section("fairness", "How alike the categories of an attribute must be contacted; the id is an issue's, or"
            " any = all issues together.", (
        Setting("attributes", "list", "Attributes that are looked at; empty = all with categories.", ()),
        Setting("low", "number", "Least rate of a category over that of all.", 0.8, minimum=0, maximum=1),
        Setting("high", "number", "Highest rate of a category over that of all.", 1.25, minimum=1),
        Setting("outside", "text", "Beyond that: warn = the report says so, fail = the release does not"
                " pass.", "warn", choices=("warn", "fail")),
    )),
    Section("learning", "What is learned from.", (
        Setting("refuse", "list", "Attributes of accounts that are never features, such as those that are"
                " known only after the outcome.", ()),
        Setting("immature", "text", "Occasions whose outcomes are not all known yet: leave_out, or weight ="
                " what came of them so far counts, by the inverse of the share of occasions that are old"
                " enough to show it.", "leave_out", choices=("leave_out", "weight")),
    ), single=True),
    Section("columns", "What people call a column of your accounts, or a field of your forms; the id is its"
            " name in the data.", (
        Setting("name", "texts", "What people call it; else its name in the data.", {}),
        Setting("values", "named_texts", "Value -> what people call it; a value without one is shown as it"
                " stands.", {}),
    ), any_id=True),
)  # fmt: skip
