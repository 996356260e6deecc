"""The commands that ask a history how far its figures can be believed: evaluate policy | ranking."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.progress import reporting

if TYPE_CHECKING:
    from training.cases import Cases
    from training.other_policy import OtherPolicy
    from training.ranking import Ranking

HomeOption = Annotated[Path | None, typer.Option(help="State directory; default NEXTBEST_HOME or ./var.")]
PlaybookOption = Annotated[str | None, typer.Option(help="Name of a shipped playbook, or a TOML file.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of splits, forests and resamples.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]

evaluations = typer.Typer(help="Ask the history; nothing is written.", no_args_is_help=True)


@evaluations.command("policy")
def policy(
    other: Annotated[
        Path, typer.Argument(help="State directory with the log of the policy that is asked about.")
    ],
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Attribute of accounts on which that policy depends; may be repeated."),
    ] = None,
    seed: SeedOption = 0,
    playbook: PlaybookOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the policy of another log would have earned in this one, beside what it earned there."""
    from training.evaluate import finite  # noqa: PLC0415 - `nextbest --help` must be quick
    from training.other_policy import value_other  # noqa: PLC0415

    cases, others = _matured(home, playbook), _matured(other, playbook)
    found = value_other(cases, others, by=tuple(by or ()), seed=seed)
    if as_json:
        typer.echo(json.dumps(finite(asdict(found))))
        return
    for line in policy_lines(found, cases.playbook.currency):
        typer.echo(line)


@evaluations.command("ranking")
def ranking(
    *,
    seed: SeedOption = 0,
    playbook: PlaybookOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How well it can be foretold of whom something comes: learned from earlier cases, seen in later ones."""
    from training.boosting import Boosting  # noqa: PLC0415
    from training.errors import TooFewCasesError  # noqa: PLC0415
    from training.ranking import LEAST_OF_EACH, rank_by_time  # noqa: PLC0415
    from training.ranking_again import BLOCKS, rank_again  # noqa: PLC0415

    cases = _matured(home, playbook)
    found = rank_by_time(cases, Boosting(), seed=seed)
    if found is None:
        some = int((cases.within[:, 0] > 0.0).sum())
        raise TooFewCasesError(
            f"Got {len(cases):,} matured cases, {some:,} with an outcome: need "
            f"{LEAST_OF_EACH} with and without one among the earlier and among the later ones."
        )
    again = rank_again(cases, Boosting(), seed=seed)
    if as_json:
        typer.echo(json.dumps(found.as_json() | {"again": None if again is None else again.as_json()}))
        return
    typer.echo(found.sentence)
    _tell_tenths(found)
    if again is not None:
        typer.echo(
            f"Learned again before each of {BLOCKS} parts of the later cases, probabilities bent to agree "
            f"with what came just before: {again.figures}."
        )
        _tell_tenths(again)


@evaluations.command("effects")
def effects(
    *,
    seed: SeedOption = 0,
    playbook: PlaybookOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What each treatment causes beside what a table of means shows, and why the two differ."""
    from training.boosting import Boosting  # noqa: PLC0415
    from training.effects_beside import effects_beside  # noqa: PLC0415
    from training.evaluate import finite  # noqa: PLC0415

    cases = _matured(home, playbook)
    with reporting() as report:
        found = effects_beside(cases, Boosting(), seed=seed, progress=report)
    if as_json:
        typer.echo(json.dumps(finite([asdict(each) for each in found])))
        return
    typer.echo(f"{cases.playbook.currency} per decision before cost, {len(cases):,} matured cases:")
    for each in found:
        for line in each.lines():
            typer.echo(line)
    if len(found) > 1:
        typer.echo("Of 95 % intervals of what treatments cause one of twenty may miss by chance.")


def _tell_tenths(ranking: Ranking) -> None:
    for place, tenth in enumerate(ranking.tenths, start=1):
        typer.echo(f"  {place:>2}. tenth: {tenth.expected:.1%} expected, {tenth.came:.1%} came")


def policy_lines(found: OtherPolicy, currency: str) -> list[str]:
    """The figures in words."""
    from training.report import interval_text  # noqa: PLC0415

    lines = [
        f"{currency} per decision, net of cost; {found.decisions:,} decisions here, as logged worth "
        f"{interval_text(found.logged)}.",
        f"The policy asked about earned {interval_text(found.there)} in its own log. What it would have "
        f"earned here, by weights worth {found.effective:,.0f} decisions, the largest {found.largest:,.1f}:",
    ]
    for name, each in found.estimates.items():
        inside = "within" if found.holds(name) else "outside"
        lines.append(
            f"  {name:<19}{interval_text(each)}, half width {each.half_width:,.2f}: what it earned lies "
            f"{inside}; difference {interval_text(found.gap[name])}"
        )
    lines.append(f"Evidence: {found.verdict.level}. {found.verdict.sentence}")
    return lines


def _matured(home: Path | None, playbook: str | None) -> Cases:
    """The matured cases of a home. Raises TooFewCasesError where there is none."""
    from data.concentrated import concentrated  # noqa: PLC0415
    from data.playbooks import read_playbook  # noqa: PLC0415
    from data.settings import Settings  # noqa: PLC0415
    from data.unknown_names import strange_names  # noqa: PLC0415
    from training.cases import build_cases  # noqa: PLC0415
    from training.maturing import matured  # noqa: PLC0415
    from training.run import loaded  # noqa: PLC0415

    settings = Settings(home=home, playbook=playbook)
    snapshot, chosen = loaded(settings.as_home()), read_playbook(settings.playbook)
    for strange in strange_names(snapshot, chosen) + concentrated(snapshot, chosen):
        typer.echo(f"Warning: {strange}", err=True)
    with reporting() as report:
        built = build_cases(snapshot, chosen, progress=report)
    return built.take(built.matured) if built.matured.any() else matured(built)  # which says what is missing
