"""The commands of learning: train, release list | promote | rollback, cases, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.progress import reporting
from data.spark_options import EngineOption, ExchangeOption, MasterOption, PackedOption, spark_options
from data.times import now_micros, parse_time
from training.evaluate_commands import HomeOption, PlaybookOption, SeedOption, evaluations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.home import Home
    from data.ledger.ledger import Ledger
    from engine.playbook import Playbook
    from training.evaluate import Evaluation
    from training.leaks import Leak
    from training.run import Outcome

ModelsOption = Annotated[Path | None, typer.Option(help="Folder of releases; default NEXTBEST_MODELS.")]
AsOfOption = Annotated[
    str | None,
    typer.Option(help="Learn as if it were this time, ISO 8601 with zone; default: all is known."),
]

releases = typer.Typer(help="Releases: which there are, which is in use.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this folder to `nextbest`."""
    app.command()(train)
    app.command()(cases)
    app.add_typer(releases, name="release")
    app.add_typer(evaluations, name="evaluate")


def train(  # noqa: PLR0917 - typer names them all
    playbook: PlaybookOption = None,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    promote: Annotated[bool, typer.Option(help="Put it in use if it passes the gate.")] = True,
    engine: EngineOption = "local",
    master: MasterOption = None,
    exchange: ExchangeOption = None,
    packed: PackedOption = None,
    home: HomeOption = None,
    models: ModelsOption = None,
) -> None:
    """Learn from the history what each treatment causes, and write a release with its report."""
    from data.concentrated import concentrated  # noqa: PLC0415 - `nextbest --help` must be quick
    from data.playbook_versions import keep_playbook  # noqa: PLC0415
    from data.playbooks import read_playbook  # noqa: PLC0415
    from data.settings import Settings  # noqa: PLC0415
    from data.unknown_names import strange_names  # noqa: PLC0415
    from training import run  # noqa: PLC0415

    settings = Settings(home=home, models=models, playbook=playbook)
    chosen = read_playbook(settings.playbook)
    snapshot = run.loaded(settings.as_home())
    strange = strange_names(snapshot, chosen) + concentrated(snapshot, chosen)
    wanted = run.Settings(made_at=now_micros(), at=_micros(as_of), seed=seed, promote=promote)
    spark = spark_options(engine, master, exchange, packed)
    with reporting() as report:
        outcome = run.train(settings.as_home(), chosen, wanted, spark=spark, progress=report)
    with _Ledger(settings.as_home()) as ledger:
        keep_playbook(ledger, settings.playbook, chosen, now=now_micros())
    _print_outcome(outcome, chosen, strange)


def cases(  # noqa: PLR0917 - typer names them all
    out: Annotated[Path, typer.Option(help="File to write: .parquet or .csv.")],
    playbook: PlaybookOption = None,
    as_of: AsOfOption = None,
    engine: EngineOption = "local",
    master: MasterOption = None,
    exchange: ExchangeOption = None,
    packed: PackedOption = None,
    home: HomeOption = None,
) -> None:
    """Write the table that training learns from, immature cases included, for a model of your own."""
    from data.concentrated import concentrated  # noqa: PLC0415 - `nextbest --help` must be quick
    from data.playbooks import read_playbook  # noqa: PLC0415
    from data.settings import Settings  # noqa: PLC0415
    from data.spark import connected  # noqa: PLC0415
    from data.unknown_names import strange_names  # noqa: PLC0415
    from training.case_file import check_out, write_cases  # noqa: PLC0415
    from training.cases import build_cases  # noqa: PLC0415
    from training.run import leaks_of, loaded  # noqa: PLC0415

    settings = Settings(home=home, playbook=playbook)
    chosen, at = read_playbook(settings.playbook), _micros(as_of)
    check_out(out)
    spark = spark_options(engine, master, exchange, packed)
    with reporting() as report, connected(spark, settings.as_home().root / "spark") as session:
        snapshot = loaded(settings.as_home())
        strange = strange_names(snapshot, chosen) + concentrated(snapshot, chosen)
        built = build_cases(snapshot, chosen, at=at, spark=session, progress=report)
    write_cases(built, out)
    typer.echo(
        f"{len(built):,} cases ({int(built.matured.sum()):,} mature) from {built.basis} written to {out}."
    )
    _print_left_out(built.left_out)
    _print_strange(strange)
    _print_leaks(leaks_of(built.take(built.matured), snapshot, at))


