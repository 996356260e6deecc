"""Quotes of the simulated world: opened by contacts of some channels, later won, lost or left to expire."""

from __future__ import annotations

import numpy as np
import polars as pl

from data.world.scene import Scene
from data.world.tables import Contacts, frame, moments, numbered, texts
from engine.records import DAY_MICROS

_SETTLED = 0.8
"""Share of quotes that are answered before they expire."""


def offers_table(scene: Scene, contacts: Contacts) -> pl.DataFrame | None:
    """Each quote as it was opened and, once it is settled, as it was closed; None where nobody quotes."""
    settings, catalogue, offers = scene.settings, scene.catalogue, scene.settings.business.offers
    if offers is None:
        return None
    quoting = np.isin(np.array(catalogue.channels)[catalogue.channel], offers.channels)
    quoted = np.flatnonzero(quoting[contacts.treatment] & (contacts.at < settings.until_micros))
    rng, treatment, opened = settings.generator("offers"), contacts.treatment[quoted], contacts.at[quoted]
    lasts = round(offers.days * DAY_MICROS)
    closed = opened + (rng.random(len(quoted)) * lasts).astype(np.int64)
    settled = (rng.random(len(quoted)) < _SETTLED) & (closed < settings.until_micros)
    won = rng.random(len(quoted)) < offers.won / _SETTLED
    price = catalogue.price[treatment]
    rows = pl.DataFrame({
        "offer_id": numbered("Q", len(quoted)),
        "account_id": pl.Series(scene.people.account_ids).gather(contacts.account[quoted]),
        "topic": texts(catalogue.topic_names, catalogue.topic[treatment]),
        "product": texts([product or None for product in catalogue.products], treatment),
        "price": np.where(np.isnan(price), offers.price, price),
        "opened_at": moments(opened),
        "expires_at": moments(opened + lasts),
        "stored_at": moments(opened),
    }).with_columns(currency=pl.lit(catalogue.currency))  # fmt: skip
    closings = rows.with_columns(
        closed_at=moments(closed), stored_at=moments(closed), result=texts(("lost", "won"), won.astype(int))
    ).filter(pl.Series(settled))
    return frame("offers", pl.concat([rows, closings], how="diagonal_relaxed").to_dict(as_series=True))
