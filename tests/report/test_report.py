"""The report: whole, self-contained, legible, and honest about what it was measured on."""

import io
import json
import re
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import soundfile
from _errors import raises
from _legible import assert_legible

from kerasr.core import atomic
from kerasr.data.corpora.folder import read_folder
from kerasr.data.hashes import with_hashes
from kerasr.data.manifest import Corpus, Utterance, read_manifest, write_manifest
from kerasr.evaluation.evaluator import evaluate_run
from kerasr.metrics.classification import classification_metrics
from kerasr.metrics.detection import detection_metrics
from kerasr.report import (
    Clip,
    draw_calibration,
    draw_clips,
    draw_confusion,
    draw_detector,
    draw_explanation,
    draw_groups,
    draw_speakers,
    draw_training,
    style,
    write_report,
)
from kerasr.report.figures import evidence_colours
from kerasr.runs.run import load_run

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
AWKWARD = ["你好 世界", "再见", "a very long label that goes on and on", "x$_{y}$", "<b>bold</b>", "line\nbreak"]

# A machine without Chinese fonts, where a picture is drawn without being saved.
pytestmark = pytest.mark.filterwarnings("ignore:Glyph")


def made_up(labels, num_clips=400, speakers=("george", "theo", "nicolas"), detector=False, groups=()):
    rng = np.random.default_rng(0)
    label_index = rng.integers(len(labels), size=num_clips)
    logits = rng.normal(size=(num_clips, len(labels)))
    logits[np.arange(num_clips), label_index] += 2 + np.log(len(labels))
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    names = [speakers[index] for index in rng.integers(len(speakers), size=num_clips)] if speakers else None
    columns = {name: [f"{name} {value}" for value in rng.integers(4, size=num_clips)] for name in groups}
    measure = detection_metrics if detector else classification_metrics
    return measure(probs, label_index, labels, names, groups=columns)


def history(epochs):
    return [
        {"epoch": epoch, "loss": 2 / epoch, "accuracy": 1 - 0.8 / epoch, "val_loss": 2.2 / epoch, "val_accuracy": 0.9}
        for epoch in range(1, epochs + 1)
    ]


def clips(labels, number, correct=False, explained=False):
    sound = io.BytesIO()
    soundfile.write(sound, np.zeros(800), 8000, format="WAV")
    spectrogram = np.random.default_rng(0).normal(-40, 10, size=(50, 20))
    spectrogram[30:] = np.nan
    return [
        Clip(
            path=f"/somewhere/{labels[index % len(labels)]}_{index}.wav",
            word=labels[index % len(labels)],
            predicted=labels[(index + (not correct)) % len(labels)],
            probability=0.9,
            correct=correct,
            spectrogram=spectrogram,
            seconds=0.5,
            speaker="theo",
            sound=sound.getvalue(),
            evidence=np.random.default_rng(1).normal(size=(50, 20)) if explained else None,
        )
        for index in range(number)
    ]


def write(folder, metrics, **changes):
    settings = {
        "title": "a run",
        "subtitle": "on something",
        "metrics": metrics,
        "tiles": {"parameters": "95,274"},
        "facts": {"recipe": "digits"},
        "figures": ["confusion", "calibration", *(["detector"] if "detector" in metrics else [])],
        "history": history(5),
        "clips": clips(metrics["labels"], 3),
    }
    return write_report(folder, **{**settings, **changes})


def assert_apart(boxes):
    """No box of a row or a column of labels reaches into the next."""
    for direction in ("x", "y"):
        spans = sorted((getattr(box, f"{direction}0"), getattr(box, f"{direction}1")) for box in boxes)
        if all(one[1] <= other[0] + 0.5 for one, other in pairwise(spans)):
            return
    pytest.fail("labels overlap")


@pytest.mark.parametrize(
    "labels",
    [DIGITS, AWKWARD, ["not zero", "zero"], [f"word{n}" for n in range(35)], [f"class number {n}" for n in range(100)]],
    ids=["digits", "awkward", "detector", "35", "100"],
)
def test_confusion_is_legible(labels):
    picture = draw_confusion(made_up(labels))
    assert_legible(picture)
    axes = picture.axes[0]
    renderer = picture.canvas.get_renderer()
    for axis in (axes.xaxis, axes.yaxis):
        shown = [label.get_window_extent(renderer) for label in axis.get_ticklabels()[: len(labels)]]
        assert len(shown) == len(labels)
        assert_apart(shown)


