"""Splits: the official one, by speaker, by file, one speaker out; what they promise and what they refuse."""

from collections import Counter
from dataclasses import replace

import pytest
from _errors import raises

from kerasr.data import Corpus, Utterance, split_corpus


def corpus_of(speakers=0, clips=40, labels=("no", "yes"), official=None) -> Corpus:
    """A corpus of `clips` recordings a label, said by `speakers` in turn."""
    utterances = [
        Utterance(
            f"/data/{label}/{number}.wav",
            label=label,
            speaker=f"speaker{number % speakers:02d}" if speakers else None,
            split=official(number) if official else None,
        )
        for label in labels
        for number in range(clips)
    ]
    split = "its lists" if official else ""
    return Corpus("made", tuple(utterances), source="/data", root="/data", official_split=split)


def sizes(corpus: Corpus) -> Counter:
    return Counter(item.split for item in corpus.utterances)


def by_path(corpus: Corpus) -> dict[str, str | None]:
    return {item.path: item.split for item in corpus.utterances}


def speakers_of(corpus: Corpus, split: str) -> set[str | None]:
    return {item.speaker for item in corpus.utterances if item.split == split}


def test_auto_takes_the_official_split():
    official = {0: "test", 1: "validation"}
    divided, said = split_corpus(corpus_of(official=lambda number: official.get(number, "train")))
    assert said == "official: its lists"
    assert sizes(divided) == {"train": 76, "test": 2, "validation": 2}


@pytest.mark.parametrize("speakers", [0, 20])
def test_validation_is_drawn_from_training_where_the_official_split_has_none(speakers):
    whole = corpus_of(speakers, clips=200, official=lambda number: "test" if number < 20 else "train")
    divided, said = split_corpus(whole)
    assert "no validation part" in said
    assert [item.split for item in divided.utterances if item.split == "test"] == ["test"] * 40
    assert 10 <= sizes(divided)["validation"] <= 60
    if speakers:
        assert not speakers_of(divided, "validation") & speakers_of(divided, "train")


@pytest.mark.parametrize("speakers", [0, 20])
def test_a_test_is_drawn_from_training_where_the_official_split_has_none(speakers):
    whole = corpus_of(speakers, clips=200, official=lambda number: "validation" if number < 20 else "train")
    divided, said = split_corpus(whole)
    assert "no test part" in said
    assert [item.split for item in divided.utterances if item.split == "validation"] == ["validation"] * 40
    assert 10 <= sizes(divided)["test"] <= 60
    if speakers:
        assert not speakers_of(divided, "test") & speakers_of(divided, "train")


def test_a_training_part_of_two_speakers_keeps_both():
    whole = corpus_of(3, clips=150, official=lambda number: "test" if number % 3 == 0 else "train")
    divided, said = split_corpus(whole)
    assert said.endswith("so a tenth of its recordings, by a hash of the path, is taken from training")
    assert 10 <= sizes(divided)["validation"] <= 40


def test_the_sentence_counts_who_validates():
    _, said = split_corpus(corpus_of(20, clips=200, official=lambda number: "test" if number < 20 else "train"))
    assert said.endswith("so 2 of its 20 speakers are taken from training")


def test_two_names_that_differ_by_case_are_told(capsys):
    whole = corpus_of(4)
    renamed = [
        replace(item, speaker="Speaker01") if item.path == "/data/no/1.wav" else item for item in whole.utterances
    ]
    split_corpus(replace(whole, utterances=tuple(renamed)))
    assert "'Speaker01' and 'speaker01'" in capsys.readouterr().err


def test_auto_says_why_the_official_split_cannot_be_used():
    whole = corpus_of(speakers=10, official=lambda number: "test")
    divided, said = split_corpus(whole)
    assert said.startswith("by speaker: 10 speakers")
    assert "the official split cannot be used: its train split is empty" in said
    assert set(sizes(divided)) == {"train", "validation", "test"}
    with raises("split-impossible"):
        split_corpus(whole, "official")


