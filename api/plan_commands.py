"""The command that shows people's days."""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands import HomeOption
from data.home import DataError
from data.settings import Settings

if TYPE_CHECKING:
    from data.ledger.plan_types import PlanItem


class NoPlanError(DataError):
    """Nothing is planned, or not for that colleague."""

    exit_code = 2


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)


def plan(
    user: Annotated[str | None, typer.Option("--user", help="One colleague's days in order.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    home: HomeOption = None,
) -> None:
    """The plan on show: how good it is proven to be, what time is worth, and people's days."""
    from data.ledger.ledger import Ledger

    ledger = Ledger.open(Settings(home=home).as_home())
    try:
        shown = _all(ledger) if user is None else _person(ledger, user)
    finally:
        ledger.close()
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    for line in _lines_of_all(shown) if user is None else _lines_of_person(shown):
        typer.echo(line)


def _all(ledger: Any) -> dict[str, Any]:
    from api.people_time import date_of

    head = ledger.plans.head()
    if head is None:
        raise NoPlanError("There is no plan. Give the playbook a table [plan] and run: nextbest nightly")
    people = {row["user_id"]: row for row in ledger.plans.loads(head.run_id)}
    return {
        "run": head.run_id,
        "first_date": str(date_of(head.first_day)),
        "last_date": str(date_of(head.first_day + head.days - 1)),
        "value": head.value,
        "bound": head.bound,
        "gap": max(0.0, (head.bound - head.value) / head.bound) if head.bound > 0.0 else 0.0,
        "quota_prices": head.prices["quota"],
        "minimums": head.prices.get("minimums", {}),
        "people": [
            row | {"price_per_hour": 60.0 * head.prices["minute"].get(user, 0.0)}
            for user, row in people.items()
        ],
    }


def _person(ledger: Any, user: str) -> dict[str, Any]:
    """Her days as they were last planned. Nothing is planned again by looking at it."""
    from api.people_time import date_of

    found = ledger.plans.of_person(user)
    if found is None:
        raise NoPlanError(f"There is no plan of {user!r}. All colleagues who have one: nextbest plan")
    head, away = found.head, ledger.plans.absences().get(user, frozenset())
    return {
        "run": head.run_id,
        "user_id": user,
        "out_of_date": found.person.stale,
        "price_per_hour": 60.0 * head.prices["minute"].get(user, 0.0),
        "days": [
            {
                "date": str(date_of(day["day"])),
                "minutes": 0 if day["day"] in away else day["minutes"],
                "booked_minutes": sum(booked["minutes"] for booked in day["booked"]),
                "handed_minutes": day.get("handed", 0),
                "planned": [
                    {
                        "place": item.place, "account_id": item.account_id, "treatment": item.treatment,
                        "minutes": item.minutes, "value": item.value, "settled": item.settled,
                    }
                    for item in found.items
                    if item.day == day["day"]
                ],
            }
            for day in found.person.days
        ],
        "waiting": [_waits(item) for item in found.items if item.day is None],
        "displaced": [_waits(item) for item in found.displaced],
    }  # fmt: skip


def _waits(item: PlanItem) -> dict[str, Any]:
    named = {"account_id": item.account_id, "treatment": item.treatment, "value": item.value}
    return {**named, **(item.why or {})}


def _lines_of_all(shown: dict[str, Any]) -> list[str]:
    quotas = (
        ", ".join(f"{name} {price:,.2f}" for name, price in shown["quota_prices"].items()) or "none short"
    )
    lines = [
        f"Plan of run {shown['run']}, {shown['first_date']} to {shown['last_date']}",
        f"  worth {shown['value']:,.2f}; no plan is worth more than {shown['bound']:,.2f} "
        f"(gap {shown['gap']:.2%})",
        f"  prices of quotas: {quotas}",
        *_minimum_lines(shown["minimums"]),
        f"  {'colleague':<20}{'minutes':>9}{'planned':>9}{'contacts':>10}{'waiting':>9}{'price/hour':>12}",
    ]
    return lines + [
        f"  {row['user_id']:<20}{row['minutes']:>9,}{row['planned_minutes']:>9,}{row['contacts']:>10,}"
        f"{row['waiting']:>9,}{row['price_per_hour']:>12,.2f}"
        for row in shown["people"]
    ]


def _minimum_lines(minimums: Mapping[str, Any]) -> Iterator[str]:
    """Of each minimum that the plan keeps: how many accounts are due, what stands in the way of others."""
    for name, row in minimums.items():
        codes = Counter(one["code"] for one in row["unmet"])
        why = "".join(f", {count:,} {code}" for code, count in sorted(codes.items()))
        yield f"  minimum {name}: {row['met']:,} of {row['due']:,} due are planned{why}"
        for one in row["unmet"][:20]:
            stands = f", {' '.join(one['by'][:2])} stands there" if one["by"] else ""
            yield f"    {one['account_id']:<16}{one['user_id'] or '-':<16}{one['code']}{stands}"


def _lines_of_person(shown: dict[str, Any]) -> list[str]:
    lines = [
        f"{shown['user_id']}, plan of run {shown['run']}; an hour is worth {shown['price_per_hour']:,.2f}"
    ]
    if shown["out_of_date"]:
        lines.append("Something was settled since; her days are planned again when she next opens them.")
    for day in shown["days"]:
        used = sum(one["minutes"] for one in day["planned"])
        lines.append(
            f"{day['date']}: {used} of {day['minutes']} minutes planned, {day['booked_minutes']} booked"
        )
        lines += [
            f"  {one['place']}. {one['account_id']:<16}{one['treatment']:<32}{one['minutes']:>4} min"
            f"{one['value']:>10,.2f}{'  settled by hand' if one['settled'] else ''}"
            for one in day["planned"]
        ]
    for title in ("waiting", "displaced"):
        lines.append(f"{len(shown[title])} {title}")
        lines += [
            f"  {one['account_id']:<16}{one['treatment']:<32}{one['value']:>10,.2f}  {one['code']}"
            f"{', lacks ' + format(one['short_of'], ',.2f') if one['short_of'] else ''}"
            for one in shown[title][:20]
        ]
    return lines