@pytest.mark.parametrize(
    "picture",
    [
        lambda: draw_speakers(made_up(DIGITS, speakers=[f"a speaker of some long name {n}" for n in range(100)])),
        lambda: draw_speakers(made_up(DIGITS, speakers=("王 小明", "Ünïcode"))),
        lambda: draw_groups(made_up(DIGITS, groups=["an accent of some long name"]), "an accent of some long name"),
        lambda: draw_explanation(clips(DIGITS, 1, explained=True)[0], np.ones((50, 20)), np.linspace(100, 3900, 20)),
        lambda: draw_calibration(made_up(DIGITS)),
        lambda: draw_training(history(30)),
        lambda: draw_training(history(1)),
        lambda: draw_detector(made_up(["not zero", "zero"], detector=True)),
        lambda: draw_clips(clips(DIGITS, 12)),
        lambda: draw_clips(clips(DIGITS, 1, correct=True)),
    ],
)
def test_pictures_are_legible(picture):
    assert_legible(picture())


def test_many_speakers_show_the_worst():
    metrics = made_up(DIGITS, num_clips=3000, speakers=[f"s{number}" for number in range(100)])
    shown = [label.get_text() for label in draw_speakers(metrics).axes[0].get_yticklabels()]
    assert shown == [item["speaker"] for item in metrics["speakers"][:30]]


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    draw_confusion(made_up(DIGITS)).png()
    assert dict(mpl.rcParams) == before


def test_a_notebook_shows_a_picture(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    draw_calibration(made_up(DIGITS))._ipython_display_()
    assert shown[0].data.startswith(b"\x89PNG")
    assert (shown[0].width, shown[0].height) == (461, 461)


def test_what_no_font_writes_is_numbered_and_told(tmp_path, monkeypatch):
    """A server without Chinese fonts: no boxes in the PNG files, the words themselves on the page."""
    latin = [font for font in style._fonts() if font.name == style.BASE_FONT]
    monkeypatch.setattr(style, "_fonts", lambda: latin)
    style._characters.cache_clear()
    key = {}
    picture = draw_confusion(made_up(AWKWARD))
    assert "你好 世界" in picture.svg()
    picture.png(key)
    assert key == {"你好": "#1", "世界": "#2", "再见": "#3"}
    labels = [label.get_text() for label in picture.axes[0].get_yticklabels()]
    assert labels[:2] == ["#1 #2", "#3"]
    page = write(tmp_path, made_up(AWKWARD)).read_text()
    assert "#1 is <bdi>你好</bdi>" in page
    style._characters.cache_clear()


def test_shorten():
    assert style.shorten("zero", 8) == "zero"
    assert style.shorten("one\ntwo\x00", 8) == "one two"
    short = style.shorten("a long label with its own end", 12)
    assert len(short) == 12
    assert short.startswith("a long")
    assert short.endswith("end")


def test_report_is_whole_and_needs_nothing_else(tmp_path):
    metrics = made_up(AWKWARD)
    page = write(tmp_path / "new", metrics, notes=["Mind this."])
    text = page.read_text()
    names = {path.name for path in (tmp_path / "new" / "pictures").iterdir()}
    assert names == {"confusion.png", "calibration.png", "speakers.png", "training.png", "clips.png"}
    for path in (tmp_path / "new" / "pictures").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
    saved = json.loads((tmp_path / "new" / "metrics.json").read_text())
    assert saved["accuracy"] == metrics["accuracy"]
    assert saved["labels"] == AWKWARD
    assert saved["notes"] == ["Mind this."]
    # Nothing is fetched: every address on the page is data, or a place in the page.
    addresses = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", text) + re.findall(r"url\(([^)]*)\)", text)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "<script" not in text
    assert "<b>bold</b>" not in text
    assert text.count("<audio") == 3
    assert "Mind this." in text
    assert "var(--ink)" in text


def test_report_shows_each_group_worst_first(tmp_path):
    metrics = made_up(DIGITS, groups=["accent", "micro/phone <1>"])
    text = write(tmp_path, metrics).read_text()
    assert "Each <bdi>accent</bdi>" in text
    assert "Each <bdi>micro/phone &lt;1&gt;</bdi>" in text
    names = {path.name for path in (tmp_path / "pictures").glob("groups-*")}
    assert names == {"groups-accent.png", "groups-micro_phone__1_.png"}
    saved = json.loads((tmp_path / "metrics.json").read_text())["groups"]["accent"]
    assert [item["accuracy"] for item in saved] == sorted(item["accuracy"] for item in saved)
    shown = [label.get_text() for label in draw_groups(metrics, "accent").axes[0].get_yticklabels()]
    assert shown == [item["group"] for item in saved]


def test_report_shows_why_clips_were_heard_wrongly(tmp_path):
    made = clips(DIGITS, 2, explained=True) + clips(DIGITS, 1)
    text = write(tmp_path, made_up(DIGITS), clips=made).read_text()
    assert text.count("What spoke for") == 2
    assert "Under the first 2," in text
    assert text.count("<img") == 5


