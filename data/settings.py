"""What can be set from outside: environment variables that begin with NEXTBEST_.

One definition for every way in; `docs/operations.md` lists each with its meaning. A misspelt variable is an
error rather than a silent default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

from data.home import DataError, Home
from data.machine import processes_that_fit

PREFIX = "NEXTBEST_"


class SettingsError(DataError):
    """A setting is unknown or has a value that cannot be used."""

    exit_code = 2


class Settings(BaseSettings):
    """Every setting, from its default, the environment or (strongest) an option of a command.

    Raises SettingsError: an unknown NEXTBEST_ variable, or a value of the wrong type or range.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    home: Path = Field(Path("var"), description="State directory: ledger, history, nights, rejects, MLflow.")
    models: Path = Field(Path("models"), description="Folder of the releases.")
    ledger_url: str | None = Field(
        None, description="Ledger database, sqlite:///FILE or postgresql://...; default HOME/ledger.sqlite."
    )
    ledger_migration_url: str | None = Field(
        None,
        description="The same database by a role that may change tables: for `migrate` and `restore` alone.",
    )
    playbook: str = Field("pharma", description="A shipped playbook by name, or the path of a TOML file.")
    processes: int = Field(
        default_factory=processes_that_fit,
        ge=1,
        description="Processes of the night; default all cores, as far as memory goes (1 GB each).",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Of exploration: the same seed draws the same.")
    max_rejected: float = Field(
        0.01, ge=0, le=1, description="Share of a table's rows that may be rejected before a load stops."
    )
    freshness_touchpoints_hours: float = Field(
        48, gt=0, description="The night stops when the newest touchpoint was stored longer ago."
    )
    freshness_responses_hours: float = Field(
        24 * 14, gt=0, description="The same for responses; a source without any row is not checked."
    )
    freshness_outcomes_hours: float = Field(24 * 14, gt=0, description="The same for outcomes.")
    nights_kept_days: float = Field(
        30, gt=0, description="A complete night's files are removed after so many days."
    )
    audit_days: float = Field(
        730, ge=30, description="The night removes entries of the audit log that are older."
    )
    host: str = Field("127.0.0.1", description="Address on which `nextbest serve` listens.")
    port: int = Field(8000, ge=0, le=65535, description="Its port; 0 takes a free one.")
    token_days: float = Field(90, gt=0, description="How long a new token lasts.")
    https: bool | None = Field(
        None,
        description="Whether people reach the page over HTTPS; default: unless it is served here.",
    )
    page_url: str | None = Field(
        None, description="Where people reach the page, https://...; the provider sends them back there."
    )
    local_sign_in: bool = Field(True, description="Whether the page takes passwords of its own.")
    oidc_issuer: str | None = Field(
        None, description="OpenID Connect provider, as its tokens name it; none: nobody signs in by one."
    )
    oidc_client_id: str | None = Field(None, description="As the provider knows this page.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="Shared with the provider; none for a public client."
    )
    oidc_audience: str | None = Field(
        None, description="Of access tokens that the API takes; none: it takes none of the provider's."
    )
    oidc_roles: dict[str, str] = Field(
        {}, description="JSON object, group -> role; of several the first holds, without one nobody comes in."
    )
    oidc_groups_claim: str = Field("groups", description="Where tokens say the groups.")
    oidc_user_claim: str = Field(
        "sub", description="Whose value is the user's id here, when she first comes."
    )
    oidc_scopes: str = Field("openid profile", description="What the provider is asked for.")
    oidc_minutes: float = Field(
        5, gt=0, le=60, description="What the provider said holds so long, then it is asked again."
    )
    session_idle_hours: float = Field(8, gt=0, description="Who was away for so long signs in again.")
    session_hours: float = Field(72, gt=0, description="After so long everybody signs in again.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="What the server logs; a line per request from info on."
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="One JSON object a line, or text for the eye."
    )
    requests_per_minute: int = Field(
        3000, ge=0, description="Of one user to one process, more are a 429; 0 = no limit."
    )
    max_body_bytes: int = Field(
        1_000_000, ge=1000, description="Larger bodies of requests are refused with 413."
    )
    max_events: int = Field(200, ge=1, description="Events of one request at most.")
    max_page: int = Field(200, ge=1, description="Rows of one page of a list at most.")
    trusted_proxies: str = Field(
        "127.0.0.1", description="Addresses whose X-Forwarded headers are believed, by comma; * = all."
    )
    stop_seconds: float = Field(
        20, gt=0, description="How long a stopping server finishes what it has begun."
    )
    debug: bool = Field(False, description="Show the traceback of an error beside its one line.")

    def __init__(self, **given: Any) -> None:
        _refuse_unknown(os.environ)
        try:
            super().__init__(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            raise SettingsError(_one_line(error)) from None
        except UnreadableError as error:
            raise SettingsError(f"{PREFIX}OIDC_ROLES: need a JSON object, group -> role ({error}).") from None

    def as_home(self) -> Home:
        """The places that follow from the settings; creates nothing."""
        return Home.at(self.home, models=self.models, ledger_url=self.ledger_url)

    def freshness_hours(self) -> dict[str, float]:
        """Table -> hours after which its newest row is too old for a night."""
        return {
            "touchpoints": self.freshness_touchpoints_hours,
            "responses": self.freshness_responses_hours,
            "outcomes": self.freshness_outcomes_hours,
        }


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            close = get_close_matches(name, sorted(known), n=1)
            hint = f", did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}."
            raise SettingsError(f"Unknown environment variable {name}{hint}")


def _one_line(error: ValidationError) -> str:
    fault = error.errors()[0]
    name = str(fault["loc"][0]) if fault["loc"] else "settings"
    return f"{PREFIX}{name.upper()}: got {fault.get('input')!r}. {fault['msg']}."
