"""Where the sound in a recording begins and ends."""

import numpy as np


def find_sound(waveform: np.ndarray, below_db: float, *, frame_length: int = 1, hop_length: int = 1) -> tuple[int, int]:
    """The part of a recording from its first loud frame to its last, as `librosa.effects.trim` finds it.

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
    side = frame_length // 2
    squares = np.square(np.pad(waveform.astype(np.float64), side))
    sums = np.concatenate([[0.0], np.cumsum(squares)])
    starts = np.arange(0, max(len(squares) - frame_length + 1, 0), hop_length)
    # (Of single samples exactly: the difference of two sums would round them.)
    power = squares[starts] if frame_length == 1 else (sums[starts + frame_length] - sums[starts]) / frame_length
    level = np.sqrt(np.maximum(power, 0.0))
    loud = np.flatnonzero(level > level.max(initial=0.0) * 10 ** (-below_db / 20))
    if not len(loud):
        return 0, 0
    return int(loud[0]) * hop_length, min((int(loud[-1]) + 1) * hop_length, len(waveform))