def test_evidence_is_blue_for_and_orange_against():
    spectrogram = np.full((9, 8), -40.0)
    spectrogram[7:] = np.nan
    evidence = np.zeros((9, 8))
    evidence[:3], evidence[4:7] = 1, -1
    colours = evidence_colours(spectrogram, evidence)
    assert colours[1, 4, 2] > colours[1, 4, 0]
    assert colours[5, 4, 0] > colours[5, 4, 2]
    assert (colours[7:, :, 3] == 0).all()
    assert (colours[:7, :, 3] == 1).all()


def test_report_without_errors_speakers_or_history(tmp_path):
    metrics = classification_metrics(np.eye(10)[np.arange(20) % 10], np.arange(20) % 10, DIGITS)
    text = write(tmp_path, metrics, history=[], clips=clips(DIGITS, 3, correct=True)).read_text()
    assert "least sure of" in text
    assert "every clip was right" in text
    assert {path.stem for path in (tmp_path / "pictures").iterdir()} == {"confusion", "calibration", "clips"}


def test_words_without_clips_come_last(tmp_path):
    metrics = classification_metrics(np.eye(3)[[0, 0, 1]], [0, 0, 0], ["zero", "one", "two"])
    text = write(tmp_path, metrics, history=[]).read_text()
    order = re.findall(r'<td class="word"><bdi>(\w+)</bdi></td><td style', text)
    assert order[0] == "zero"


def test_a_second_report_replaces_the_first(tmp_path):
    write(tmp_path, made_up(DIGITS[:2]))
    (tmp_path / "pictures" / "detector.png").write_bytes(b"old")
    write(tmp_path, made_up(DIGITS[:2]), history=[])
    assert {path.stem for path in (tmp_path / "pictures").iterdir()} == {
        "confusion",
        "calibration",
        "speakers",
        "clips",
    }


def test_files_that_no_report_made_stay(tmp_path):
    """A run may come from a stranger, and its folder of pictures be a link to yours."""
    (tmp_path / "run").mkdir()
    (tmp_path / "mine").mkdir()
    for name in ("holiday.png", "detector.png", "metrics.json", "confusion.png"):
        (tmp_path / "mine" / name).write_bytes(b"mine")
    (tmp_path / "run" / "pictures").symlink_to(tmp_path / "mine")
    for name in ("metrics.json", "report.html"):
        (tmp_path / "run" / name).symlink_to(tmp_path / "mine" / "metrics.json")
    write(tmp_path / "run", made_up(DIGITS[:2]))
    assert {path.read_bytes() for path in (tmp_path / "mine").iterdir()} == {b"mine"}
    assert len(list((tmp_path / "mine").iterdir())) == 4
    pictures = tmp_path / "run" / "pictures"
    (pictures / "holiday.png").write_bytes(b"mine")
    write(tmp_path / "run", made_up(DIGITS[:2]), history=[])
    assert (pictures / "holiday.png").exists()
    assert not (pictures / "training.png").exists()


def test_a_full_disk_leaves_the_old_page(tmp_path, monkeypatch):
    old = write(tmp_path, made_up(DIGITS[:2])).read_bytes()
    whole = atomic.write_bytes

    def full(path, content):
        if Path(path).name == "report.html":
            raise OSError(28, "No space left on device", str(path))
        whole(path, content)

    monkeypatch.setattr(atomic, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, made_up(DIGITS[:2]), title="another")
    assert (tmp_path / "report.html").read_bytes() == old


def test_evaluating_a_run_gives_it_its_score(tone_run, tmp_path):
    path = shutil.copytree(tone_run, tmp_path / "run")
    run = load_run(path)
    evaluation = evaluate_run(run)
    assert evaluation.folder == path
    assert run.metrics["accuracy"] == evaluation.metrics["accuracy"] >= 0.6
    assert run.metrics["parameters"] == run.network.count_params()
    assert run.metrics["model_bytes"] == (path / "model.keras").stat().st_size
    assert run.metrics["latency_ms"] > 0
    assert run.metrics["interval_method"].startswith("exact")
    text = evaluation.report.read_text()
    assert run.split_rule in text
    assert "What spoke for" in text
    heard = run.predict_files([item.path for item in run.utterances("test")]).argmax(1)
    truth = run.task.label_index([item.label for item in run.utterances("test")])
    assert evaluation.metrics["accuracy"] == pytest.approx(np.mean(heard == truth))


def test_a_page_of_one_speaker_says_why_there_is_no_interval(tmp_path):
    metrics = made_up(["zero", "one"], speakers=("george",), detector=True)
    assert metrics["accuracy_interval"] is None
    page = write(tmp_path, metrics).read_text()
    assert "no interval: one speaker tells nothing of others" in page
    assert "words missed (no interval" in page


