"""The commands on standing tests: what one has shown, and what one could show."""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from api.commands import AsOfOption, HomeOption, PlaybookOption, moment
from data.settings import Settings
from data.times import now_micros

if TYPE_CHECKING:
    from data.snapshot import Snapshot
    from engine.experiments import Experiment, Unit
    from engine.playbook import Playbook

UNITS = ("account", "person", "territory")
JsonOption = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    experiments = typer.Typer(help="Control group and standing tests.", no_args_is_help=True)
    experiments.command("report")(report)
    experiments.command("power")(power)
    app.add_typer(experiments, name="experiment")


def report(
    *,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    playbook: PlaybookOption = None,
    home: HomeOption = None,
) -> None:
    """Compare the arms of the standing test on what has followed since its start; the page shows it then."""
    from api.experiment_report import keep
    from api.experiment_report import report as reported
    from data.playbooks import read_playbook
    from data.progress import reporting

    settings = Settings(home=home, playbook=playbook)
    now, rules = now_micros() if as_of is None else moment(as_of), read_playbook(settings.playbook)
    with reporting() as progress:
        found = reported(_snapshot(settings), rules, as_of=now, progress=progress)
    keep(settings.home, rules, found)
    typer.echo(json.dumps(found) if as_json else "\n".join(report_lines(found)))


def power(
    *,
    effect: Annotated[float, typer.Option(help="Lift to be seen, a share: 0.03 = +3 %.", min=0.0001)],
    arm: Annotated[str, typer.Option(help="Arm that the engine is held against.")] = "control",
    share: Annotated[
        float | None, typer.Option(help="Share of units in it; else the playbook's.", min=0.0001, max=0.9)
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="account, person or territory; else the playbook's.")
    ] = None,
    role: Annotated[str | None, typer.Option(help="With --unit person: whose accounts.")] = None,
    weeks: Annotated[int, typer.Option(help="Weeks that are tried at most.", min=1, max=260)] = 104,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    playbook: PlaybookOption = None,
    home: HomeOption = None,
) -> None:
    """Say in advance after how many weeks an effect would be seen, from how outcomes varied until now."""
    from api.experiment_report import promised
    from data.playbooks import read_playbook
    from data.progress import reporting
    from engine.experiments import ARMS

    settings = Settings(home=home, playbook=playbook)
    rules = read_playbook(settings.playbook)
    test = _wanted(rules, arm, share, unit, role)
    now = now_micros() if as_of is None else moment(as_of)
    with reporting() as progress:
        found = promised(_snapshot(settings), rules, test, arm=ARMS.index(arm), effect=effect, as_of=now,
                         weeks=weeks, progress=progress)  # fmt: skip
    typer.echo(json.dumps(found) if as_json else "\n".join(power_lines(found)))


def _wanted(rules: Playbook, arm: str, share: float | None, unit: str | None, role: str | None) -> Experiment:
    """The playbook's test with what was asked for instead. Raises ExperimentError: it cannot be."""
    from api.experiment_report import ExperimentError, standing_test
    from engine.experiments import ARMS, POINTS, Arm, Experiment

    roles = [each.id for each in rules.roles]
    for option, given, known in (("arm", arm, ARMS[1:]), ("unit", unit, UNITS), ("role", role, roles)):
        if given is not None and given not in known:
            raise ExperimentError(f"Got --{option} {given!r}, need one of {', '.join(known)}.")
    if unit == "person" and role is None:
        raise ExperimentError("With --unit person say whose accounts belong together: --role ROLE.")
    fresh = rules.experiment is None and share is not None
    test = Experiment("account", (), 0, rules.salt) if fresh else standing_test(rules)
    if share is not None:
        test = replace(test, arms=(Arm(arm, round(share * POINTS)),))
    if unit is not None:
        test = replace(test, unit=cast("Unit", unit), role=role or "")
    if test.share(ARMS.index(arm)) <= 0.0:
        raise ExperimentError(
            f"The playbook's test has no arm {arm!r}; say how large it would be: --share 0.1"
        )
    return test


