"""What a decision hands over by itself: accounts that a rule qualifies, and reported side effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import polars as pl

from data.ledger.hand_over_types import NewHandOver
from data.ledger.hand_overs import hand_over_id
from data.times import micros
from engine.contract import TIME
from engine.decide import Decisions
from engine.playbook import Playbook
from engine.records import DAY_MICROS, FEW, Bools, History, known_rows
from engine.service_levels import due_at
from engine.stage_rules import qualified, stage_at

REPORT_DAYS = 30.0
"""Reports that our side learned of within so many days are handed over, if they have not been."""


@dataclass(frozen=True)
class Report:
    """A side effect that an account reported, and when our side learned of it (microseconds UTC)."""

    touchpoint_id: str
    account_id: str
    topic: str
    learned_at: int
    role: str
    user_id: str | None


@dataclass(frozen=True)
class Automatic:
    """What some decisions hand over.

    Attributes:
        flags: Which rule qualifies which account; shape (n, rules).
        reports: By account.
        zones: user_id -> IANA time zone, where it is known.
    """

    playbook: Playbook
    decisions: Decisions
    flags: Bools
    reports: Mapping[str, list[Report]]
    zones: Mapping[str, str]

    @classmethod
    def of(
        cls, decisions: Decisions, history: History, playbook: Playbook, zones: Mapping[str, str]
    ) -> Automatic:
        """By the facts that the decisions knew, and the time zones of colleagues."""
        as_of = int(decisions.moments.as_of.max()) if len(decisions.moments) else 0
        reports: dict[str, list[Report]] = {}
        for report in reported(history, playbook, as_of):
            reports.setdefault(report.account_id, []).append(report)
        return cls(playbook, decisions, qualified(decisions.features, playbook), reports, zones)

    def for_row(self, row: int, team: Mapping[str, str]) -> list[dict[str, object]]:
        """What is handed over for one of the moments, as `LoggedDecision.hand_overs` wants it.

        Args:
            team: Role -> user_id of the account.
        """
        account = self.decisions.moments.account_ids[row]
        return [
            *(asdict(self._lead(row, index, team)) for index in self.flags[row].nonzero()[0].tolist()),
            *(asdict(self._safety(report, team)) for report in self.reports.get(account, ())),
        ]

    def _lead(self, row: int, index: int, team: Mapping[str, str]) -> NewHandOver:
        rule = self.playbook.hand_overs[index]
        account = self.decisions.moments.account_ids[row]
        decided_at = int(self.decisions.moments.as_of[row])
        stage = stage_at(self.decisions.features, self.playbook, row)
        return NewHandOver(
            hand_over_id=hand_over_id("qualified", account, rule.id, decided_at),
            account_id=account,
            kind="qualified",
            rule=rule.id,
            by_role=rule.by,
            to_role=rule.to,
            to_user=team.get(rule.to),
            due_at=due(self.playbook, rule.to, decided_at, self.zones.get(team.get(rule.to, ""))),
            stage=stage.id if stage else None,
            again_micros=round(rule.again_days * DAY_MICROS),
        )

    def _safety(self, report: Report, team: Mapping[str, str]) -> NewHandOver:
        role = self.playbook.safety_role
        return NewHandOver(
            hand_over_id=report_id(report.touchpoint_id),
            account_id=report.account_id,
            kind="safety",
            topic=report.topic,
            touchpoint_id=report.touchpoint_id,
            by_role=report.role,
            by_user=report.user_id,
            to_role=role,
            to_user=team.get(role),
            due_at=due(self.playbook, role, report.learned_at, self.zones.get(team.get(role, ""))),
        )


def report_id(touchpoint_id: str) -> str:
    """The id of the hand-over of a report: there is one, however often it is decided."""
    return hand_over_id("safety", touchpoint_id)


def reported(history: History, playbook: Playbook, as_of: int) -> list[Report]:
    """Side effects that accounts reported and our side learned of lately, as known at that moment."""
    topics = [topic.id for topic in playbook.topics if topic.safety]
    touchpoints = history["touchpoints"]
    if not topics or (len(touchpoints) <= FEW and not {*topics} & {*touchpoints["topic"].to_list()}):
        return []
    after = pl.lit(as_of - round(REPORT_DAYS * DAY_MICROS)).cast(TIME)
    about = pl.col("topic").is_in(topics) & (pl.col("direction") == "inbound") & (pl.col("status") == "done")
    rows = known_rows(touchpoints.filter(about & (pl.col("stored_at") > after)), as_of)
    return [
        Report(row["touchpoint_id"], row["account_id"], row["topic"], micros(row["stored_at"]),
               row["role"] or "", row["user_id"])
        for row in rows.sort("touchpoint_id").iter_rows(named=True)
    ]  # fmt: skip


def due(playbook: Playbook, role: str, since: int, zone: str | None = None) -> int | None:
    """Until when the role has to act on what it got then; None = nothing is agreed.

    Args:
        zone: Of whoever got it, where that is known; else the playbook's.
    """
    level = playbook.service_levels.get(role)
    holidays = next((one.holidays for one in playbook.calendars if one.id == "default"), ())
    return None if level is None else due_at(level, since, _zone(zone, playbook.default_timezone), holidays)


def _zone(*names: str | None) -> tzinfo:
    for name in names:
        try:
            return ZoneInfo(name or "")
        except (KeyError, ValueError, OSError):
            continue
    return UTC