def test_other_recordings_get_a_folder_of_their_own(tone_run, tones, tmp_path):
    path = shutil.copytree(tone_run, tmp_path / "run")
    shutil.copytree(tones / "low", tmp_path / "else where" / "low")
    (tmp_path / "else where" / "low" / "bad.wav").write_text("no sound")
    run = load_run(path)
    before = sorted(file.name for file in path.iterdir())
    evaluation = evaluate_run(run, corpus=read_folder(str(tmp_path / "else where")))
    assert evaluation.folder == path / "evaluations" / "else_where"
    assert evaluation.metrics["num_clips"] == 20
    assert any("No clip of high, middle" in note for note in evaluation.notes)
    assert sorted({*before, "evaluations"}) == sorted(file.name for file in path.iterdir())
    (tmp_path / "linked").symlink_to(tones)
    own = evaluate_run(run, corpus=read_folder(str(tmp_path / "linked")), folder=tmp_path / "out")
    assert any("were in the run's own training" in note for note in own.notes)


@pytest.mark.usefixtures("scores_alone")
def test_recordings_that_moved_are_known_again(tone_run, tones, tmp_path):
    run = load_run(shutil.copytree(tone_run, tmp_path / "run"))
    moved = read_folder(str(shutil.copytree(tones, tmp_path / "moved")))
    heard = len(run.utterances("train") + run.utterances("validation"))
    own = f"{heard} of these 60 recordings were in the run's own training"
    assert any(own in note for note in evaluate_run(run, corpus=moved, folder=tmp_path / "out").notes)
    # A run of an earlier version has paths only.
    listed = read_manifest(run.path / "manifest.csv").utterances
    write_manifest(run.path / "manifest.csv", [replace(item, content_hash=None) for item in listed])
    old = load_run(run.path)
    assert not any(item in old.known for item in with_hashes(moved.utterances))
    assert sum(item in old.known for item in with_hashes(read_folder(str(tones)).utterances)) == heard


@pytest.mark.usefixtures("scores_alone")
def test_recordings_of_the_same_name_do_not_take_the_place_of_others(tone_run, tones, tmp_path):
    run = load_run(shutil.copytree(tone_run, tmp_path / "run"))
    folders = []
    for place in ("here", "there", "here"):
        clips = tmp_path / place / "test"
        shutil.copytree(tones / "low", clips / "low", dirs_exist_ok=True)
        folders.append(evaluate_run(run, corpus=read_folder(str(clips))).folder.name)
    assert folders == ["test", "test-2", "test"]


def test_the_columns_of_a_manifest_are_groups(tone_run, tmp_path):
    path = shutil.copytree(tone_run, tmp_path / "run")
    manifest = read_manifest(path / "manifest.csv")
    rooms = ("kitchen", "hall")
    named = [replace(item, extra={"room": rooms[number % 2]}) for number, item in enumerate(manifest.utterances)]
    write_manifest(path / "manifest.csv", named)
    metrics = evaluate_run(load_run(path)).metrics
    groups = metrics["groups"]["room"]
    assert {item["group"] for item in groups} == set(rooms)
    assert sum(item["num_clips"] for item in groups) == metrics["num_clips"]
    assert (path / "pictures" / "groups-room.png").exists()


def test_unknown_words_are_named(tone_run, tones):
    corpus = Corpus("else", tuple(Utterance(str(tones / "low" / f"{n}.wav"), label=f"word{n}") for n in range(2)))
    with raises("word-not-found"):
        evaluate_run(load_run(tone_run), corpus=corpus)


def test_recordings_without_a_label_are_named(tone_run, tones):
    corpus = Corpus("sentences", (Utterance(str(tones / "low" / "0.wav"), text="low and behold"),))
    with raises("label-missing"):
        evaluate_run(load_run(tone_run), corpus=corpus)


def test_recordings_that_are_gone_are_named(tone_run, tmp_path):
    corpus = Corpus("gone", (Utterance(str(tmp_path / "a.wav"), label="low"),))
    with raises("recordings-unusable", r"a\.wav"):
        evaluate_run(load_run(tone_run), corpus=corpus)


def test_damaged_weights_are_told(tone_run, tmp_path):
    run = load_run(shutil.copytree(tone_run, tmp_path / "run"))
    run.network.set_weights([np.full_like(weight, np.nan) for weight in run.network.get_weights()])
    with raises("run-damaged", "NaN"):
        evaluate_run(run)


@pytest.mark.parametrize(("labels", "fits"), [(DIGITS, True), ([f"command {n}" for n in range(35)], False)])
def test_the_confusion_matrix_fits_a_phone_or_scrolls_in_its_own_box(tmp_path, labels, fits):
    text = write(tmp_path, made_up(labels)).read_text()
    least = int(re.search(r'aria-label="Confusion matrix"><div style="min-width: (\d+)px', text)[1])
    # Of 375 pixels, the margins of the page and of the card leave so many.
    assert (least <= 325) == fits
    assert re.search(r"figure {[^}]*overflow-x: auto", text)