@releases.command("list")
def list_all(home: HomeOption = None, models: ModelsOption = None) -> None:
    """All releases, oldest first; the one in use is marked with *, what is damaged with !."""
    from data.artifacts import list_manifests, survey  # noqa: PLC0415

    place = _home(home, models)
    in_use, promoted = "", dict[str, str]()
    if place.root.is_dir() or list_manifests(place.models):
        with _Ledger(place) as ledger:
            used, promoted = ledger.release_in_use(), _promoted(ledger)
        in_use = used.release_id if used is not None else ""
    found, damaged = survey(place.models, promoted)
    for release in found:
        mark = "*" if release.id == in_use else " "
        told = f"{release.manifest['learner']:<11} {_value_text(release.manifest)}"
        typer.echo(f"{mark} {release.id}  {told}{_refused_text(release.manifest)}")
    for name, error in damaged.items():
        typer.echo(f"! {name}  {'is in use, but damaged. ' if name == in_use else ''}{error}")
    if in_use and in_use not in {*damaged, *(release.id for release in found)}:
        typer.echo(
            f"! {in_use}  is in use, but is not in {place.models}: give the folder of releases as --models "
            "or NEXTBEST_MODELS, promote another release or train anew."
        )
    elif not found:
        typer.echo(f"There is no release in {place.models} that can be read: `nextbest train` makes one.")


@releases.command("promote")
def promote_one(
    release: Annotated[str, typer.Argument(help="Id of the release.")],
    home: HomeOption = None,
    models: ModelsOption = None,
) -> None:
    """Put a release in use, after every file's hash has been checked."""
    place = _home(home, models)
    with _Ledger(place) as ledger:
        _put_in_use(place, ledger, release, by="nextbest release promote")


@releases.command("rollback")
def roll_back(home: HomeOption = None, models: ModelsOption = None) -> None:
    """Put the release before the present one in use again; once more goes further back."""
    from data.ledger.releases import ROLLBACK  # noqa: PLC0415
    from training.errors import TrainingError  # noqa: PLC0415

    place = _home(home, models)
    with _Ledger(place) as ledger:
        earlier = ledger.release_before()
        if earlier is None:
            raise TrainingError("No other release has been in use before: there is nothing to go back to.")
        _put_in_use(place, ledger, earlier.release_id, by=ROLLBACK)


def _put_in_use(place: Home, ledger: Ledger, release_id: str, *, by: str) -> None:
    from data.artifacts import read_release  # noqa: PLC0415

    release = read_release(place.models, release_id, manifest_hash=_promoted(ledger).get(release_id))
    ledger.put_release_in_use(release.id, release.manifest_hash, now=now_micros(), by=by)
    typer.echo(f"In use: {release.id} ({release.manifest['learner']}).")


def _promoted(ledger: Ledger) -> dict[str, str]:
    """Release -> hash of its manifest when it was put in use last: what was used is known to the byte."""
    return {each.release_id: each.manifest_hash for each in reversed(ledger.release_log())}


class _Ledger:
    """The ledger of a home for the length of a command."""

    def __init__(self, place: Home) -> None:
        from data.ledger.ledger import Ledger  # noqa: PLC0415

        self.ledger = Ledger.open(place)

    def __enter__(self) -> Ledger:
        return self.ledger

    def __exit__(self, *_: object) -> None:
        self.ledger.close()


def _home(home: Path | None, models: Path | None) -> Home:
    from data.settings import Settings  # noqa: PLC0415

    return Settings(home=home, models=models).as_home()


