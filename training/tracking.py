"""The run in MLflow: a SQLite store and a folder inside the home, nothing over the network.

What the report tells is kept there for comparing runs: its figures by name, its tables as CSV.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.artifacts import MANIFEST
from data.home import Home
from engine.estimation import Interval
from training.board import Board
from training.errors import TrainingError
from training.evaluate import Evaluation, Judged, PolicyValue
from training.select import Selection

EXPERIMENT = "nextbest"
METRICS = "metrics.json"
"""Among the files of a run: name -> figure, which become metrics."""
_LONGEST_VALUE = 500


@dataclass(frozen=True)
class Run:
    """What is kept of a training run.

    Attributes:
        name: Id of the release.
        params: Settings, as text.
        tags: What runs are looked up by, as text.
        metrics: Figures; those that are not finite are left out.
        files: Artifacts: file name -> content. What `METRICS` holds are metrics too, and the manifest of the
            release is added.
        started_at: Microseconds UTC.
    """

    name: str
    params: Mapping[str, Any]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    files: Mapping[str, bytes]
    started_at: int


def record(home: Home, run: Run, scratch: Path) -> str:
    """Write a run to the store; returns its id.

    Args:
        home: Where the store is.
        run: What is kept.
        scratch: An empty folder that may be written to.

    Raises:
        TrainingError: MLflow is not installed, or cannot keep the run.
    """
    try:
        return _recorded(home, run, scratch)
    except TrainingError:
        raise
    except Exception as error:  # MLflow has those of a database, of files and its own
        said, store = str(error).strip().splitlines(), home.mlflow_url.removeprefix("sqlite:///")
        raise TrainingError(
            f"MLflow cannot keep the run in {store} ({said[0] if said else type(error).__name__}). Release "
            f"{run.name} is written, but not put in use: make room, or move that file away if it is damaged, "
            "and train again."
        ) from error


def _recorded(home: Home, run: Run, scratch: Path) -> str:
    client = _client(home)
    run_id: str = client.create_run(
        _experiment(client, home), start_time=run.started_at // 1000, run_name=run.name
    ).info.run_id
    for name, value in run.params.items():
        client.log_param(run_id, name, str(value)[:_LONGEST_VALUE])
    for name, text in run.tags.items():
        client.set_tag(run_id, name, text[:_LONGEST_VALUE])
    files = {**run.files, MANIFEST: (home.models / run.name / MANIFEST).read_bytes()}
    found = {**json.loads(files.get(METRICS, b"{}")), **run.metrics}
    client.log_batch(run_id, _metrics(found, run.started_at // 1000))
    for name, content in files.items():
        (scratch / name).write_bytes(content)
        client.log_artifact(run_id, str(scratch / name))
    client.set_terminated(run_id)
    return run_id


def metrics_of(
    judged: Judged, by_time: Evaluation | None, selection: Selection, board: Board
) -> dict[str, float]:
    """The figures of a report by name, those that are finite; with _low and _high the ends of an interval.

    POLICY.FIGURE on held-out accounts, time.POLICY.FIGURE on later occasions, qini.LEARNER, slope.LEARNER,
    selection.LEARNER, board.SUM.
    """
    found: dict[str, Any] = {"board.decisions_a_month": board.decisions_a_month}
    for before, split in (("", judged.evaluation), ("time.", by_time)):
        for value in () if split is None else split.policies:
            name = f"{before}{value.policy}."
            found |= {f"{name}{figure}": size for figure, size in _figures_of(value).items()}
    found |= {f"qini.{name}": each.area for name, each in judged.gains.items()}
    found |= {f"slope.{name}": each.slope for name, each in judged.gains.items()}
    found |= {f"selection.{name}": value for name, value in selection.values.items()}
    found |= {f"board.{line.label}": line.month for line in board.money}
    found |= {f"board.cost.{cost.label}": cost.money for cost in board.costs}
    found |= {f"board.hours.{cost.label}": cost.hours for cost in board.costs}
    found |= {f"board.followed.{row.role}": row.share for row in board.followers or ()}
    found |= {f"board.detectable.{each.share:g}": each.detectable for each in board.power}
    sizes = {name.replace(" ", "_"): size for name, size in _row(found).items()}
    return {name: float(size) for name, size in sizes.items() if size is not None and math.isfinite(size)}


def tables_of(told: Mapping[str, Any]) -> dict[str, bytes]:
    """Every table of the report and of the board's page as CSV, by file name; what has no rows is left out.

    Args:
        told: What both pages are rendered from.
    """
    tables = _of_policies(told) | _of_treatments(told) | _of_board(told["board"])
    return {f"{name}.csv": _csv(rows) for name, rows in tables.items() if rows}


Cells = dict[str, Any]


def _of_policies(told: Mapping[str, Any]) -> dict[str, list[Cells]]:
    tables = {
        f"values_{split.name}": [
            {"policy": value.policy, **_figures_of(value), "evidence": value.verdict.level,
             "because": value.verdict.sentence}
            for value in split.policies
        ]
        for split, _ in told["evaluations"]
    }  # fmt: skip
    return tables | {
        "few_persons": [
            {"beyond": name, "low": found.low, "high": found.high, "level": found.level,
             "chance": found.chance}
            for name, found in told["chosen"].few_persons.items()
        ],
        "selection": [
            {"learner": name, "value": value, "behind": told["selection"].behind[name]}
            for name, value in told["selection"].values.items()
        ],
        "gate": [
            {"check": each.name, "passed": each.passed, "warning": each.warning, "because": each.sentence}
            for each in told["gate"].checks
        ],
    }  # fmt: skip


def _of_treatments(told: Mapping[str, Any]) -> dict[str, list[Cells]]:
    stopping = told["stopping"] or {"counted": {}, "classes": []}
    return {
        "mix": [{"treatment": name, "as_logged": logged, "chosen": own} for name, logged, own in told["mix"]],
        "segments": [
            {"treatment": row.treatment, "attribute": row.attribute, "level": row.level,
             "accounts": row.accounts, "alone": row.own[0], "alone_error": row.own[1], "drawn": row.shrunk}
            for row in told["segments"]
        ],
        "optouts": [{"channel": name, **each} for name, each in stopping["counted"].items()],
        "optout_classes": [{"rate": rate, "error": error} for rate, error in stopping["classes"]],
        "overlap": [
            {"treatment": row.treatment, "cases": row.cases, "effective": row.effective,
             "smallest": row.smallest, "comparable": row.comparable, "before": row.before,
             "after": row.after, "plain": row.plain, "effect": row.effect}
            for row in told["overlap"]
        ],
        "advice": [
            {"treatment": row.treatment, "suggested": row.suggested.decisions, "effect": row.suggested.effect,
             "done": row.done.decisions, "difference": row.done.difference}
            for row in told["advice"]
        ],
        "ranking": [dict(vars(row)) for row in (told["ranking"].tenths if told["ranking"] else ())],
    }  # fmt: skip


def _of_board(board: Board) -> dict[str, list[Cells]]:
    money = [{"beyond": line.label, "month": line.month, "certain": line.certain} for line in board.money]
    others = {"costs": board.costs, "followers": board.followers or (), "power": board.power}
    return {"board_money": money} | {
        f"board_{name}": [dict(vars(row)) for row in rows] for name, rows in others.items()
    }


def _figures_of(value: PolicyValue) -> dict[str, Any]:
    return {
        "doubly_robust": value.doubly_robust,
        "snips": value.snips,
        "ips": value.ips,
        "direct": value.direct,
        "shrunk": value.shrunk,
        "versus_logged": value.versus_logged,
        "versus_fixed": value.versus_fixed,
        "versus_nobody": value.versus_nobody,
        "strength": value.strength,
        "effective_sample_size": value.effective,
        "supported": value.supported,
    }


def _row(cells: Mapping[str, Any]) -> Cells:
    """The same with an interval as three cells: its estimate, _low and _high."""
    found: Cells = {}
    for name, cell in cells.items():
        if isinstance(cell, Interval):
            found |= {name: cell.estimate, f"{name}_low": cell.low, f"{name}_high": cell.high}
        else:
            found[name] = cell
    return found


def _csv(rows: Sequence[Cells]) -> bytes:
    """With a column for whatever any row has; empty = it is not known."""
    flat = [_row(row) for row in rows]
    written = io.StringIO()
    names = list(dict.fromkeys(name for row in sorted(flat, key=len, reverse=True) for name in row))
    writer = csv.DictWriter(written, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return written.getvalue().encode()


def _metrics(found: Mapping[str, float], at_milliseconds: int) -> list[Any]:
    from mlflow.entities import Metric  # noqa: PLC0415 - slow to import, only training needs it

    return [
        Metric(name, float(value), at_milliseconds, 0)
        for name, value in found.items()
        if math.isfinite(value)
    ]


def _client(home: Home) -> Any:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = os.environ["DO_NOT_TRACK"] = "true"
    try:
        from mlflow.tracking import MlflowClient  # noqa: PLC0415 - slow to import, only training needs it
    except ModuleNotFoundError:
        raise TrainingError("Training needs MLflow and matplotlib: pip install 'nextbest[train]'.") from None
    for chatty in ("mlflow", "alembic"):  # after the import, which sets its own levels
        logging.getLogger(chatty).setLevel(logging.ERROR)
    home.root.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=home.mlflow_url)


def _experiment(client: Any, home: Home) -> str:
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is not None:
        return str(known.experiment_id)
    folder = home.root.absolute() / "mlflow-artifacts"
    return str(client.create_experiment(EXPERIMENT, artifact_location=folder.as_uri()))
