"""Test-time augmentation of transcripts: a clip at several speeds, and the transcript that is likeliest at all of them.

Outputs of CTC cannot be averaged over speeds, as logits of words are: their peaks are frames apart. So what each speed
says is weighed by CTC at all of them, and the outputs of that one speed are taken, moved to the clip's own times.

Source: Graves et al., "Connectionist Temporal Classification", ICML 2006, section 4.1 (the forward variables),
https://www.cs.toronto.edu/~graves/icml_2006.pdf.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from kerasr.decoding.alignment import FrameTimes
from kerasr.decoding.greedy import collapse
from kerasr.layers.ctc import BLANK


def choose_speed(logits: Mapping[float, np.ndarray], times: FrameTimes) -> np.ndarray:
    """The outputs at the speed whose greedy transcript is likeliest at all of them.

    Args:
        logits: `(time, outputs)` of a clip at each speed, the blank first; 1, its own, is among them.
        times: of the outputs at its own speed.

    Returns:
        Logits as many as at its own speed, and at the same times.
    """
    from scipy.special import log_softmax

    found = {speed: tuple(collapse(outputs.argmax(-1))) for speed, outputs in logits.items()}
    if len({*found.values()}) == 1:
        return logits[1.0]
    log_probs = {speed: log_softmax(outputs.astype(np.float64), axis=-1) for speed, outputs in logits.items()}
    likelihood = {tokens: sum(log_likelihood(one, tokens) for one in log_probs.values()) for tokens in found.values()}
    # Of equals the one that is nearest to its own.
    for speed in sorted(logits, key=lambda speed: (-likelihood[found[speed]], abs(speed - 1))):
        frames = _frames_at_own_times(log_probs[speed][:, BLANK], speed, len(logits[1.0]), times)
        outputs = logits[speed][frames]
        # (Two tokens of a clip that is played slower may fall on one frame.)
        if tuple(collapse(outputs.argmax(-1))) == found[speed]:
            return outputs
    return logits[1.0]


def log_likelihood(log_probs: np.ndarray, token_ids: Sequence[int]) -> float:
    """The logarithm of a transcript's probability, of all paths that say it; -inf where there is none.

    Args:
        log_probs: `(time, outputs)` logarithms of probabilities, the blank first.
        token_ids: of the transcript; there may be none.
    """
    # Blanks around and between the tokens: a path begins with one of the first two, and ends with one of the last.
    states = np.full(2 * len(token_ids) + 1, BLANK)
    states[1::2] = token_ids
    # From one token straight to the next, where it is another.
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    forward = np.full(len(states), -np.inf)
    forward[:2] = log_probs[0, states[:2]]
    for frame in log_probs[1:]:
        before = np.concatenate([[-np.inf, -np.inf], forward])
        skipped = np.where(skips, before[:-2], -np.inf)
        forward = np.logaddexp(np.logaddexp(forward, before[1:-1]), skipped) + frame[states]
    return float(np.logaddexp.reduce(forward[-2:]))


def _frames_at_own_times(blank: np.ndarray, speed: float, num_frames: int, times: FrameTimes) -> np.ndarray:
    """For each frame of a clip at its own speed, which of those at another is taken.

    Of several that fall on it the one that is the least blank, by its logarithms `(time,)`; of none, the nearest.
    """
    first = times.first / times.step
    nearest = np.rint((first + np.arange(num_frames)) / speed - first)
    taken = np.clip(nearest, 0, len(blank) - 1).astype(int)
    own = np.rint((first + np.arange(len(blank))) * speed - first).astype(int)
    order = np.argsort(-blank)
    order = order[(own[order] >= 0) & (own[order] < num_frames)]
    taken[own[order]] = order  # Of several, the last.
    return taken
