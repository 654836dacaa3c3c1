"""The cheapest way through states that follow one another, none of them left out."""

import numpy as np


def monotonic_paths(costs: np.ndarray, num_frames: np.ndarray, num_states: np.ndarray) -> np.ndarray:
    """Which state each frame is in, on the way from the first state to the last that costs the least.

    A frame is in the state of the frame before it, or in the next. All clips are searched at a time.

    Args:
        costs: `(batch, time, states)` of each frame in each state.
        num_frames: `(batch,)` of each clip.
        num_states: `(batch,)` of each clip, no more than its frames.

    Returns:
        int32 `(batch, time)`, -1 past a clip's end.

    Source: Kim et al., "Glow-TTS", NeurIPS 2020, https://arxiv.org/abs/2005.11129, section 3.2 (monotonic alignment
    search).
    """
    batch, time, states = costs.shape
    best = np.full((batch, states + 1), np.inf)  # A column before the first state: nothing comes from there.
    best[:, 1] = costs[:, 0, 0]
    moved = np.zeros((batch, time, states), bool)
    for frame in range(1, time):
        moved[:, frame] = best[:, :-1] < best[:, 1:]
        best[:, 1:] = costs[:, frame] + np.minimum(best[:, :-1], best[:, 1:])
    clips, paths = np.arange(batch), np.full((batch, time), -1, np.int32)
    state = num_states - 1
    for frame in reversed(range(time)):
        inside = frame < num_frames
        paths[inside, frame] = state[inside]
        state = state - (inside & moved[clips, frame, state])
    return paths
