"""Which recordings a transcript can be learnt from, or measured on."""

from collections.abc import Sequence
from typing import Any

from kerasr.config import TrainConfig
from kerasr.config.serialization import shorten
from kerasr.data.left_out import leave_out
from kerasr.data.manifest import Corpus, Utterance
from kerasr.data.spoken_text import text_of
from kerasr.decoding.greedy import shortest_path
from kerasr.errors import UserError
from kerasr.models.registry import model_facts
from kerasr.tasks.base import list_words
from kerasr.text import Vocabulary
from kerasr.text.vocabulary import WORDS

# Recordings, or tokens, that an error names; the others are counted.
NUM_NAMED = 5
# Seconds of the longest recording that is learnt from, or measured on, in one piece. A batch is as long as its longest
# clip: half an hour among seconds takes all the memory there is. And CTC has to find where each word is, which it does
# not over minutes. Published corpora are cut at 35 s or less.
LONGEST_UTTERANCE = 60.0


def usable_transcripts(corpus: Corpus, max_bad: int, longest: float) -> Corpus:
    """The corpus less the recordings without a word in their text, and those that are too long.

    Args:
        corpus: its utterances' durations are known, or not looked at.
        max_bad: how many bad recordings are left out before it is too much.
        longest: most seconds of a recording.

    Raises:
        UserError: no recording has a text, or errors as of `leave_out`.
    """

    def why_bad(item: Utterance) -> str | None:
        if not (item.text or "").strip():
            return "has no text"
        if not text_of(item):
            return f"its text {shorten(item.text)!r} has no word"
        if item.duration is not None and item.duration > longest:
            return (
                f"is {item.duration:.0f} s long, and at most {longest:g} s are taken at once: cut it at its pauses, as "
                "Kaldi's `segments` do, and give each part its text"
            )
        return None

    if not any(map(text_of, corpus.utterances)):
        why = "a transcript is learnt from, and measured against, a text, as in a manifest's column text"
        raise _no_text(corpus.utterances, corpus.source, why)
    return leave_out(corpus, why_bad, max_bad)


def check_texts(utterances: Sequence[Utterance], source: str, why: str) -> None:
    """Raise where a recording has no text, saying why it needs one."""
    if without := [item for item in utterances if item.text is None]:
        raise _no_text(without, source, why)


def learnable_transcripts(config: TrainConfig, corpus: Corpus, vocabulary: Vocabulary) -> Corpus:
    """The corpus less the clips that CTC has no path through, and test clips with characters that are no tokens.

    There is no path where a text takes more outputs than its clip has. Of words the test may have others: as errors.

    Raises:
        UserError: errors as of `leave_out`; or a text to learn from has characters that are no tokens.
    """

    def why_bad(item: Utterance) -> str | None:
        text = text_of(item)
        if item.split != "test":
            tokens = vocabulary.encode(text)
        elif vocabulary.kind != WORDS and (unknown := vocabulary.unknown(text)):
            return f"its text has {list_tokens(unknown)}, and no text to learn from has"
        else:
            tokens = vocabulary.split(text)
        # (A word that is said too quickly has room in a string, between two pauses.)
        is_part = config.data.connected and item.split == "train"
        frames, least = None if is_part else _num_outputs(config, item), shortest_path(tokens)
        if frames is not None and frames < least:
            return f"{item.duration:g} s make {frames} outputs, and its text takes {least} or more"
        return None

    return leave_out(corpus, why_bad, config.data.max_bad)


def check_writable(utterances: Sequence[Utterance], source: str, vocabulary: Vocabulary) -> None:
    """Raise where no word of any text can be written in the tokens, if there are some."""
    words = (word for item in utterances for word in text_of(item).split())
    if vocabulary.tokens and all(map(vocabulary.unknown, words)):
        facts = unwritable_facts(utterances, vocabulary)
        raise UserError(
            "text-unwritable",
            f"{source}: no word of its texts can be written in the run's tokens, which lack "
            f"{list_tokens(facts['tokens'])}, as that of {utterances[0].path}: are they of another language?",
        )


def unwritable_facts(utterances: Sequence[Utterance], vocabulary: Vocabulary) -> dict[str, Any]:
    """Texts that cannot be written in the tokens: `num_clips`, the first `paths`, and the `tokens` that are lacking."""
    found = {item.path: unknown for item in utterances if (unknown := vocabulary.unknown(text_of(item)))}
    tokens = sorted({token for unknown in found.values() for token in unknown})
    return {"num_clips": len(found), "paths": [*found][:NUM_NAMED], "tokens": tokens}


def unwritable_note(facts: dict[str, Any], num_clips: int) -> str:
    """What a reader must know of such texts."""
    return (
        f"{facts['num_clips']:,} of these {num_clips:,} texts cannot be written in the run's tokens, which lack "
        f"{list_tokens(facts['tokens'])}, as that of {', '.join(facts['paths'])}: words with them count as errors."
    )


def list_tokens(tokens: Sequence[str]) -> str:
    """The first of them in a line."""
    return list_words([*map(repr, tokens)], NUM_NAMED)


def _no_text(without: Sequence[Utterance], source: str, why: str) -> UserError:
    named = ", ".join(item.path for item in without[:NUM_NAMED])
    return UserError("text-missing", f"{source}: {len(without):,} recordings have no text, as {named}: {why}")


def _num_outputs(config: TrainConfig, item: Utterance) -> int | None:
    """Outputs of the network for a recording; None where its length is not known."""
    if item.duration is None:
        return None
    frames = config.features.num_frames(int(item.duration * config.features.sample_rate))
    return model_facts(config.model.name).num_outputs(frames)
