"""Twins: similar accounts that buy much more, what that is worth, what they buy, and what was tried on them.

A claim has to survive three temptations. Neighbours are never quite alike: so what twins buy is scaled to
what accounts with the account's traits usually buy. Whoever picks the accounts that bought most finds some
that were lucky: so twins are chosen by what they bought in every second period of the window, and compared on
the periods between. And whoever looks at a million accounts finds differences by chance: so each account that
buys less than its twins is tested, and together the claims keep the stated error rate. No better twin, or too
few, and nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from typing import NamedTuple

import numpy as np

from engine.approaches import SEPARATOR, steps_of
from engine.expected import usual_purchases
from engine.facts import Attribute
from engine.neighbours import NeighbourIndex, Places, build_index, nearest, trait_space, typical_distance
from engine.numerics import compiled, normal_tail_one
from engine.records import Floats, Ints
from engine.twin_book import Book, Bought, Tried
from engine.twin_settings import TwinSettings

LEVEL = 0.9
"""Of the intervals."""
_Z = 1.6448536269514722
"""Half of what is outside that level lies above it for a normal number."""
_ON_EITHER_SIDE = 0.2
"""Share of the similar accounts that usually buy no more than the account, and no less: who stands at the
end of the book would be compared by a guess."""
BLOCK = 20_000
"""Accounts judged at once: what is kept of their neighbours in between stays small."""
MOST_ITEMS = 6
MOST_APPROACHES = 4
(TAIL, VALUE, LOW, HIGH, POTENTIAL) = range(5)
"""Columns of a judgement."""


@dataclass(frozen=True)
class Comparison:
    """Everything that judging an account needs: the book, who is alike, and how.

    Attributes:
        within: Squared distance beyond which nobody is similar.
        usual: What accounts with such traits usually buy in the window; shape (n,).
    """

    book: Book
    settings: TwinSettings
    index: NeighbourIndex
    within: float
    usual: Floats


@dataclass(frozen=True)
class Approach:
    """What was tried on similar accounts: each account once, the first time.

    Attributes:
        steps: Channels or groups, in their order.
        worked, failed: Places of the accounts on which a larger purchase followed, or did not.
        low, high: Interval of the share that worked, `LEVEL`.
    """

    steps: tuple[str, ...]
    worked: tuple[int, ...]
    failed: tuple[int, ...]
    low: float
    high: float


@dataclass(frozen=True)
class Item:
    """A product, or kind of outcome: what the account and its twins buy of it in the window, in currency."""

    item: str
    own: float
    twins: float
    buyers: tuple[int, ...]


@dataclass(frozen=True)
class Claim:
    """One account that buys less than similar ones. Amounts in currency a year; accounts are places in the
    book.

    Attributes:
        account: The account.
        own: What it bought in the window.
        value: Unrealised: what its twins buy beyond it, compared on the periods that did not choose them.
        low, high: Its interval, `LEVEL`.
        similar: Similar accounts, the nearest first.
        twins: Those of them that buy most, the largest first.
        items: What they buy, the largest difference first.
        approaches: What was tried on similar accounts, the surest success first.
    """

    account: int
    own: float
    value: float
    low: float
    high: float
    similar: tuple[int, ...]
    twins: tuple[int, ...]
    items: tuple[Item, ...]
    approaches: tuple[Approach, ...]


def comparison(book: Book, settings: TwinSettings, traits: tuple[Attribute, ...]) -> Comparison:
    """Make the book searchable."""
    usual = usual_purchases(book.traits, _window(book.periods), traits)
    space = trait_space(book.traits, traits, usual)
    return Comparison(book, settings, build_index(space), typical_distance(space, settings.alike), usual)


def judge(compared: Comparison, rows: Ints) -> Floats:
    """Compare some accounts with their twins; each row depends on its own account alone.

    Similar is who is near and usually buys between half and twice as much, going by traits. Of these the
    twins are the `upper_share` that bought most in the even periods, as measured by what they usually buy.
    What they bought in the odd periods, scaled to the account's usual purchases and to the whole window, says
    what it could buy:

    - the potential is their median, with the order-statistic interval that holds for any distribution;
    - the unrealised value is the potential less what the account bought, whose own interval is that of a
      count with the noise of similar accounts; together they give its interval (variance estimates recovery);
    - the tail probability is that of buying as little by chance if in the long run the twins bought no more
      than `much` times what the account does. Noise is how the purchases of similar accounts vary from period
      to period, relative to their sum; how well the potential is known is added to it.

    Args:
        rows: Places in the book; shape (m,).

    Returns:
        Columns TAIL, VALUE, LOW, HIGH, POTENTIAL, the amounts in currency a year; NaN for accounts without
        enough twins; shape (m, 5).

    Source:
        David and Nagaraja (2003), Order Statistics, 7.1; Zou and Donner (2008), Construction of Confidence
        Limits about Effect Measures; Breslow and Day (1987), Statistical Methods in Cancer Research II, 2.13
        (Byar); Lancaster (1961), Significance Tests in Discrete Distributions (mid-P).
    """
    judged = np.full((len(rows), 5), np.nan)
    for start in range(0, len(rows), BLOCK):
        block = np.asarray(rows[start : start + BLOCK], dtype=np.int64)
        similar = _similar(compared, block)
        _judge_all(
            _Purchases(compared.book.periods, compared.usual), block, similar, _rule(compared), judged[start:]
        )
    return judged


def claimed(judged: Floats, settings: TwinSettings) -> Ints:
    """Which of all judged accounts a claim is made for.

    Benjamini and Hochberg's procedure over all accounts that were judged: of the claims at most `error_rate`
    are expected to be of accounts whose twins do not truly buy `much` times as much. What is left must be
    worth `minimum_value` at the lower end of its interval.

    Args:
        judged: Rows of `judge` for all accounts; shape (n, 5).

    Returns:
        Places, sorted.

    Source:
        Benjamini and Hochberg (1995), Controlling the False Discovery Rate.
    """
    tested = np.flatnonzero(~np.isnan(judged[:, TAIL]))
    order = tested[np.argsort(judged[tested, TAIL], kind="stable")]
    allowed = settings.error_rate * np.arange(1, len(order) + 1) / max(len(order), 1)
    passed = np.flatnonzero(judged[order, TAIL] <= allowed)
    kept = order[: passed[-1] + 1] if len(passed) else order[:0]
    low = judged[kept, LOW]
    return np.sort(kept[(low > 0.0) & (low >= settings.minimum_value)])


def tell(compared: Comparison, rows: Ints, judged: Floats, steps: tuple[str, ...]) -> Iterator[Claim]:
    """What can be said of the accounts that a claim is made for.

    Args:
        rows: Places, as `claimed` gives them.
        judged: Their rows of `judge`; shape (m, 5).
        steps: What steps of an approach may be called.
    """
    book, settings = compared.book, compared.settings
    similar = _similar(compared, rows)
    for place, account in enumerate(rows):
        alike = similar[place][similar[place] >= 0]
        twins = _twins_of(book.periods, compared.usual, alike, settings.upper_share)
        yield Claim(
            account=int(account),
            own=float(_window(book.periods[account : account + 1])[0]),
            value=float(judged[place, VALUE]),
            low=float(judged[place, LOW]),
            high=float(judged[place, HIGH]),
            similar=tuple(alike.tolist()),
            twins=tuple(twins.tolist()),
            items=_items(book, int(account), twins),
            approaches=_approaches(book.tried, alike, steps, settings.least_tries),
        )


def median_ranks(most: int) -> Ints:
    """The rank, from 0, at which smallest and largest values enclose the median with at least `LEVEL`.

    One for each number of values up to `most`, -1 where there are too few; shape (most + 1,).
    """
    ranks = np.full(most + 1, -1, dtype=np.int64)
    for count in range(1, most + 1):
        outside, rank = 0, -1
        while True:
            outside += comb(count, rank + 1)
            if 2 * outside > (1.0 - LEVEL) * 2**count:
                break
            rank += 1
        ranks[count] = rank
    return ranks


def wilson(worked: int, tried: int) -> tuple[float, float]:
    """The interval of a share, `LEVEL`.

    Source:
        Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference.
    """
    share, square = worked / tried, _Z * _Z
    middle = (share + square / (2 * tried)) / (1 + square / tried)
    half = _Z * np.sqrt(share * (1 - share) / tried + square / (4 * tried * tried)) / (1 + square / tried)
    # Rounded, the bound of a share at the edge could lie a hair inside it.
    low = 0.0 if worked == 0 else float(middle - half)
    return low, 1.0 if worked == tried else float(middle + half)


def _similar(compared: Comparison, rows: Ints) -> Places:
    """The nearest accounts of some accounts that usually buy about as much; -1 at the end; shape (m, k)."""
    similar, _ = nearest(compared.index, rows, compared.settings.neighbours, within=compared.within)
    _drop_others(compared.usual, np.asarray(rows, dtype=np.int64), similar)
    return similar


def _rule(compared: Comparison) -> _Rule:
    settings = compared.settings
    ranks = median_ranks(settings.neighbours)
    year = 365.0 / settings.window_days
    return _Rule(settings.upper_share, settings.least_twins, ranks, compared.book.season, year, settings.much)


class _Purchases(NamedTuple):
    """Of all accounts: what they bought by period, and what accounts with their traits usually buy."""

    periods: Floats
    usual: Floats


class _Rule(NamedTuple):
    """How accounts are judged; `ranks` as `median_ranks` gives them, `year`: windows in a year."""

    share: float
    least: int
    ranks: Ints
    season: float
    year: float
    much: float


@compiled
def _drop_others(usual: Floats, rows: Ints, similar: Places) -> None:
    for i in range(rows.size):
        kept = 0
        for j in range(similar.shape[1]):
            place = similar[i, j]
            own = usual[rows[i]]
            if place >= 0 and own > 0.0 and 0.5 * own <= usual[place] <= 2.0 * own:
                similar[i, kept] = place
                kept += 1
        similar[i, kept:] = -1


@compiled
def _window(periods: Floats) -> Floats:
    """What each account bought in the whole window."""
    out = np.zeros(periods.shape[0])
    for i in range(periods.shape[0]):
        for period in range(periods.shape[1]):
            out[i] += periods[i, period]
    return out


@compiled
def _chosen_by(periods: Floats, account: int) -> float:
    """What an account bought in the even periods."""
    added = 0.0
    for period in range(0, periods.shape[1], 2):
        added += periods[account, period]
    return added


@compiled
def _compared_by(periods: Floats, account: int) -> tuple[float, float]:
    """What an account bought in the odd periods, and the variance of that from period to period."""
    count = periods.shape[1] // 2
    added, squares = 0.0, 0.0
    for period in range(1, periods.shape[1], 2):
        added += periods[account, period]
    for period in range(1, periods.shape[1], 2):
        squares += (periods[account, period] - added / count) ** 2
    return added, squares / (count - 1) * count


@compiled
def _twins_of(periods: Floats, usual: Floats, similar: Places, share: float) -> Places:
    """The upper part in the even periods, the largest first; equals in the order of their likeness."""
    less = np.empty(similar.size)
    for j in range(similar.size):
        less[j] = -_chosen_by(periods, similar[j]) / usual[similar[j]]
    return similar[np.argsort(less, kind="mergesort")[: int(share * similar.size)]]


@compiled
def _is_among(usual: Floats, account: int, similar: Places) -> bool:
    """Whether enough similar accounts usually buy no more than an account, and enough no less."""
    less, more = 0, 0
    for j in range(similar.size):
        less += usual[similar[j]] <= usual[account]
        more += usual[similar[j]] >= usual[account]
    return min(less, more) >= _ON_EITHER_SIDE * similar.size


@compiled
def _noise(periods: Floats, similar: Places) -> float:
    """Variance of what similar accounts buy, relative to what they buy; in currency."""
    bought, squares = 0.0, 0.0
    for j in range(similar.size):
        own, variance = _compared_by(periods, similar[j])
        bought += own
        squares += variance
    return squares / bought if bought > 0.0 else 0.0


@compiled
def _judge_all(bought_by: _Purchases, rows: Ints, similar: Places, rule: _Rule, judged: Floats) -> None:
    periods, usual = bought_by
    for i in range(rows.size):
        alike = similar[i][similar[i] >= 0]
        twins = _twins_of(periods, usual, alike, rule.share)
        enough = twins.size >= rule.least and rule.ranks[twins.size] >= 0
        if enough and _is_among(usual, rows[i], alike):
            scaled = np.empty(twins.size)
            for j in range(twins.size):
                bought, _ = _compared_by(periods, twins[j])
                scaled[j] = bought * rule.season * usual[rows[i]] / usual[twins[j]]
            # What was given back last year can be more than what was bought.
            own = max(0.0, _window(periods[rows[i] : rows[i] + 1])[0])
            _judge_one(own, np.sort(scaled), _noise(periods, alike), rule, judged[i])


@compiled
def _judge_one(own: float, bought: Floats, noise: float, rule: _Rule, judged: Floats) -> None:
    half, rank = bought.size // 2, rule.ranks[bought.size]
    potential = bought[half] if bought.size % 2 else (bought[half - 1] + bought[half]) / 2.0
    low, high = bought[rank], bought[bought.size - 1 - rank]
    gap, known = potential - own, ((high - low) / (2.0 * _Z)) ** 2
    judged[TAIL] = 1.0
    if gap > 0.0:
        judged[TAIL] = _tail(own, potential / rule.much, noise + known / potential)
    below, above = _around(own, noise)
    judged[VALUE] = rule.year * gap
    judged[LOW] = rule.year * (gap - np.sqrt((potential - low) ** 2 + (above - own) ** 2))
    judged[HIGH] = rule.year * (gap + np.sqrt((high - potential) ** 2 + (own - below) ** 2))
    judged[POTENTIAL] = rule.year * potential


@compiled
def _tail(own: float, expected: float, noise: float) -> float:
    """P(no more than that | expected, variance = noise x expected): mid-P of a scaled count, by Byar.

    Half of the probability of exactly that count is left out, or small accounts could never be told of.
    """
    if noise <= 0.0:
        return 0.0
    count = own / noise + 0.5
    root = np.cbrt(expected / noise / count)
    return normal_tail_one(3.0 * np.sqrt(count) * (root - 1.0 + 1.0 / (9.0 * count)))


@compiled
def _around(own: float, noise: float) -> tuple[float, float]:
    """The interval of what is bought in the long run, given what was bought: a scaled count, by Byar."""
    if noise <= 0.0:
        return own, own
    count, more = own / noise, own / noise + 1.0
    above = more * (1.0 - 1.0 / (9.0 * more) + _Z / (3.0 * np.sqrt(more))) ** 3
    below = 0.0
    if count > 0.0:
        below = count * max(0.0, 1.0 - 1.0 / (9.0 * count) - _Z / (3.0 * np.sqrt(count))) ** 3
    return below * noise, above * noise


def _items(book: Book, account: int, twins: Places) -> tuple[Item, ...]:
    """What twins buy on average beyond the account, by product."""
    own, mean = np.zeros(len(book.items)), np.zeros(len(book.items))
    _add_items(book.bought, np.array([account], dtype=np.int32), own)
    _add_items(book.bought, twins, mean)
    order = np.argsort(-(mean - own), kind="stable")[:MOST_ITEMS]
    return tuple(
        Item(book.items[item], float(own[item]), float(mean[item]), _buyers(book.bought, twins, int(item)))
        for item in order
        if mean[item] > own[item]
    )


@compiled
def _add_items(bought: Bought, accounts: Places, mean: Floats) -> None:
    for account in accounts:
        for row in range(bought.start[account], bought.start[account + 1]):
            mean[bought.item[row]] += bought.amount[row] / accounts.size


def _buyers(bought: Bought, accounts: Places, item: int) -> tuple[int, ...]:
    return tuple(
        int(a) for a in accounts if item in bought.item[bought.start[a] : bought.start[a + 1]].tolist()
    )


def _approaches(tried: Tried, similar: Places, steps: tuple[str, ...], least: int) -> tuple[Approach, ...]:
    """Those that were tried often enough, by the lower end of their share of successes."""
    outcomes: dict[int, tuple[list[int], list[int]]] = {}
    for account in similar.tolist():
        for row in range(tried.start[account], tried.start[account + 1]):
            worked, failed = outcomes.setdefault(int(tried.code[row]), ([], []))
            (worked if tried.worked[row] else failed).append(account)
    told = [
        Approach(tuple(steps_of(code, steps).split(SEPARATOR)), tuple(worked), tuple(failed),
                 *wilson(len(worked), len(worked) + len(failed)))
        for code, (worked, failed) in sorted(outcomes.items())
        if len(worked) + len(failed) >= least
    ]  # fmt: skip
    return tuple(sorted(told, key=lambda approach: -approach.low)[:MOST_APPROACHES])
