"""Which samples are a sound: what reads, serves and listens refuses those that are none, in the same words."""

import math

import numpy as np

# Float samples may exceed full scale, as a mix does before its limiter, by 20 dB or so. Beyond 40 dB they are no sound
# but damage, whose powers overflow, or whole numbers that nobody has divided (those of 8 bits reach 128).
LOUDEST = 100.0


def why_no_sound(samples: np.ndarray, loudest: float = LOUDEST) -> str | None:
    """Why samples, of any shape, are no sound: they are not finite, or beyond `loudest`. None where they can be one."""
    peak = float(np.maximum(samples.max(initial=0.0), -samples.min(initial=0.0)))
    if not math.isfinite(peak):
        return "has samples that are NaN or infinite"
    return f"has samples as large as {peak:.3g}, and full scale is 1" if peak > loudest else None
