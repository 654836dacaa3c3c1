"""How recordings are divided into train, validation and test, and one sentence that says it.

The score of a split is worth what its rule is worth: a speaker of the training must not be in the test.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from kerasr.core.progress import console
from kerasr.data.manifest import SPLITS, Corpus, Utterance
from kerasr.errors import UserError

Rule = Literal["auto", "official", "speaker", "file"]

# Share of the recordings that validation and test get, each.
_SHARE = 0.1
# Most of an official training part that whole speakers may take from it, where another part is missing.
_MOST_TO_TAKE = 1 / 3


def split_corpus(
    corpus: Corpus,
    rule: Rule = "auto",
    leave_out: str | None = None,
    seed: int = 0,
    validate_on: Literal["speaker", "clips"] = "speaker",
) -> tuple[Corpus, str]:
    """The corpus with the split of every utterance decided, and the sentence that says how.

    Args:
        corpus: what to divide.
        rule: `official` takes the split that the corpus comes with; where it has no validation part, or no test part,
            that is drawn from its training part. `speaker` gives validation and test speakers of their own, at least
            one each and about a tenth of the recordings; recordings without a speaker stay in the split that the corpus
            gives them, as silences that were cut for one, or else go by a hash of their path. `file` divides by a hash
            of the relative path, so that adding a recording moves no other. `auto` takes the official split, else
            speakers if there are three, else files: the first that leaves no split empty and no label untrained.
        leave_out: test on this speaker; `a,b` tests on both.
        seed: another seed draws other speakers or files.
        validate_on: with `leave_out`, validate on the next speaker in alphabetical order, or on a tenth of the clips of
            all the others, by a hash of the path. The others train.

    Returns:
        The corpus, each utterance with its split; and a sentence that says how they were divided, and where speakers
        were read off names.

    Raises:
        UserError: the rule is not available for this corpus, the speaker is not in it, a split would be empty, or a
            label would have no recording to train on.
    """
    if leave_out is not None:
        if rule not in ("auto", "speaker"):
            raise UserError(
                "settings-conflict",
                f"leave_out {leave_out!r} is a split by speaker: drop split={rule!r}, or drop leave_out",
            )
        return _finish(corpus, *_leave_out(corpus, _names(corpus, leave_out), seed, validate_on))
    if rule == "official":
        return _finish(corpus, *_official(corpus, seed))
    if rule == "speaker":
        return _finish(corpus, *_speaker(corpus, seed))
    if rule == "file":
        return _finish(corpus, *_file(corpus, seed))
    return _auto(corpus, seed)


def _auto(corpus: Corpus, seed: int) -> tuple[Corpus, str]:
    """The official split where it can be used, else speakers where there are three and they can, else files."""
    reasons = ""
    for name, rule, is_there in (
        ("official split", _official, corpus.has_official_split),
        ("split by speaker", _speaker, len(corpus.speakers) >= len(SPLITS)),
    ):
        if is_there:
            splits, description = rule(corpus, seed)
            problem = _problem(corpus, splits)
            if not problem:
                return _finish(corpus, splits, description + reasons)
            reasons += f" (the {name} cannot be used: {problem})"
    splits, description = _file(corpus, seed)
    return _finish(corpus, splits, description + reasons)


def _official(corpus: Corpus, seed: int) -> tuple[list[str], str]:
    if not corpus.has_official_split:
        raise UserError(
            "split-not-found", f"{corpus.name} comes with no split of its own: use --split speaker or --split file"
        )
    splits = [item.split or "train" for item in corpus.utterances]
    description = f"official: {corpus.official_split}"
    missing = [name for name in ("test", "validation") if name not in splits]
    if len(missing) != 1 or "train" not in splits:
        return splits, description
    training = replace(corpus, utterances=tuple(u for u in corpus.utterances if u.split == "train"))
    parts = _by_speaker(training, missing, seed) if len(training.speakers) > 1 else {}
    taken = sum(parts.get(item.speaker or "") in missing for item in training.utterances)
    # Of very few speakers one is too much to lose.
    by_speaker = 0 < taken <= _MOST_TO_TAKE * len(training.utterances)
    parts = parts if by_speaker else {}
    share = _file_rule(corpus, missing, seed)
    splits = [
        (parts[item.speaker] if item.speaker in parts else share(item)) if item.split == "train" else str(item.split)
        for item in corpus.utterances
    ]
    number = sum(part in missing for part in parts.values())
    drawn = (
        f"{number} of its {len(parts)} speakers" if by_speaker else "a tenth of its recordings, by a hash of the path,"
    )
    verb = "is" if number == 1 or not by_speaker else "are"
    return splits, f"{description}; it has no {missing[0]} part, so {drawn} {verb} taken from training"


def _speaker(corpus: Corpus, seed: int) -> tuple[list[str], str]:
    speakers = corpus.speakers
    if len(speakers) < len(SPLITS):
        known = f"only {', '.join(speakers)}" if speakers else "no speaker"
        raise UserError(
            "too-few-speakers", f"{corpus.name} names {known}, and a split by speaker needs three: use --split file"
        )
    parts = _by_speaker(corpus, ("test", "validation"), seed)
    counts = Counter(parts.values())
    share = _speakerless_rule(corpus, seed)
    splits = [parts[item.speaker] if item.speaker in parts else share(item) for item in corpus.utterances]
    shares = ", ".join(f"{counts[name]} {name}" for name in SPLITS)
    return splits, f"by speaker: {len(speakers)} speakers, each in one split only ({shares}){_without(corpus)}"


def _file(corpus: Corpus, seed: int) -> tuple[list[str], str]:
    share = _file_rule(corpus, ("test", "validation"), seed)
    description = (
        "by file: a hash of the relative path, about a tenth each to validation and test; a speaker may be in "
    )
    description += "more than one split"
    if not corpus.speakers:
        description += (
            " (to test on new voices, say who speaks: name recordings as anna_take_1.wav, give --speaker-pattern, or a "
            "manifest)"
        )
    return [share(item) for item in corpus.utterances], description


def _names(corpus: Corpus, leave_out: str) -> list[str]:
    """One speaker, whose name may hold a comma, or several."""
    leave_out = unicodedata.normalize("NFC", leave_out)
    return [leave_out] if leave_out in corpus.speakers else [name.strip() for name in leave_out.split(",")]


def _leave_out(corpus: Corpus, names: list[str], seed: int, validate_on: str) -> tuple[list[str], str]:
    speakers = corpus.speakers
    if unknown := [name for name in names if name not in speakers]:
        known = ", ".join(speakers[:10]) + (", ..." if len(speakers) > 10 else "")
        raise UserError(
            "speaker-not-found", f"{corpus.name} has no speaker {unknown[0]!r}: its speakers are {known or 'not named'}"
        )
    parts = dict.fromkeys(names, "test")
    share = _speakerless_rule(corpus, seed)
    rule = "leave one speaker out" if len(names) == 1 else f"leave {len(names)} speakers out"
    tested = f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} the test"
    if validate_on == "clips":
        watched = _file_rule(corpus, ("validation",), seed)
        splits = [parts.get(item.speaker, watched(item)) if item.speaker else share(item) for item in corpus.utterances]
        description = f"{rule}: {tested}, a tenth of the others' clips the validation, the rest trains"
        return splits, description + _without(corpus)
    # With nobody left to validate or to train, `_finish` refuses.
    last = speakers.index(names[-1])
    following = next((name for name in speakers[last + 1 :] + speakers[:last] if name not in names), names[-1])
    parts = {following: "validation", **parts}
    splits = [share(item) if item.speaker is None else parts.get(item.speaker, "train") for item in corpus.utterances]
    description = f"{rule}: {tested}, {following} the validation, the others train"
    return splits, description + _without(corpus)


def _without(corpus: Corpus) -> str:
    """What the sentence adds for recordings whose speaker is not known."""
    unknown = [item for item in corpus.utterances if item.speaker is None]
    comes_with = any(item.split for item in unknown)
    rule = "stay in the split that they come with" if comes_with else "go by a hash of their path"
    return f"; {len(unknown)} recordings without a speaker {rule}" if unknown else ""


def _who(corpus: Corpus) -> str:
    """What the sentence adds where speakers were read off names, which can be wrong."""
    return f"; {corpus.speaker_source}" if corpus.speaker_source else ""


def _by_speaker(corpus: Corpus, parts: Sequence[str], seed: int) -> dict[str, str]:
    """The split of each speaker: speakers in the order of a hash fill the parts, the rest train.

    A speaker who would overfill a part by half is passed over; where all would, the part gets the one with the fewest
    recordings.
    """
    counts = Counter(item.speaker for item in corpus.utterances if item.speaker is not None)
    target = _SHARE * sum(counts.values())
    left = sorted(counts, key=lambda name: (_hash(name, seed), name))
    assigned: dict[str, str] = {}
    for part in parts:
        taken: list[str] = []
        size = 0
        for name in left:
            if size < target and size + counts[name] <= 1.5 * target:
                taken.append(name)
                size += counts[name]
        taken = taken or [min(left, key=lambda name: counts[name])]
        assigned.update(dict.fromkeys(taken, part))
        left = [name for name in left if name not in assigned]
    return assigned | dict.fromkeys(left, "train")


def _speakerless_rule(corpus: Corpus, seed: int) -> Callable[[Utterance], str]:
    """The split of a recording whose speaker is not known: the one it comes with, or else by the hash of its path."""
    share = _file_rule(corpus, ("test", "validation"), seed)
    return lambda item: item.split or share(item)


def _file_rule(corpus: Corpus, parts: Sequence[str], seed: int) -> Callable[[Utterance], str]:
    """The split of a recording by the hash of its path alone, so that no other recording has a say in it."""

    def split(item: Utterance) -> str:
        part = int(_hash(corpus.relative(item.path), seed) / _SHARE)
        return parts[part] if part < len(parts) else "train"

    return split


def _hash(name: str, seed: int) -> float:
    """A number in [0, 1) that the name and the seed alone decide, on every machine."""
    digest = hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _problem(corpus: Corpus, splits: list[str]) -> str:
    """Why these splits cannot serve; "" where they can."""
    filled = set(splits)
    for name in SPLITS:
        if name not in filled:
            return f"its {name} split is empty"
    trained = {item.label for item, split in zip(corpus.utterances, splits, strict=True) if split == "train"}
    untrained = [label for label in corpus.labels if label not in trained]
    if len(untrained) > 1:
        some = ", ".join(untrained[:3])
        return f"its train split is empty for {len(untrained)} of {len(corpus.labels)} labels ({some}, ...)"
    return f"its train split is empty for the label {untrained[0]!r}" if untrained else ""


def _finish(corpus: Corpus, splits: list[str], description: str) -> tuple[Corpus, str]:
    """The divided corpus and its sentence, or the line that says what is empty."""
    problem = _problem(corpus, splits)
    if problem:
        counts = Counter(splits)
        sizes = ", ".join(f"{counts[name]} {name}" for name in SPLITS)
        raise UserError(
            "split-impossible",
            f"{corpus.name} cannot be split {description}: {problem} ({sizes}); "
            "add recordings, choose another --split or --split-seed, or give a manifest with a split column",
        )
    utterances = tuple(
        item if item.split == split else replace(item, split=split)
        for item, split in zip(corpus.utterances, splits, strict=True)
    )
    _warn_untested(corpus, utterances)
    _warn_alike(corpus)
    return replace(corpus, utterances=utterances), description + _who(corpus)


def _warn_alike(corpus: Corpus) -> None:
    """Say who may be one person under two names: a split by speaker would take them for two."""
    names: dict[str, str] = {}
    for name in corpus.speakers:
        if (other := names.setdefault(name.casefold(), name)) != name:
            console().print(
                f"warning: {corpus.name} has the speakers {other!r} and {name!r}: if that is one person, give them one "
                "name, or one split may train on what another tests",
                style="yellow",
            )


def _warn_untested(corpus: Corpus, utterances: tuple[Utterance, ...]) -> None:
    """Say which labels the test cannot judge."""
    tested = {item.label for item in utterances if item.split == "test"}
    untested = [label for label in corpus.labels if label not in tested]
    if untested:
        names = ", ".join(untested[:10]) + (", ..." if len(untested) > 10 else "")
        console().print(
            f"warning: {corpus.name} has no test recording of {names}: the score says nothing about it",
            style="yellow",
        )