def _micros(text: str | None) -> int | None:
    from training.errors import BadTimeError  # noqa: PLC0415

    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise BadTimeError(str(error)) from None


def _print_outcome(outcome: Outcome, playbook: Playbook, strange: Sequence[str]) -> None:
    from training.evaluate import claim  # noqa: PLC0415
    from training.stopping import doubt  # noqa: PLC0415

    _print_evaluation(outcome.evaluation, outcome.selection.chosen, playbook.currency)
    if outcome.by_time is not None:
        _print_evaluation(outcome.by_time, outcome.selection.chosen, playbook.currency)
    _print_left_out(outcome.cases.left_out)
    _print_strange(strange)
    optouts = doubt(outcome.release.manifest.get("stopping"))
    if optouts and playbook.optout_loss:
        typer.echo(f"Warning: {optouts}")
    typer.echo(f"{outcome.selection.sentence} {claim(outcome.evaluation, outcome.selection.chosen)}")
    typer.echo(f"Release {outcome.release.id} ({outcome.selection.chosen}).")
    for check in outcome.gate.failed:
        typer.echo(f"Gate, {check.name}: {check.sentence}")
    for check in outcome.gate.warnings:
        typer.echo(f"Warning, {check.name}: {check.sentence}")
    _print_leaks(outcome.leaks)
    if outcome.promoted:
        typer.echo("It is in use now.")
    elif outcome.gate.passed:
        typer.echo(f"Not put in use: `nextbest release promote {outcome.release.id}` does.")
    else:
        typer.echo("It did not pass the gate and is not put in use.")
    typer.echo(f"Report: {outcome.report}")


def _print_evaluation(evaluation: Evaluation, chosen: str, currency: str) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from training.report import interval_text  # noqa: PLC0415

    table = Table(
        title=f"{currency} per decision net of cost, held out by {evaluation.name}: "
        f"{evaluation.decisions:,} decisions of {evaluation.accounts:,} accounts"
    )
    for heading in ("policy", "doubly robust (95 %)", "self-normalised (95 %)", "effective", "verdict"):
        table.add_column(heading, justify="left" if heading in ("policy", "verdict") else "right")
    for value in evaluation.policies:
        mark = "* " if value.policy == chosen else "  "
        table.add_row(
            mark + value.policy, interval_text(value.doubly_robust), interval_text(value.snips),
            f"{value.effective:,.0f}", value.verdict.level,
        )  # fmt: skip
    Console(width=None if Console().is_terminal else 140).print(table)


def _print_left_out(left_out: object) -> None:
    if isinstance(left_out, dict) and left_out:
        typer.echo(
            "Left out: " + "; ".join(f"{count:,} {reason}" for reason, count in left_out.items()) + "."
        )


def _print_strange(strange: Sequence[str]) -> None:
    for sentence in strange:
        typer.echo(f"Warning: {sentence}")


def _print_leaks(leaks: Sequence[Leak]) -> None:
    for leak in leaks:
        typer.echo(
            f"Looks like a leak: {leak.sentence} If it is one: `[learning] refuse` it in the playbook."
        )


def _value_text(manifest: object) -> str:
    """The held-out value of the release's learner, as far as the manifest tells it."""
    if not isinstance(manifest, dict):
        return ""
    policies = manifest.get("evaluation", {}).get("accounts", {}).get("policies", [])
    for value in policies:
        if value["policy"] == manifest["learner"]:
            figures = value["doubly_robust"]
            return (
                f"{figures['estimate']:,.2f} ({figures['low']:,.2f} to {figures['high']:,.2f}) per decision, "
                f"{value['verdict']['level']}"
            )
    return ""


def _refused_text(manifest: object) -> str:
    """What the gate said no to."""
    if not isinstance(manifest, dict):
        return ""
    failed = [each["name"] for each in manifest.get("gate", ()) if not each["passed"]]
    return f"; gate: no ({', '.join(failed)})" if failed else ""
