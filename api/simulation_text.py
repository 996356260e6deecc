"""What a simulation tells a person: the new playbook's figures beside the old one's, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.simulation_figures import BY

_MOST_NAMES = 12
_HEADS = {"treatment": "by treatment", "channel": "by channel", "role": "by role", "stage": "by stage",
          "segment": "by segment"}  # fmt: skip


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Of `api.simulation_figures.figures`."""
    new, old = told["new"], told["old"]
    yield f"{new['playbook']} {new['version']} on {new['accounts']:,} accounts as of {told['as_of']}"
    yield f"  release         {told['release']}"
    if old is not None:
        yield f"  against         {old['playbook']} {old['version']}"
    yield _line("suggestions", new, old, "suggestions", "{:,}")
    yield _line("no action", new, old, "no_action_ratio", "{:.1%}")
    yield _line("options each", new, old, "optionality", "{:.1f}")
    for by in BY:
        yield from _volume(by, new, old)
    yield from _load(new, old)
    yield from _planned(new["planned"], old)
    yield from _value(told)
    yield from _fairness(new["fairness"])
    for found in told["findings"]:
        yield f"{found['severity']:<8}{found['where']}: {found['says']}"
        yield f"        {found['do']} [{found['code']}]"


def _line(name: str, new: Mapping[str, Any], old: Mapping[str, Any] | None, key: str, form: str) -> str:
    before = "" if old is None else f" (before {form.format(old[key])})"
    return f"  {name:<16}{form.format(new[key])}{before}"


def _volume(by: str, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Iterator[str]:
    counts = new["volume"][by]
    before = {} if old is None else old["volume"][by]
    names = [*counts, *(name for name in before if name not in counts)]
    for place, name in enumerate(names[:_MOST_NAMES]):
        count, was = counts.get(name, 0), before.get(name, 0)
        change = "" if old is None else f" (before {was:,}{_percent(count, was)})"
        yield f"  {_HEADS[by] if place == 0 else '':<16}{name:<28}{count:>10,}{change}"
    if len(names) > _MOST_NAMES:
        yield f"  {'':<16}and {len(names) - _MOST_NAMES} more"


def _percent(count: int, was: int) -> str:
    return f", {count / was - 1:+.0%}" if was else ""


def _load(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Iterator[str]:
    before = {} if old is None else {row["role"]: row for row in old["load"]}
    for row in new["load"]:
        week = row["week_minutes_median"]
        has = "no calendar is known" if week is None else f"a week has {week:,.0f}"
        was = before.get(row["role"])
        earlier = "" if was is None else f" (before {was['minutes_median']:,.0f})"
        yield (
            f"  load            {row['role']:<28}{row['people']:,} people, {row['suggestions_median']:,.0f} "
            f"suggestions and {row['minutes_median']:,.0f} minutes each{earlier}, most "
            f"{row['minutes_most']:,.0f}; {has}; {row['over_a_week']:,} over it"
        )


def _planned(rows: Sequence[Mapping[str, Any]] | None, old: Mapping[str, Any] | None) -> Iterator[str]:
    before = {} if old is None else {row["role"]: row for row in old["planned"] or ()}
    for row in rows or ():
        was = before.get(row["role"])
        earlier = "" if was is None else f" (before {was['planned_minutes']:,} with {was['contacts']:,})"
        yield (
            f"  after the plan  {row['role']:<28}{row['planned_minutes']:,} of {row['minutes']:,} minutes "
            f"with {row['contacts']:,} contacts{earlier}, most {row['minutes_most']:,} for one"
        )


def _value(told: Mapping[str, Any]) -> Iterator[str]:
    new, old, currency = told["new"], told["old"], told["currency"]
    expected = new["expected_value"]
    before = "" if old is None else f" (before {old['expected_value']['of_first_places']:,.0f})"
    yield (
        f"  value expected  {expected['of_first_places']:,.0f} {currency}{before} from all first places, "
        f"{expected['per_account']:,.2f} an account; by the model, whose error has no interval"
    )
    logged = told["off_policy"]
    if logged is None:
        yield "  value estimated nothing was logged with probabilities long enough ago"
        return
    earned, decisions = logged["logged"], logged["decisions"]
    yield f"  value earned    {earned:,.2f} {currency} a decision, on {decisions:,} that were logged"
    for name, side in (("new", logged["new"]), ("old", logged["old"])):
        if side is not None:
            beside = f", SNIPS {_between(side['snips'])}" if logged["estimator"] != "SNIPS" else ""
            yield (
                f"  value estimated {name}: {_between(side)} {logged['estimator']}{beside}; "
                f"{side['verdict']}: {side['because']}"
            )
    if logged["difference"] is not None:
        yield f"  value estimated new - old: {_between(logged['difference'])}"


def _between(interval: Mapping[str, Any]) -> str:
    if interval["low"] is None:
        return "not known"
    return f"{interval['estimate']:,.2f} ({interval['low']:,.2f} to {interval['high']:,.2f})"


def _fairness(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The widest; what lies outside the bounds is told as a warning besides."""
    if not rows:
        yield "  fairness        too few contacts to compare groups of accounts"
        return
    ratios = [row for row in rows if "ratio" in row]
    for end, word in ((min, "least"), (max, "most")):
        if ratios:
            row = end(ratios, key=lambda row: row["ratio"])
            yield (
                f"  fairness        {word} contacted, against all: {row['ratio']:.2f} "
                f"({row['attribute']} = {row['level']}, issue {row['issue']})"
            )
    ginis = [row for row in rows if "gini" in row]
    if ginis:
        row = max(ginis, key=lambda row: abs(row["gini"]))
        yield (
            f"  fairness        widest Gini of a number: {row['gini']:+.2f} "
            f"({row['attribute']}, issue {row['issue']})"
        )
