"""Generation of a text, token by token: the likeliest at each step, or a beam of several texts."""

from dataclasses import dataclass

import numpy as np

from kerasr.pretrained.decoder import Decoder, log_softmax


@dataclass(frozen=True)
class Generated:
    """A text's tokens.

    Attributes:
        token_ids: without the prompt and the end.
        log_prob: sum of the logarithms of its tokens' probabilities, the end's among them where it has one.
        num_steps: tokens that this is the sum of.
    """

    token_ids: tuple[int, ...]
    log_prob: float
    num_steps: int

    @property
    def mean_log_prob(self) -> float:
        """By which texts of different length are compared."""
        return self.log_prob / max(self.num_steps, 1)


def generate(decoder: Decoder, waveform: np.ndarray, *, beam: int = 1) -> Generated:
    """The text of a waveform.

    After each token the `beam` likeliest texts are kept; those among them that end are put aside, until there are as
    many. Of these the one with the largest mean logarithm of the tokens' probabilities is taken. With a beam of 1 this
    is the likeliest token at each step.

    Args:
        decoder: of a pretrained model.
        waveform: `(samples,)` at the decoder's rate, of no more than its seconds.
        beam: texts that are kept.
    """
    state, prompt = decoder.begin(waveform)
    first, state = decoder.step(np.array(prompt[:1]), 0, state)
    logits = first
    for place, token in enumerate(prompt[1:], start=1):
        logits, state = decoder.step(np.array([token]), place, state)
    kept = [Generated((), 0.0, 0)]
    ended: list[Generated] = []
    for place in range(len(prompt), len(prompt) + decoder.max_tokens(len(waveform))):
        rows, tokens, scores = _likeliest(log_softmax(decoder.allowed(logits)), kept, 2 * beam)
        # With twice as many, as many go on even if each of the first ended.
        going_on: list[tuple[int, Generated]] = []
        for rank, (row, token, score) in enumerate(zip(rows, tokens, scores, strict=True)):
            before = kept[row]
            if token != decoder.end:
                going_on.append((row, Generated((*before.token_ids, token), score, before.num_steps + 1)))
            elif rank < beam:
                ended.append(Generated(before.token_ids, score, before.num_steps + 1))
        going_on = going_on[:beam]
        kept = [each for _, each in going_on]
        if len(ended) >= beam or not kept:
            break
        logits, state = decoder.step(
            np.array([each.token_ids[-1] for each in kept]), place, state.pick(np.array([row for row, _ in going_on]))
        )
    best = max(ended or kept, key=lambda each: each.mean_log_prob)
    return Generated((), best.log_prob, best.num_steps) if decoder.is_silent(first[0], best.mean_log_prob) else best


def _likeliest(log_probs: np.ndarray, kept: list[Generated], most: int) -> tuple[list[int], list[int], list[float]]:
    """Rows, tokens and scores of the likeliest texts that are one token longer, the likeliest first."""
    total = (np.array([each.log_prob for each in kept])[:, None] + log_probs).ravel()
    most = min(most, int(np.isfinite(total).sum()))
    best = np.argpartition(-total, most - 1)[:most]
    best = best[np.lexsort((best, -total[best]))]
    rows, tokens = np.divmod(best, log_probs.shape[1])
    return rows.tolist(), tokens.tolist(), total[best].tolist()
