"""How long each token of a text sounds in its recording, in a corpus that a voice is to learn from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np

from kerasr.audio.features import Features
from kerasr.config import FeatureSpec, TrainConfig, shorten
from kerasr.core.progress import map_threaded
from kerasr.data.clips import read_clip
from kerasr.data.manifest import Corpus, Utterance, report_bad
from kerasr.data.spoken_text import said_in, spoken_text
from kerasr.data.word_times import WORD_TIMES, parse_times
from kerasr.decoding.alignment import FrameTimes
from kerasr.models.synthesis.token_means import NUM_STATES
from kerasr.tasks.token_alignment import BATCH_SIZE, Aligner, Spoken
from kerasr.text import Vocabulary, normalise
from kerasr.text.vocabulary import SPACE

# The manifest's column with the frames that each token of an utterance lasts, as an alignment has found them.
DURATIONS = "durations"

# Recordings that the alignment is learnt from, at most: more are aligned, and teach it nothing that these have not.
MOST_SECONDS = 2 * 3600.0
# A recording is also held against texts of others. Where it is nearer to so many of them than to its own, it is taken
# for one of another text.
NUM_OTHERS, MOST_NEARER = 5, 2
# Frames by which a border of a word may be off, where a recording brings the times of its words.
SLACK = 3


def add_durations(config: TrainConfig, corpus: Corpus, vocabulary: Vocabulary, features: Features) -> Corpus:
    """The corpus, each recording with the frames of its tokens.

    Recordings that bring them, in a manifest's column `durations`, keep them.

    Raises:
        UserError: more recordings than `max_bad` are shorter than their texts, or are not of them, or bring frames that
            are not theirs.
    """
    bad = list(corpus.bad)
    told, untold = ([item for item in corpus.utterances if (DURATIONS in item.extra) == own] for own in (True, False))
    check = partial(_check_durations, vocabulary=vocabulary, spec=config.features)
    kept = [item for item in told if is_own(item, DURATIONS, check, bad)]
    others = [
        item
        for item in untold
        if is_own(item, WORD_TIMES, _check_times, bad) and not _is_short(item, vocabulary, config.features, bad)
    ]
    if others:
        aligner = Aligner(len(vocabulary.tokens), config.features.n_mels, seed=config.runtime.seed)
        kept += _align(others, aligner, vocabulary, features, bad)
    elif not kept:
        report_bad(corpus, bad, 0, listed=len(corpus.bad))
    if len(bad) > len(corpus.bad):
        report_bad(corpus, bad, config.data.max_bad, listed=len(corpus.bad))
    return replace(corpus, utterances=tuple(kept), bad=tuple(bad))


def parse_durations(item: Utterance) -> list[int]:
    """The frames that each token of a recording's text lasts.

    Raises:
        ValueError: they are no counts.
    """
    durations = [int(each) for each in item.extra[DURATIONS].split()]
    if min(durations, default=0) < 0:
        raise ValueError(f"a token lasts {min(durations)} frames")
    return durations


def is_own(item: Utterance, column: str, check: Callable[[Utterance], None], bad: list[tuple[str, str]]) -> bool:
    """Whether what a recording brings in a manifest's column, if anything, is its own; else it is listed as bad.

    Args:
        item: the recording.
        column: of the manifest.
        check: raises a ValueError, which tells why, where it is not.
        bad: what is listed so far.
    """
    try:
        if column in item.extra:
            check(item)
    except ValueError as error:
        bad.append((item.path, f"its {column}: {error}"))
        return False
    return True


def _align(
    items: Sequence[Utterance], aligner: Aligner, vocabulary: Vocabulary, features: Features, bad: list[tuple[str, str]]
) -> list[Utterance]:
    """The recordings with the frames that an aligner gives their tokens; those of another text are listed as bad."""
    aligner.fit(_some(items, vocabulary, features))
    kept, clips, places = [], _spoken(items, vocabulary, features), iter(items)
    while batch := list(islice(clips, BATCH_SIZE)):
        found = [frames for frames, _ in aligner.durations(batch)]
        nearer = _count_nearer(aligner, batch)
        for item, frames, others in zip(islice(places, len(batch)), found, nearer, strict=True):
            if others >= MOST_NEARER:
                bad.append((item.path, f"sounds less like its own text, {shorten(said_in(item))}, than like others"))
            else:
                kept.append(replace(item, extra={**item.extra, DURATIONS: " ".join(map(str, frames))}))
    return kept


def _count_nearer(aligner: Aligner, clips: Sequence[Spoken]) -> np.ndarray:
    """`(clips,)` of how many others, of `NUM_OTHERS`, the text is nearer to a clip than its own."""
    # (Times that a recording brings are its own text's: without them the texts compete alike.)
    clips = [replace(clip, spans=None) for clip in clips]
    distances = [distance for _, distance in aligner.durations(clips)]
    nearer = np.zeros(len(clips), int)
    for shift in range(1, min(NUM_OTHERS + 1, len(clips))):
        pairs = [replace(clip, token_ids=clips[place - shift].token_ids) for place, clip in enumerate(clips)]
        fits = [place for place, clip in enumerate(pairs) if clip.fits]
        others = aligner.durations([pairs[place] for place in fits]) if fits else []
        for place, (_, distance) in zip(fits, others, strict=True):
            nearer[place] += distance < distances[place]
    return nearer


def _check_durations(item: Utterance, vocabulary: Vocabulary, spec: FeatureSpec) -> None:
    """Raise where the frames that a recording brings are not those of its tokens."""
    durations, num_tokens = parse_durations(item), len(vocabulary.encode(spoken_text(item)))
    if len(durations) != num_tokens:
        raise ValueError(f"of {len(durations)} tokens, and its text has {num_tokens}")
    if abs(sum(durations) - (frames := _num_frames(item, spec))) > SLACK:
        raise ValueError(f"{sum(durations)} frames, and it has {frames}")


def _is_short(item: Utterance, vocabulary: Vocabulary, spec: FeatureSpec, bad: list[tuple[str, str]]) -> bool:
    """Whether a recording has fewer frames than its text has states; then it is listed among the bad."""
    frames = _num_frames(item, spec)
    least = NUM_STATES * len(vocabulary.encode(spoken_text(item)))
    if frames >= least:
        return False
    bad.append((item.path, f"{item.duration:g} s make {frames} frames, and its text takes {least} or more"))
    return True


def _num_frames(item: Utterance, spec: FeatureSpec) -> int:
    return spec.num_frames(round((item.duration or 0) * spec.sample_rate))


def _some(items: Sequence[Utterance], vocabulary: Vocabulary, features: Features) -> list[Spoken]:
    """Recordings to learn from, those of all splits alike: a text's sound is the same in each."""
    order = np.random.default_rng(0).permutation(len(items))
    seconds = np.cumsum([items[place].duration or 0 for place in order])
    return list(
        _spoken([items[place] for place in order[: 1 + int((seconds < MOST_SECONDS).sum())]], vocabulary, features)
    )


