"""A run in use: what many threads ask at once is answered as it is one by one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from kerasr.runs.run import load_run


def test_eight_threads_have_equal_answers(tone_run):
    run = load_run(tone_run)
    waveforms = [np.random.default_rng(number).normal(0, 0.1, 3200).astype(np.float32) for number in range(16)]
    expected = [run.probs([waveform]) for waveform in waveforms]
    fresh = load_run(tone_run)  # So that they are the first to ask it, too.
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda waveform: fresh.probs([waveform]), waveforms * 4))
    for place, probs in enumerate(found):
        np.testing.assert_array_equal(probs, expected[place % len(waveforms)])
