"""What can be wrong with what there is to learn from; one line each, with the command's exit code."""

from __future__ import annotations

from data.home import DataError


class TrainingError(DataError):
    """Something about the training run is wrong."""


class BadTimeError(TrainingError):
    """A time that cannot be read."""

    exit_code = 2


class OutputError(TrainingError):
    """What was asked for cannot be written there."""

    exit_code = 2


class NoHistoryError(TrainingError):
    """Nothing has been loaded yet."""

    exit_code = 2


class TooFewCasesError(TrainingError):
    """There are cases, but nothing can be learned from so few, or from one action only."""

    exit_code = 8


class RefusedColumnError(TrainingError):
    """The playbook refuses to learn from a column that accounts do not have."""

    exit_code = 2


class TooManyCasesError(TrainingError):
    """There are more cases than this machine has memory for."""

    exit_code = 8
