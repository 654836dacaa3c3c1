"""The cheapest monotonic way is the one that trying all of them finds."""

from itertools import combinations

import numpy as np

from kerasr.decoding.monotonic import monotonic_paths


def cheapest(costs):
    """By trying each way to divide the frames among the states."""
    time, states = costs.shape
    ways = (np.searchsorted(cuts, np.arange(time), side="right") for cuts in combinations(range(1, time), states - 1))
    return min(ways, key=lambda way: costs[np.arange(time), way].sum())


def test_no_other_way_costs_less(rng):
    shapes = [(9, 4), (7, 1), (5, 5), (8, 3)]
    costs = np.zeros((len(shapes), 9, 5))
    for clip, (time, states) in enumerate(shapes):
        costs[clip, :time, :states] = rng.normal(size=(time, states))
    found = monotonic_paths(costs, *np.array(shapes).T)
    for clip, (time, states) in enumerate(shapes):
        np.testing.assert_array_equal(found[clip, :time], cheapest(costs[clip, :time, :states]))
        assert (found[clip, time:] == -1).all()
