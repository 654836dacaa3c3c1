"""Where the sound in a recording begins and ends."""

import numpy as np

from kerasr.core.quiet import no_widget_advice


def find_sound(waveform: np.ndarray, below_db: float, *, frame_length: int = 1, hop_length: int = 1) -> tuple[int, int]:
    """The part of a recording from its first loud frame to its last, by `librosa.effects.trim`.

    Frames are loud where their root mean square is less than `below_db` under that of the loudest. Single samples will
    do where there is no noise around the sound; frames do not take one sample of noise for the beginning of a word.

    Args:
        waveform: `(samples,)` of any type.
        below_db: in dB, more than 0.
        frame_length: samples of a frame, which is centred: the recording has zeros before it and after it.
        hop_length: samples from one frame to the next.

    Returns:
        First sample and the one past the last; (0, 0) where all is zero.
    """
    with no_widget_advice():
        import librosa.effects  # Here: it takes seconds, and most of what reads recordings never trims one.

    if not waveform.any():
        return 0, 0
    _, (start, end) = librosa.effects.trim(
        waveform.astype(np.float64), top_db=below_db, frame_length=frame_length, hop_length=hop_length
    )
    return int(start), int(end)