@pytest.mark.parametrize("speakers", [3, 4, 10, 100])
def test_speakers_are_disjoint(speakers):
    whole = corpus_of(speakers, clips=300)
    divided, said = split_corpus(whole)
    assert said.startswith(f"by speaker: {speakers} speakers")
    parts = [speakers_of(divided, split) for split in ("train", "validation", "test")]
    assert all(parts)
    assert len(set.union(*parts)) == sum(map(len, parts)) == speakers
    if speakers >= 10:
        assert 0.05 <= sizes(divided)["test"] / 600 <= 0.15
        assert 0.05 <= sizes(divided)["validation"] / 600 <= 0.15
    assert split_corpus(whole)[0] == divided
    assert split_corpus(replace(whole, utterances=whole.utterances[::-1]))[0].utterances[::-1] == divided.utterances


def test_another_seed_draws_other_speakers():
    whole = corpus_of(30, clips=90)
    assert len({frozenset(speakers_of(split_corpus(whole, seed=seed)[0], "test")) for seed in range(4)}) > 1


def test_auto_goes_by_file_where_speakers_leave_a_label_untrained():
    utterances = [Utterance(f"/data/{name}/{n}.wav", name, speaker=name) for name in "abc" for n in range(40)]
    divided, said = split_corpus(Corpus("made", tuple(utterances), root="/data"))
    assert said.startswith("by file")
    assert "the split by speaker cannot be used" in said
    assert set(sizes(divided)) == {"train", "validation", "test"}
    with raises("split-impossible"):
        split_corpus(Corpus("made", tuple(utterances), root="/data"), "speaker")


def test_where_speakers_were_read_is_said_of_every_rule():
    whole = replace(corpus_of(4), speaker_source="4 speakers were found")
    for options in ({}, {"rule": "file"}, {"leave_out": "speaker01"}):
        assert split_corpus(whole, **options)[1].endswith("; 4 speakers were found")


def test_a_speaker_with_most_of_the_recordings_trains():
    utterances = [
        Utterance(f"/data/{n}.wav", "yes" if n % 2 else "no", speaker="loud" if n < 80 else f"s{n % 4}")
        for n in range(100)
    ]
    for seed in range(5):
        divided, _ = split_corpus(Corpus("made", tuple(utterances), root="/data"), "speaker", seed=seed)
        assert "loud" in speakers_of(divided, "train")


def test_recordings_without_a_speaker_go_by_file():
    silence = tuple(Utterance(f"/data/silence/{number}.wav", label="silence") for number in range(200))
    whole = corpus_of(20, clips=100)
    divided, said = split_corpus(replace(whole, utterances=whole.utterances + silence, labels=("no", "silence", "yes")))
    assert "200 recordings without a speaker go by a hash of their path" in said
    parts = Counter(item.split for item in divided.utterances if item.label == "silence")
    assert min(parts["test"], parts["validation"]) > 5
    alone, _ = split_corpus(Corpus("made", silence, root="/data"), "file")
    expected = by_path(alone)
    assert all(item.split == expected[item.path] for item in divided.utterances if item.label == "silence")


@pytest.mark.parametrize("options", [{"rule": "speaker"}, {"leave_out": "speaker03"}])
def test_recordings_without_a_speaker_stay_in_the_split_that_they_come_with(options):
    """Silences that were cut out of one noise for training would else stand beside the test's."""
    silence = tuple(
        Utterance(f"/data/silence/{number}.wav", label="silence", split=("train", "validation", "test")[number % 3])
        for number in range(60)
    )
    whole = corpus_of(20, clips=100)
    divided, said = split_corpus(
        replace(whole, utterances=whole.utterances + silence, labels=("no", "silence", "yes")), **options
    )
    assert "60 recordings without a speaker stay in the split that they come with" in said
    assert [item for item in divided.utterances if item.label == "silence"] == list(silence)


def test_by_file_a_new_recording_moves_no_other():
    whole = corpus_of(clips=400)
    divided, said = split_corpus(whole)
    assert said.startswith("by file")
    assert 0.06 <= sizes(divided)["test"] / 800 <= 0.14
    assert 0.06 <= sizes(divided)["validation"] / 800 <= 0.14
    grown = replace(whole, utterances=(Utterance("/data/yes/new.wav", "yes"), *whole.utterances))
    after = by_path(split_corpus(grown)[0])
    assert all(after[path] == split for path, split in by_path(divided).items())
    moved = tuple(replace(item, path=item.path.replace("/data/", "/else/where/")) for item in whole.utterances)
    elsewhere, _ = split_corpus(replace(whole, utterances=moved, root="/else/where"))
    assert [item.split for item in elsewhere.utterances] == [item.split for item in divided.utterances]


