"""The run in MLflow: a SQLite store and a folder inside the home, nothing over the network."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.home import Home
from training.errors import TrainingError

EXPERIMENT = "nextbest"
_LONGEST_VALUE = 500


@dataclass(frozen=True)
class Run:
    """What is kept of a training run.

    Attributes:
        name: Id of the release.
        params: Settings, as text.
        tags: What runs are looked up by, as text.
        metrics: Figures; those that are not finite are left out.
        files: Artifacts: file name -> content.
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
        TrainingError: MLflow is not installed.
    """
    client = _client(home)
    run_id: str = client.create_run(
        _experiment(client, home), start_time=run.started_at // 1000, run_name=run.name
    ).info.run_id
    for name, value in run.params.items():
        client.log_param(run_id, name, str(value)[:_LONGEST_VALUE])
    for name, text in run.tags.items():
        client.set_tag(run_id, name, text[:_LONGEST_VALUE])
    for name, value in run.metrics.items():
        if math.isfinite(value):
            client.log_metric(run_id, name, float(value))
    for name, content in run.files.items():
        (scratch / name).write_bytes(content)
        client.log_artifact(run_id, str(scratch / name))
    client.set_terminated(run_id)
    return run_id


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
