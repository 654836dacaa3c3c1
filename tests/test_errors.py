"""Every error has a code of its own kind, and docs/errors.md lists each of them."""

import ast
import errno
import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import kerasr
from kerasr import FeatureSpec, TrainConfig, audio
from kerasr.core import cli
from kerasr.data import Corpus, Utterance
from kerasr.data.manifest import report_bad
from kerasr.errors import UserError

ROOT = Path(__file__).parents[1]


def codes_in_source():
    for path in sorted([*(ROOT / "kerasr").rglob("*.py"), *(ROOT / "data_scripts").glob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "UserError":
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: the code is no constant"
                yield node.args[0].value


def test_the_documentation_lists_every_code_in_order():
    listed = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "errors.md").read_text("utf-8"), re.MULTILINE)
    assert listed == sorted({*codes_in_source()})
    assert cli.SYSTEM not in listed


def test_an_error_is_its_message_and_survives_another_process():
    error = pickle.loads(pickle.dumps(UserError("run-not-found", "runs/1: no run is here")))
    assert (error.code, str(error)) == ("run-not-found", "runs/1: no run is here")


def test_a_line_for_people_and_an_object_for_programs(capsys):
    cli.print_error(UserError("run-not-found", "runs/1: no run is here"), as_json=False)
    cli.print_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/1"), as_json=True)
    line, described = capsys.readouterr().err.splitlines()
    assert line == "error[run-not-found]: runs/1: no run is here"
    message = "runs/1: No space left on device; free some space, or write elsewhere"
    assert json.loads(described) == {"error": {"code": "system-error", "message": message}}


def test_an_object_in_the_place_of_a_name_is_shortened():
    thing = {"weights": "w" * 10_000}
    for place in (kerasr.from_preset, kerasr.load_run, lambda it: TrainConfig().derive(data=it)):
        with pytest.raises(UserError) as error:
            place(thing)
        assert "'weights': 'www" in str(error.value)
        assert len(str(error.value)) < 300


def _one_word(folder):
    (folder / "yes").mkdir()
    audio.write(folder / "yes" / "1.wav", np.zeros(800), 8000)
    kerasr.load_corpus(str(folder))


def _second_row(folder):
    (folder / "m.csv").write_text("path,label\na.wav,yes\n./a.wav,no\n")
    kerasr.load_corpus(str(folder / "m.csv"))


def _nobody(folder):
    items = tuple(Utterance(f"/{name}/1.wav", label="yes", speaker=name) for name in ("anna", "ben"))
    kerasr.split_corpus(Corpus("mine", items, source="mine"), leave_out="carl")


def _too_many(folder):
    report_bad(Corpus("mine", (), source="mine"), [("a.wav", "is an empty file"), ("b.wav", "has no samples")], 1)


# What people read: each names the file or the value, says what is wrong, and the way out.
SENTENCES = [
    (
        lambda folder: audio.read(folder / "a.wav"),
        "FOLDER/a.wav: there is no such file",
    ),
    (
        lambda folder: kerasr.load_run(folder),
        "FOLDER: no run is here (a run's folder holds run.json); python -m kerasr.runs lists them, and the presets are "
        "commands, digits, digits_voice, sentences, spelling, wakeword_stop",
    ),
    (
        lambda folder: kerasr.from_preset("letters"),
        "no preset is called 'letters': choose one of commands, digits, digits_voice, sentences, spelling, "
        "wakeword_stop",
    ),
    (
        lambda folder: FeatureSpec(n_fft=256, win_length=300),
        "features.win_length 300 does not fit into features.n_fft 256: make n_fft at least as long",
    ),
    (
        lambda folder: TrainConfig().replace(batch_size=0),
        "--batch-size 0: give a whole number of at least 1 and at most 2,147,483,647",
    ),
    (
        _one_word,
        "FOLDER: has only the label 'yes', and a word model needs at least 2; add a folder of recordings of other "
        "words",
    ),
    (
        _second_row,
        "FOLDER/m.csv: line 3 lists ./a.wav again (first on line 2)",
    ),
    (
        _nobody,
        "mine has no speaker 'carl': its speakers are anna, ben",
    ),
    (
        _too_many,
        "mine: 2 bad recordings, and --max-bad allows 1; the first is a.wav (is an empty file); mend them, or raise it",
    ),
    (
        lambda folder: kerasr.load_corpus(str(folder / "nowhere")),
        "FOLDER/nowhere: there is no such folder or manifest, nor a known corpus of this name (an4, "
        "common_voice, fsdd, grid, librispeech, speech_commands, ljspeech, synthetic:yes,no, flite:ljspeech)",
    ),
]


@pytest.mark.parametrize(("fault", "sentence"), SENTENCES)
def test_sentences(tmp_path, fault, sentence):
    with pytest.raises(UserError) as error:
        fault(tmp_path)
    assert str(error.value).replace(str(tmp_path), "FOLDER") == sentence