def test_two_speakers_are_too_few_for_a_split_by_speaker():
    whole = corpus_of(2)
    assert split_corpus(whole)[1].startswith("by file")
    with raises("too-few-speakers"):
        split_corpus(whole, "speaker")
    with raises("too-few-speakers"):
        split_corpus(corpus_of(), "speaker")


def test_leave_one_speaker_out():
    whole = corpus_of(4)
    divided, said = split_corpus(whole, leave_out="speaker03")
    assert speakers_of(divided, "test") == {"speaker03"}
    assert speakers_of(divided, "validation") == {"speaker00"}
    assert speakers_of(divided, "train") == {"speaker01", "speaker02"}
    assert said == "leave one speaker out: speaker03 is the test, speaker00 the validation, the others train"


@pytest.mark.parametrize("names", ["speaker00,speaker03", "speaker03,speaker00", "speaker02,speaker01"])
def test_the_next_speaker_validates_whatever_the_order_of_those_left_out(names):
    divided, said = split_corpus(corpus_of(5), leave_out=names)
    left = {"speaker00", "speaker01", "speaker02", "speaker03", "speaker04"} - {*names.split(",")}
    (watched,) = speakers_of(divided, "validation")
    assert watched in left
    assert speakers_of(divided, "train") == left - {watched}
    assert said.startswith(f"leave 2 speakers out: {names.replace(',', ' and ')} are the test, {watched} the")


def test_names_may_stand_apart():
    _, said = split_corpus(corpus_of(5), leave_out="speaker00, speaker03")
    assert said.startswith("leave 2 speakers out")


def test_all_others_train_where_clips_validate():
    whole = corpus_of(6)
    divided, said = split_corpus(whole, leave_out="speaker01,speaker03", validate_on="clips")
    assert speakers_of(divided, "test") == {"speaker01", "speaker03"}
    assert speakers_of(divided, "train") == {"speaker00", "speaker02", "speaker04", "speaker05"}
    others = [item for item in divided.utterances if item.split != "test"]
    assert 0.02 < sum(item.split == "validation" for item in others) / len(others) < 0.2
    assert "speaker01 and speaker03 are the test" in said


@pytest.mark.parametrize(
    ("whole", "options", "code"),
    [
        (corpus_of(4), {"leave_out": "nobody"}, "speaker-not-found"),
        (corpus_of(), {"leave_out": "anna"}, "speaker-not-found"),
        (corpus_of(2), {"leave_out": "speaker00"}, "split-impossible"),
        (corpus_of(1), {"leave_out": "speaker00"}, "split-impossible"),
        (corpus_of(4), {"leave_out": "speaker00", "rule": "file"}, "settings-conflict"),
        (corpus_of(4), {"rule": "official"}, "split-not-found"),
        (corpus_of(clips=1), {}, "split-impossible"),
    ],
)
def test_refusals(whole, options, code):
    with raises(code):
        split_corpus(whole, **options)


def test_a_label_that_nobody_trains_is_refused():
    whole = corpus_of(4)
    alone = replace(
        whole,
        utterances=(*whole.utterances, Utterance("/data/rare/1.wav", "rare", speaker="speaker03")),
        labels=("no", "rare", "yes"),
    )
    with raises("split-impossible"):
        split_corpus(alone, leave_out="speaker03")


def test_a_label_that_the_test_lacks_is_said(capsys):
    whole = corpus_of(4)
    rare = Utterance("/data/rare/1.wav", "rare", speaker="speaker01")
    divided, _ = split_corpus(
        replace(whole, utterances=(*whole.utterances, rare), labels=("no", "rare", "yes")), leave_out="speaker03"
    )
    assert divided.labels == ("no", "rare", "yes")
    assert "has no test recording of rare" in capsys.readouterr().err
