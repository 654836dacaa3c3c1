"""Pieces of words as tokens: a unigram language model of them, which SentencePiece trains, and the split that it gives.

Source: Kudo, "Subword Regularization: Improving Neural Network Translation Models with Multiple Subword Candidates",
ACL 2018, sections 3.2 and 3.3, https://arxiv.org/abs/1804.10959.
"""

import importlib
import io
from array import array
from collections.abc import Mapping, Sequence

from kerasr.core.extras import require_extra
from kerasr.errors import UserError

EXTRA = "pieces"
# SentencePiece's mark in the place of a space.
_MARK = "\u2581"
# Bytes of a text; longer ones it would pass over.
_LONGEST = 2**30
# As SentencePiece has it: so much less likely than the least likely piece is a character that is none.
_UNKNOWN = 10.0


def train_pieces(texts: Sequence[str], size: int) -> dict[str, float]:
    """The pieces that texts are best written in, each with the logarithm of its probability, the likeliest first.

    The same texts in the same order give the same pieces.

    Args:
        texts: normalised ones; there is a word in them.
        size: how many pieces there may be. Texts of few words give fewer.

    Raises:
        UserError: SentencePiece is not installed, or there are more characters than pieces, each of which is one.
    """
    require_extra(EXTRA, "--vocabulary pieces")
    least = len({" ", *(character for text in texts for character in text)})
    if size < least:
        raise UserError(
            "setting-out-of-range",
            f"--vocabulary-size {size}: these texts have {least} characters, each of which is a piece: give at least "
            f"{least}, or take --vocabulary characters",
        )
    library = importlib.import_module("sentencepiece")
    model = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="unigram",
        # (One more, for what is unknown: its number is 0, which is CTC's blank here.)
        vocab_size=size + 1,
        hard_vocab_limit=False,
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        character_coverage=1.0,
        normalization_rule_name="identity",
        max_sentence_length=_LONGEST,
        num_threads=1,
        minloglevel=9,
    )
    found = library.SentencePieceProcessor(model_proto=model.getvalue())
    numbers = range(1, found.get_piece_size())
    return {found.id_to_piece(number).replace(_MARK, " "): found.get_score(number) for number in numbers}


def split_pieces(text: str, scores: Mapping[str, float], longest: int) -> list[str]:
    """The likeliest split of a text into pieces, as SentencePiece finds it; a character that is none stays alone.

    Args:
        text: with a space before each word.
        scores: the logarithm of each piece's probability.
        longest: characters of the longest piece.
    """
    least = min(scores.values()) - _UNKNOWN
    # SentencePiece adds in float64 and keeps float32: splits that are as likely but for rounding are told apart alike.
    best, came = array("f", bytes(4 * (len(text) + 1))), [-1] * (len(text) + 1)
    for start in range(len(text)):
        for end in range(start + 1, min(start + longest, len(text)) + 1):
            score = scores.get(text[start:end], least if end == start + 1 else None)
            if score is not None and (came[end] < 0 or best[start] + score > best[end]):
                best[end], came[end] = best[start] + score, start
    pieces, end = [], len(text)
    while end:
        pieces.append(text[came[end] : end])
        end = came[end]
    return pieces[::-1]
