"""`python -m benchmarks canary`: how often a canary like the serving release is judged to differ, and how
many viewers a harmful one needs.

What viewers do in an hour is drawn from the simulator (`reelrank simulate`, in process, by popularity); the
verdicts are those of `reelrank loop`, read after every viewer.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments.rates import bound_rate
from benchmarks.markdown import format_table
from reelrank.app.simulation.films import Films, make_films
from reelrank.app.simulation.recommenders import InProcessRecommender
from reelrank.app.simulation.traffic import GroundTruth, TrafficOptions, run_traffic
from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.experiments.canary import ALPHA, CLICKS, RATIO_ALPHA, WATCH_TIME
from reelrank.ranking.experiments.sequential import compute_ratio_p, estimate_effect
from reelrank.ranking.progress import ignore_progress

CANARIES, SMALL_CANARIES = 1000, 100
VIEWERS = 3000
HARM, POWER = 0.1, 0.9
HARMFUL_VIEWERS, HARMFUL_CANARIES = 100_000, 40
SIMULATED_VIEWERS = 1500
MAX_RATE = 0.05
Outcomes = NDArray[np.float64]
"""Watch time in minutes and clicks per impression [v, 2] of simulated viewers."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks canary", description=__doc__)
    parser.add_argument("--small", action="store_true", help=f"{SMALL_CANARIES} canaries")
    parser.add_argument("--share", type=float, default=0.5, help="share of the canary, for the harmful ones")
    options = parser.parse_args(argv)
    outcomes = simulate_outcomes()
    count = SMALL_CANARIES if options.small else CANARIES
    differing = [find_verdict(outcomes, seed, 0.1, 0.0, VIEWERS) for seed in range(count)]
    judged = sum(viewers is not None for viewers in differing)
    low, high = bound_rate(judged, count)
    print(
        f"canaries like the serving release, {VIEWERS:,} viewers each, 10 % in the canary: judged to differ "
        f"at any look {judged} of {count} ({judged / count:.1%}, 99 % interval {low:.1%} to "
        f"{high:.1%}); at most {MAX_RATE:.0%} are meant"
    )
    report_harm(outcomes, options.share, HARMFUL_CANARIES // (4 if options.small else 1))
    return int(low > MAX_RATE)


def report_harm(outcomes: Outcomes, share: float, count: int) -> None:
    """Prints after how many viewers canaries that cost watch time are found."""
    rows = []
    for harm in (HARM, 0.2, 0.5):
        found = [find_verdict(outcomes, 10_000 + s, share, -harm, HARMFUL_VIEWERS) for s in range(count)]
        known = [viewers if viewers is not None else np.inf for viewers in found]
        needed = float(np.quantile(known, POWER))
        text = f"{needed:,.0f}" if np.isfinite(needed) else f"more than {HARMFUL_VIEWERS:,}"
        rows.append((f"-{harm:.0%}", text, f"{np.median(known):,.0f}"))
    head = ("watch time", f"viewers until {POWER:.0%} are rolled back", "median")
    print(
        f"harmful canaries, {share:.0%} of the viewers, {count} each\n{format_table(head, rows)}", flush=True
    )


def find_verdict(outcomes: Outcomes, seed: int, share: float, effect: float, viewers: int) -> int | None:
    """Returns after how many viewers a canary is first judged better, worse or wrongly assigned; None: never.

    effect: on watch time and clicks, as a share.
    """
    rng = np.random.default_rng(seed)
    drawn = outcomes[rng.integers(0, len(outcomes), viewers)]
    is_canary = rng.random(viewers) < share
    values = drawn * (1 + effect * is_canary)[:, None]
    is_judged = compute_ratio_p(is_canary, share) < RATIO_ALPHA
    for name, column in ((WATCH_TIME, 0), (CLICKS, 1)):
        sequence = estimate_effect(values[:, column], is_canary, share, ALPHA[name])
        is_judged |= (sequence.high < 0) | ((sequence.low > 0) & (name == WATCH_TIME))
    return int(np.argmax(is_judged)) + 1 if is_judged.any() else None


def simulate_outcomes(seed: int = 0) -> Outcomes:
    """Returns what simulated viewers do in a day: some have a session, some several, some none."""
    options = TrafficOptions(seed, SIMULATED_VIEWERS, 1.0, 20_000 * DAY_MS)
    films, viewers = Films(seed), options.create_viewers()
    films.add(make_films(seed, "film", 500, options.start_ms - 100 * DAY_MS))
    recommender = InProcessRecommender("popular", films, viewers, seed)
    totals = run_traffic(options, GroundTruth(films, viewers), recommender, ignore_progress).totals
    came = totals["impressions"] > 0
    clicks = totals["clicks"][came] / totals["impressions"][came]
    return np.column_stack([totals["minutes"][came], clicks])
