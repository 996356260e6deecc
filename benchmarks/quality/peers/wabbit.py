"""Vowpal Wabbit, doubly robust, what is known of an account crossed with treatment, channel and topic."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.quality.peers.problem import Array, Part, Problem

PASSES = 3
LEARNING = f"--cb_adf --cb_type dr -q at -q ac -q ap -b 22 --passes {PASSES} --holdout_off -k -c --quiet"
WINDOWS = ("_90d", "_30d")
"""Of the facts by channel, topic and message only these and the response rates: the others repeat them."""


def doubly_robust(problem: Problem) -> Array:
    """`--cb_adf --cb_type dr`, as its documentation recommends for logs with probabilities."""
    from vowpalwabbit import Workspace  # noqa: PLC0415

    lines = _Lines(problem)
    with tempfile.TemporaryDirectory() as folder:
        train, model, test, out = (Path(folder) / name for name in ("own.vw", "model", "asked.vw", "scores"))
        _write(train, lines.learned_from())
        Workspace(f"{LEARNING} --random_seed {problem.seed} -d {train} -f {model}").finish()
        _write(test, lines.asked())
        Workspace(f"-t -i {model} -d {test} -p {out} --quiet").finish()
        best = [int(row.split(":", 1)[0]) for row in out.read_text().splitlines() if row]
    return np.array([lines.offered(lines.problem.asked, row)[place] for row, place in enumerate(best)])


def _write(path: Path, examples: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(examples)


class _Lines:
    """Rows in VW's text format: a shared line, and one for each eligible treatment."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.scale = float(problem.reward.std()) or 1.0
        numbers = problem.own.known["account"][:, self._numbers]
        logs = np.log1p(np.abs(numbers))
        self.mean, self.spread = np.nanmean(logs, axis=0), np.nanstd(logs, axis=0) + 1e-6

    @property
    def _numbers(self) -> list[int]:
        account = self.problem.own.known["account"]
        known = ~np.isnan(account).all(axis=0)
        return [p for p, levels in enumerate(self.problem.facts["codes"]) if not levels and known[p]]

    def offered(self, part: Part, row: int) -> list[int]:
        """Treatments of a row, in the order of its lines."""
        return [index for index in self.problem.learned if part.eligible[row, index]]

    def learned_from(self) -> Iterator[str]:
        """Examples with the cost of what was chosen and its probability."""
        problem = self.problem
        shared, actions = self._shared(problem.own), self._actions(problem.own)
        for row in problem.usable:
            action = problem.action[row]
            label = f"0:{-problem.reward[row] / self.scale:.4g}:{problem.probability[row]:.4g} "
            yield shared[row]
            for index in self.offered(problem.own, row):
                yield (label if index == action else "") + actions[index][row]
            yield "\n"

    def asked(self) -> Iterator[str]:
        """Examples without a label."""
        part = self.problem.asked
        shared, actions = self._shared(part), self._actions(part)
        for row in range(len(part)):
            yield shared[row]
            yield from (actions[index][row] for index in self.offered(part, row))
            yield "\n"

    def _shared(self, part: Part) -> list[str]:
        account = part.known["account"]
        scaled = (np.log1p(np.abs(account[:, self._numbers])) - self.mean) / self.spread
        texts = [
            " ".join(f"n{c}:{value:.3g}" for c, value in enumerate(row) if not np.isnan(value))
            for row in scaled
        ]
        coded = [p for p, levels in enumerate(self.problem.facts["codes"]) if levels]
        codes = [" ".join(f"k{p}_{code:.0f}" for p, code in zip(coded, row, strict=True))
                 for row in account[:, coded]]  # fmt: skip
        return [f"shared |a {text} {code}\n" for text, code in zip(texts, codes, strict=True)]

    def _actions(self, part: Part) -> dict[int, list[str]]:
        """Treatment -> its line in every row; equal lines are made once."""
        facts, found = self.problem.facts, {}
        for index in self.problem.learned:
            channel, topic = facts["channel_of"][index], facts["topic_of"][index]
            own = [
                self._few(part, "channel", channel),
                self._few(part, "topic", topic),
                self._few(part, "message", index),
            ]
            rows, back = np.unique(np.concatenate(own, axis=1), axis=0, return_inverse=True)
            name = f"|t t{index} |c c{channel} |p p{topic} |m"
            texts = [
                name + "".join(f" m{c}:{value:.3g}" for c, value in enumerate(row) if value) + "\n"
                for row in rows
            ]
            found[index] = [texts[code] for code in back.reshape(-1)]
        return found

    def _few(self, part: Part, group: str, place: int) -> Array:
        names = self.problem.facts["names"][group]
        kept = [
            c for c, name in enumerate(names) if name.endswith(WINDOWS) or name.startswith("response_rate")
        ]
        if place < 0:
            return np.zeros((len(part), len(kept)), dtype=np.float32)
        return np.round(np.nan_to_num(part.known[group][:, place, kept]), 2)