def _spoken(items: Sequence[Utterance], vocabulary: Vocabulary, features: Features) -> Iterator[Spoken]:
    """Recordings with their energies and tokens, as they are read."""

    def read(item: Utterance) -> Spoken:
        energies = np.asarray(features(read_clip(item.path, features.spec)[None]))[0]
        token_ids = np.array(vocabulary.encode(spoken_text(item)), np.int32)
        return Spoken(energies, token_ids, find_spans(item, features.spec, len(energies)))

    yield from map_threaded(read, list(items), "Reading")


def find_spans(item: Utterance, spec: FeatureSpec, num_frames: int) -> np.ndarray | None:
    """Frames in which each character may sound, `(tokens, 2)`, by the times of the words that a recording brings.

    A word's characters may sound while it does, and silences while nothing does; a border may be `SLACK` frames off.
    None where there are no times, or words of which some are said as one.
    """
    times, text = parse_times(item), spoken_text(item)
    if times is None or len(times) != len(text.split()):
        return None
    frames = FrameTimes.of(spec, stride=1)
    begins, ends = np.round((times - frames.first) / frames.step).astype(int).T
    pauses = np.stack([[0, *ends], [*begins, num_frames]], axis=1)
    pauses[1:, 0] -= SLACK
    pauses[:-1, 1] += SLACK
    words = np.stack([begins - SLACK, ends + SLACK], axis=1)
    number = np.cumsum([character == SPACE for character in text]) - 1
    spans = [pauses[at] if character == SPACE else words[at] for at, character in zip(number, text, strict=True)]
    return np.clip(np.stack(spans), 0, num_frames)


def _check_times(item: Utterance) -> None:
    """Raise where the times that a recording brings are not those of its words."""
    times, words = parse_times(item), normalise(said_in(item)).split()
    if times is not None and len(times) != len(words):
        raise ValueError(f"of {len(times)} words, and its text has {len(words)}")
