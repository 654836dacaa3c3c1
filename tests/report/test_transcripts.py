"""What a report shows of transcripts: legible, in any script, and true to the scores."""

import base64
import hashlib
import io
import re

import numpy as np
import pytest
import soundfile
from _legible import assert_legible

from kerasr.decoding.alignment import Alignment, FrameTimes
from kerasr.metrics.transcription import transcription_metrics, word_pairs
from kerasr.report import (
    Clip,
    draw_alignment,
    draw_calibration,
    draw_decoding,
    draw_groups,
    draw_lengths,
    draw_speakers,
    write_report,
)
from kerasr.text import Vocabulary

# A machine without Hebrew fonts, where a picture is drawn without being saved.
pytestmark = pytest.mark.filterwarnings("ignore:Glyph")

SAID = ["enter six", "go", "stop it now please", "rubout g m e f three nine two one", "שלום עולם טוב", "yes no"]
FOUND = ["enter sixty", "go", "stop it please", "rubout gee m e f three nine two one oh", "שלום עולם רע", "yes no"]
SPEAKERS = ["anna", "ben", "anna", "ben", "דנה", "a speaker of some long name"]


def made_up(lm_weights=(0.5, 1.0, 2.0), bonuses=(0.0, 1.0)):
    sure = [[0.1 + len(word) / 10 for word in text.split()] for text in FOUND]
    metrics = transcription_metrics(FOUND, SAID, SPEAKERS, confidences=sure, groups={"room": ["hall", "bath"] * 3})
    grid = [
        {"lm_weight": one, "word_bonus": other, "wer": 0.1 + abs(one - 1) / 5 + other / 100}
        for one in lm_weights
        for other in bonuses
    ]
    decoding = {"lm": "training", "words": None, "beam": 32, "lm_weight": 1.0, "word_bonus": 0.0, "grid": grid}
    return {**metrics, "decoding": decoding, "headline": f"WER {metrics['wer']:.1%}", "labels": []}


def clip(said, found, rng):
    """A recording whose network says each token of a text in one output of two, and is unsure of some."""
    vocabulary = Vocabulary.of([*SAID, *FOUND])
    token_ids = vocabulary.encode(found)
    probs = np.full((2 * len(token_ids) + 5, 1 + len(vocabulary)), 1e-4)
    probs[:, 0] = 0.9
    for number, token in enumerate(token_ids):
        sure = rng.uniform(0.4, 1)
        probs[1 + 2 * number, [0, token, 1 + token % len(vocabulary)]] = [0, sure, 1 - sure]
    times = FrameTimes(0.016, 0.04)
    sound = io.BytesIO()
    soundfile.write(sound, np.zeros(800), 8000, format="WAV")
    return Clip(
        path="/somewhere/1.wav",
        word=said,
        predicted=found,
        probability=0.8,
        correct=said == found,
        spectrogram=rng.normal(-40, 10, size=(4 * len(probs), 20)),
        seconds=0.04 * len(probs),
        sound=sound.getvalue(),
        pairs=word_pairs(said, found),
        alignment=Alignment.of(probs, found, vocabulary, times),
    )


@pytest.mark.parametrize("text", [*FOUND, ""])
def test_an_alignment_is_legible(text, rng):
    assert_legible(draw_alignment(clip(text, text, rng)))


def test_what_is_beyond_the_shown_part_is_not_drawn(rng):
    whole = clip(SAID[3], FOUND[3], rng)
    part = Clip(**{**vars(whole), "spectrogram": whole.spectrogram[:100], "seconds": 1.0})
    picture = draw_alignment(part)
    assert_legible(picture)
    words = [text.get_text() for text in picture.axes[0].texts]
    assert words == [word.text for word in whole.alignment.words if word.end < 1]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_speakers(made_up()),
        lambda: draw_groups(made_up(), "room"),
        lambda: draw_lengths(made_up()),
        lambda: draw_calibration(made_up()),
        lambda: draw_decoding(made_up()),
        lambda: draw_decoding(made_up(bonuses=(0.0,))),
        lambda: draw_decoding(made_up(lm_weights=(1.0,), bonuses=(1.0,))),
    ],
)
def test_pictures_of_scores_are_legible(draw):
    assert_legible(draw())


def test_speakers_are_told_by_their_word_errors():
    metrics = made_up()
    shown = [label.get_text() for label in draw_speakers(metrics).axes[0].get_yticklabels()]
    rates = [row["wer"] for row in metrics["speakers"]]
    assert rates == sorted(rates, reverse=True)
    assert [text.strip("\u2068\u2069") for text in shown[:3]] == [row["speaker"] for row in metrics["speakers"][:3]]


def page_of(folder, clips, figures=()):
    settings = {"title": "a run", "subtitle": "on something", "tiles": {}, "facts": {}}
    page = write_report(folder, metrics=made_up(), figures=figures, clips=clips, **settings)
    return page.read_text("utf-8")


def pressed(text):
    """What is pressed to hear a word, in order: its HTML, from when, and to when."""
    found = re.findall(r'<span role="button" tabindex="0" data-start="(.*?)" data-end="(.*?)">(.*?)</span>(?= )', text)
    return [(word, float(start), float(end)) for start, end, word in found]


def test_a_page_shows_what_was_said_beside_what_was_predicted(tmp_path, rng):
    clips = [clip(SAID[index], FOUND[index], rng) for index in (3, 2, 4, 0)]
    text = page_of(tmp_path, clips, figures=["lengths", "decoding"])
    shown = pressed(text)
    words = " ".join(word for word, *_ in shown)
    assert '<span class="other"><del>g</del> <ins>gee</ins></span> m e f' in words
    assert "one <ins>oh</ins>" in words
    assert "it <del>now</del> please" in words
    # A text has the direction that it is written in.
    assert re.search(r'<p dir="auto"><span [^>]*>שלום', text)
    assert {path.stem for path in (tmp_path / "pictures").iterdir()} >= {"lengths", "decoding", "alignment-3"}
    assert "3 of 21 words taken for another, 1 left out, 1 put in" in text
    # Each word is heard at its own times; the one that was left out, between its neighbours.
    times = [(word.start, word.end) for made in clips for word in made.alignment.words]
    place = [word for word, *_ in shown].index("<del>now</del>")
    times.insert(place, (times[place - 1][1], times[place][0]))
    np.testing.assert_allclose([own for _, *own in shown], times, atol=5e-4)


def test_a_page_runs_the_script_that_plays_words_and_no_other(tmp_path, rng):
    heard = clip(SAID[0], FOUND[0], rng)
    text = page_of(tmp_path, [heard])
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "[data-start]" in script
    silent = [Clip(**{**vars(heard), **lacking}) for lacking in ({"sound": None}, {"alignment": None})]
    text = page_of(tmp_path, silent)
    assert text.count("<ins>sixty</ins>") == 2
    assert not pressed(text)
    assert "<script" not in text
    assert "script-src" not in text


def test_what_is_beyond_the_sound_cannot_be_heard(rng):
    whole = clip(SAID[3], FOUND[3], rng)
    part = Clip(**{**vars(whole), "seconds": 1.0})
    assert part.spans == [span if span[0] < 1 else None for span in whole.spans]
    assert None in part.spans


def test_a_word_left_out_at_an_end_is_heard_from_there(rng):
    made = clip("enter six now", "six", rng)
    (word,) = made.alignment.words
    assert made.spans == [(0.0, word.start), (word.start, word.end), (word.end, made.seconds)]
