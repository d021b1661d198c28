"""Times two implementations on the same requests, alternately, so that the same load affects both."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

ROUNDS = 3
Request = TypeVar("Request")


@dataclass(frozen=True, slots=True)
class Pair:
    """Milliseconds over all rounds. Ratios are engine / bare; spreads are the extremes of the rounds."""

    ours_p50: float
    ours_p99: float
    bare_p50: float
    bare_p99: float
    ratio_p50: float
    ratio_p50_spread: tuple[float, float]
    ratio_p99: float
    ratio_p99_spread: tuple[float, float]
    requests: int

    def to_dict(self) -> dict[str, Any]:
        return {name: _round(value) for name, value in asdict(self).items()}


def time_interleaved(
    engine: Callable[[Request], object], bare: Callable[[Request], object], requests: Sequence[Request]
) -> Pair:
    """Times each request on both, each first in turn. A round before them warms up and does not count."""
    rounds = [
        [_time_both(engine, bare, request, turn) for turn, request in enumerate(requests)]
        for _ in range(ROUNDS + 1)
    ]
    times = np.array(rounds[1:]) * 1000
    ours_ms, bare_ms = times[..., 0], times[..., 1]
    p50, p99 = compute_ratios(ours_ms, bare_ms, 50), compute_ratios(ours_ms, bare_ms, 99)
    return Pair(
        ours_p50=float(np.percentile(ours_ms, 50)),
        ours_p99=float(np.percentile(ours_ms, 99)),
        bare_p50=float(np.percentile(bare_ms, 50)),
        bare_p99=float(np.percentile(bare_ms, 99)),
        ratio_p50=float(np.percentile(ours_ms, 50) / np.percentile(bare_ms, 50)),
        ratio_p50_spread=(float(p50.min()), float(p50.max())),
        ratio_p99=float(np.percentile(ours_ms, 99) / np.percentile(bare_ms, 99)),
        ratio_p99_spread=(float(p99.min()), float(p99.max())),
        requests=len(requests),
    )


def _time_both(
    engine: Callable[[Request], object], bare: Callable[[Request], object], request: Request, turn: int
) -> tuple[float, float]:
    if turn % 2:
        second = _time_call(bare, request)
        return _time_call(engine, request), second
    return _time_call(engine, request), _time_call(bare, request)


def _time_call(call: Callable[[Request], object], request: Request) -> float:
    begun = time.perf_counter()
    call(request)
    return time.perf_counter() - begun


def compute_ratios(
    engine: NDArray[np.float64], bare: NDArray[np.float64], percentile: float
) -> NDArray[np.float64]:
    ratios: NDArray[np.float64] = np.percentile(engine, percentile, axis=1) / np.percentile(
        bare, percentile, axis=1
    )
    return ratios


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return [_round(part) for part in value] if isinstance(value, (tuple, list)) else value