def _snapshot(settings: Settings) -> Snapshot:
    from api.decider import NoHistoryError
    from data.history import HistoryStore

    home = settings.as_home()
    found = HistoryStore(home.history).current()
    if found is None:
        raise NoHistoryError(home)
    return found


def report_lines(found: dict[str, Any]) -> list[str]:
    """The report as text."""
    lines = [f"{found['playbook']}: from {found['starts']} until {found['until']}, by {found['unit']}"]
    if found["provisional"]:
        lines.append(
            f"NOT THE END: the test is planned until {found['planned_end']}. Who looks often and stops when "
            f"it suits finds effects that are none; so until then intervals are of {found['level']:.1%}."
        )
    if not found["assignment"]["as_planned"]:
        lines.append(
            f"NOT AS PLANNED: the units in the arms are not those of the shares (chance "
            f"{found['assignment']['chance']:.1e}); do not trust the comparisons before that is explained."
        )
    if found["outside"]:
        lines.append(f"{found['outside']:,} accounts whose unit is not known are not compared.")
    lines.append(f"{'arm':<18}{'share':>8}{'units':>10}{'accounts':>10}{found['currency'] + '/account':>14}")
    for arm in found["arms"]:
        mean = "-" if arm["per_account"] is None else f"{arm['per_account']:,.2f}"
        lines.append(
            f"{arm['arm']:<18}{arm['share']:>8.2%}{arm['units']:>10,}{arm['accounts']:>10,}{mean:>14}"
        )
    level = f"{100.0 * found['level']:g} % interval"
    return [*lines, *(_comparison_line(each, found["currency"], level) for each in found["comparisons"])]


def _comparison_line(each: dict[str, Any], currency: str, level: str) -> str:
    what = "The whole programme" if each["programme"] else "The engine"
    head = f"{what} against {each['against']}: "
    if each["finding"] == "too_few_units":
        return head + "too few units to compare."
    said = {"more": "brings more", "less": "brings less", "not_shown": "no difference is shown"}
    few = ", few units: by drawing the arms anew" if each["method"] == "randomisation" else ""
    lift, money = _range(each["lift"], "{:+.1%}", level), _range(each["difference"], "{:+,.2f}", level)
    return (
        f"{head}{lift} ({currency} {money} per account; chance {each['chance']:.3f}{few}): "
        f"{said[each['finding']]}."
    )


def _range(found: dict[str, float | None], form: str, level: str) -> str:
    def said(end: float | None) -> str:
        return "?" if end is None else form.format(end)

    return f"{said(found['estimate'])}, {level} {said(found['low'])} to {said(found['high'])}"


def power_lines(found: dict[str, Any]) -> list[str]:
    """What a test could see, as text."""
    units, arm = found["units"], found["arm"]
    plural = {"account": "accounts", "person": "people", "territory": "territories"}[found["unit"]]
    if found["weeks"] is None:
        seen = found["curve"][-1]["effect"]
        few = f"with so few {plural} nothing can be seen"
        best = few if seen is None else f"the smallest that would be seen is {seen:+.1%}"
        lines = [f"{found['effect']:+.1%} would not be seen in {found['history_weeks']} weeks, all that "
                 f"the history has; {best}. Take a larger share, smaller units or more weeks."]  # fmt: skip
    else:
        lines = [f"{found['weeks']} weeks to see {found['effect']:+.1%}"]
    lines.append(
        f"with {units[0]:,} {plural} in engine and {units[1]:,} in {arm} ({found['share']:.2%}), in 80 % of "
        "such tests, by a 95 % interval at the end."
    )
    if found["unit"] != "account" and not found["correlation"]:
        lines.append(f"Accounts of one {found['unit']} were no more alike than any others in these weeks.")
    elif found["unit"] != "account":
        lines.append(
            f"Accounts of one {found['unit']} are alike (correlation {found['correlation']:.3f}): it takes "
            f"{found['design_effect']:.1f} times as many as if each were assigned by itself."
        )
    return lines
