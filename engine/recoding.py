"""Texts as a release codes them: a new level here shifts the codes, and no score may shift with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from engine.features import Features, FeatureSet
from engine.readers import ReleaseParts
from engine.records import EngineError, Floats, kept_for


def recoded(features: Features, release: ReleaseParts) -> Features:
    """The features with texts as the release codes them; a level that it does not know is NaN.

    Raises EngineError when a feature of the release is missing, or is a text here and a number there.
    """
    return _in_its_codes(features, release) if any(_recoding(release, features.set)) else features


@kept_for
def _in_its_codes(features: Features, release: ReleaseParts) -> Features:
    account, treatment = _recoding(release, features.set)
    return replace(
        features,
        account=_group_recoded(features.account, account),
        treatment=_group_recoded(features.treatment, treatment),
    )


_Tables = Sequence[tuple[int, Floats]]
"""Columns of a group, and what their codes become, the last entry: what is not known."""


@kept_for
def _recoding(release: ReleaseParts, own: FeatureSet) -> tuple[_Tables, _Tables]:
    """What is coded otherwise in the groups of accounts and treatments. Raises EngineError."""
    known = frozenset(own.names)
    for name in release.feature_names:
        if name not in known:
            near = get_close_matches(name, own.names, n=1)
            hint = f", near {near[0]!r}" if near else ""
            raise EngineError(
                f"The release reads feature {name!r}, which is not known here{hint}; train a new release."
            )
        if (name in own.levels) != (name in release.levels):
            raise EngineError(f"Feature {name!r} is a text here and a number in the release, or the reverse.")
    return _tables(own.account, own, release), _tables(own.treatment, own, release)


def _tables(names: tuple[str, ...], own: FeatureSet, release: ReleaseParts) -> _Tables:
    found = []
    for column, name in enumerate(names):
        levels = own.levels.get(name, ())
        if name in release.levels and levels != release.levels[name]:
            codes = {level: float(code) for code, level in enumerate(release.levels[name])}
            found.append((column, np.array([*(codes.get(level, np.nan) for level in levels), np.nan])))
    return found


def _group_recoded(group: Floats, tables: _Tables) -> Floats:
    recoded = group.copy() if tables else group
    for column, table in tables:
        place = np.where(np.isnan(group[:, column]), len(table) - 1, group[:, column]).astype(np.int64)
        recoded[:, column] = table[place]
    return recoded
