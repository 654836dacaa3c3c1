"""Paths and words are data: whatever somebody has called them, they are printed so, and a shell takes them for that."""

import ast
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kerasr import audio, compare, evaluate, listen, predict, train
from kerasr.core import cli, progress
from kerasr.core.console import END_ISOLATE, ISOLATE, isolate, make_console
from kerasr.core.interruption import Stopped
from kerasr.core.timing import format_seconds
from kerasr.data.manifest import SPLITS, read_manifest, write_manifest
from kerasr.errors import UserError
from kerasr.report import draw_clips, draw_cost, draw_groups, make_clip
from kerasr.runs import __main__ as runs
from kerasr.runs.run import load_run
from kerasr.training.callbacks import ProgressLine, TrainingState
from kerasr.training.summary import print_summary

HOUSE = Path(__file__).parents[2] / "kerasr"

STOP = "قف"
NAMES = [
    "br[test]",
    "two[x]",
    "[/b]",
    "[bold red]",
    ":smile:",
    "$(x) `y`",
    'it\'s "so"',
    "{task.fields[no]}",
    "%s",
    STOP,
]
WORDS = ("[/b]", ":smile:", f"{STOP} 2")


@pytest.fixture(scope="module")
def awkward(tone_run, tmp_path_factory):
    """The tones' run where folders, recordings and words are called as nobody should call them."""
    root = tmp_path_factory.mktemp("awkward")
    run = shutil.copytree(tone_run, root / "br[test]" / "two[x] $(x) :smile: it's")
    facts = json.loads((run / "run.json").read_text())
    names = dict(zip(facts["corpus"]["labels"], WORDS, strict=True))
    facts["corpus"] |= {"labels": WORDS, "name": f"[/i] {STOP}"}
    (run / "run.json").write_text(json.dumps(facts))
    clips = root / "[/b] :cat:"
    clips.mkdir(parents=True)
    items = []
    for number, item in enumerate(read_manifest(run / "manifest.csv").utterances):
        path = str(shutil.copy(item.path, clips / f"{number} [x] $y.wav"))
        facts = {"speaker": (f"{STOP} 3", "[/s]")[number % 2], "extra": {"[/room]": (":car:", "[b]")[number // 2 % 2]}}
        items.append(replace(item, path=path, label=names[item.label], split=SPLITS[number % 3], **facts))
    write_manifest(run / "manifest.csv", items)
    return run


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """A terminal on which nothing is broken."""
    monkeypatch.setenv("COLUMNS", "400")


def words_of(line):
    """What a shell takes a line for."""
    script = f'python() {{ printf "%s\\0" python "$@"; }}\n{line}'
    return subprocess.run(["sh", "-c", script], capture_output=True, check=True, text=True).stdout.split("\0")[:-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_printed_as_it_is(name):
    console = make_console(file=io.StringIO())
    table = Table(f"a {name}", title=name)
    table.add_row(f"b {name}")
    console.print(f"c {name}")
    console.print(f"d {name}", style="yellow", soft_wrap=True)
    console.print(table)
    for mark in "abcd":
        assert f"{mark} {name}" in console.file.getvalue()


def test_no_name_commands_the_terminal(capsys, monkeypatch):
    """ESC begins a command, U+009B does too; what has a style keeps it."""
    name, shown = "a\x1b]0;b\x07c\x9b31md\re", "a␛]0;b␇c\ufffd31md␍e"
    console = make_console(file=io.StringIO())
    table = Table(name, title=name)
    table.add_row(name)
    for printed in (name, Text(name), table):
        console.print(printed)
    said = console.file.getvalue()
    assert not set(said) & {"\x1b", "\x07", "\x9b", "\r"}
    assert "a␛]0;b" in said
    cli.print_error(UserError("run-damaged", name), as_json=False)
    cli.print_error(UserError("run-damaged", name), as_json=True)
    plain, program = capsys.readouterr().err.splitlines()
    assert plain == f"error[run-damaged]: {shown.replace('␍', ' ')}"
    assert "\x1b" not in program
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    console = make_console(file=io.StringIO())
    console.print(Text(name, "red"))
    assert console.file.getvalue() == f"\x1b[31m{shown.replace('␇', '').replace('␍', '')}\x1b[0m\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_bar_names_what_it_is_about(name, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(progress, "make_console", lambda **_: Console(file=screen, force_terminal=True, width=200))
    monkeypatch.setattr(progress, "_PATIENCE_SECONDS", 0)
    with progress.ProgressBar(f"Unpacking {name}", 2) as notice:
        notice.advance(1)
    assert f"Unpacking {name}" in screen.getvalue()


def test_in_a_file_no_sentence_is_broken_and_in_a_terminal_it_is(monkeypatch):
    monkeypatch.delenv("COLUMNS")
    sentence = "a word " * 200
    for terminal in (False, True):
        monkeypatch.setattr(Console, "is_terminal", terminal)
        console = make_console(file=io.StringIO())
        console.print(sentence)
        assert (console.file.getvalue().count("\n") > 1) == terminal


STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "


def test_where_there_is_no_terminal_progress_is_lines_with_the_time(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(progress, "make_console", lambda **_: make_console(file=screen))
    monkeypatch.setattr(progress, "LINE_SECONDS", -1)
    with progress.ProgressBar("Reading", 3000) as notice:
        notice.advance(1000)
        notice.advance(2000)
    first, last = screen.getvalue().splitlines()
    assert re.fullmatch(f"{STAMP}Reading: 1,000 of 3,000, about 1 s left", first)
    assert re.fullmatch(f"{STAMP}Reading: 3,000 of 3,000", last)


@pytest.mark.parametrize("terminal", [False, True])
def test_each_epoch_stays_as_a_line(monkeypatch, terminal):
    monkeypatch.setattr(Console, "is_terminal", terminal)
    console, state = make_console(file=io.StringIO()), TrainingState()
    with ProgressLine(console, 10, 4, state) as line:
        for epoch in range(2):
            state.epoch, state.step = epoch, 1
            line.on_train_batch_end(0, {"loss": 0.5})
            state.epoch, state.step = epoch + 1, 0
            line.on_epoch_end(epoch, {"loss": 0.25, "accuracy": 0.5, "val_accuracy": 0.75})
    stamp = "" if terminal else STAMP
    said = "/10  loss 0.250  accuracy 50.0%  validation 75.0%  about 1 s left"
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", console.file.getvalue())
    for number in (1, 2):
        assert re.search(rf"(^|\r){stamp}epoch  {number}{said}\n", shown, re.MULTILINE), shown


def test_after_a_third_of_the_epochs_a_doubt_is_told_once():
    console, state, asked = make_console(file=io.StringIO()), TrainingState(), []

    def doubt(scores):
        asked.append(scores["val_accuracy"])
        return "in vain"

    with ProgressLine(console, 7, 4, state, doubt=doubt) as line:
        for epoch in range(7):
            line.on_epoch_end(epoch, {"loss": 0.25, "accuracy": 0.5, "val_accuracy": epoch / 10})
    assert asked == [0.2]
    assert console.file.getvalue().count("warning: in vain") == 1


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (119, "119 s"), (120, "2 min"), (3599, "60 min"), (4800, "1 h 20 min")]
)
def test_times_are_said_as_people_do(seconds, said):
    assert format_seconds(seconds) == said


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        (KeyboardInterrupt(), "stopped\nnext    python -m kerasr.predict 'my run' a.wav\n"),
        (KeyboardInterrupt("x is saved"), "stopped: x is saved\nnext    python -m kerasr.predict 'my run' a.wav\n"),
        (Stopped("it has ended", "go on"), "stopped: it has ended\nnext    go on\n"),
    ],
)
def test_after_ctrl_c_it_says_what_to_type_next(monkeypatch, capsys, stop, said):
    def parse(*_, **__):
        raise stop

    monkeypatch.setattr(predict, "parse", parse)
    monkeypatch.setattr("sys.argv", ["kerasr", "my run", "a.wav"])
    with pytest.raises(SystemExit) as end:
        cli.run_command(predict.main)
    assert end.value.code == 130
    assert capsys.readouterr().err == said


def test_nobody_makes_a_console_that_takes_markup():
    for path in HOUSE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ImportFrom):
                assert node.module != "rich.markup", f"{where}: what has a style is a rich.text.Text"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id == "Console":
                    assert path.name == "console.py", f"{where}: use kerasr.core.console.make_console"
                if node.func.id == "TextColumn":
                    assert "markup" in {keyword.arg for keyword in node.keywords}, f"{where}: say markup=False"


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_takes_a_name_for_one_word(name, monkeypatch):
    line = cli.command_line("predict", Path("runs") / name, name)
    assert words_of(line) == ["python", "-m", "kerasr.predict", f"runs/{name}", name]
    monkeypatch.setattr(cli, "os", SimpleNamespace(name="nt"))
    assert cli.command_line("predict", "my run") == 'python -m kerasr.predict "my run"'


def new_recordings(paths, folder):
    """The recordings at another level: like those that the run has, and none of them."""
    folder.mkdir()
    for path in paths:
        waveform, rate = audio.read(path)
        audio.write(folder / Path(path).name, 0.9 * waveform, rate)
    return str(folder)


def test_a_spinner_shows_on_a_terminal_alone_and_leaves_no_line(tmp_path, monkeypatch):
    pty = pytest.importorskip("pty")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen, terminal = pty.openpty()
    with cli._spinner(terminal):
        pass
    os.close(terminal)
    written = b""
    with contextlib.suppress(OSError):  # So Linux says that nobody writes there any more.
        while piece := os.read(screen, 10_000):
            written += piece
    os.close(screen)
    written = written.decode()
    assert "loading" in written
    assert "loading" not in written.rsplit("\x1b[2K", 1)[1]
    with open(tmp_path / "log", "w") as log, cli._spinner(log.fileno()):
        pass
    assert (tmp_path / "log").read_text() == ""


def test_a_training_says_what_to_type_next(awkward):
    run = load_run(awkward)
    evaluate.main([str(awkward), "--json"])
    console = Console(file=io.StringIO(), width=400)  # One of the user's own, which takes markup.
    train.print_result(console, run)
    lines = dict(re.findall(r"^(run|report|next) +(.*)$", console.file.getvalue(), re.MULTILINE))
    assert lines["run"] == str(awkward)
    assert lines["report"] == str(awkward / "report.html")
    clip = run.utterances("test")[0].path
    assert words_of(lines["next"]) == ["python", "-m", "kerasr.predict", str(awkward), clip]
    stub = SimpleNamespace(num_steps=1, batch_size=1, cache_bytes=0, count_params=lambda: 1, implementation=None)
    runtime = SimpleNamespace(device="CPU", backend="tensorflow", precision="float32", xla=False, implementation=None)
    print_summary(console, run, stub, stub, runtime)
    assert f"[/i] {STOP}" in console.file.getvalue()
    assert re.search(r"^labels +\[/b\], :smile:, ", console.file.getvalue(), re.MULTILINE)


def test_commands_print_words_and_paths_as_they_are(awkward, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clips = [item.path for item in load_run(awkward).utterances("test")]
    evaluate.main([str(awkward), "--out", "[/out]"])
    out = capsys.readouterr().out
    assert "[/out]/report.html" in out
    (command,) = re.findall(r"^next +(.*)$", out, re.MULTILINE)
    assert words_of(command)[:5] == ["python", "-m", "kerasr.export", str(awkward), "--to"]
    assert re.search(rf"worst speaker +({isolate(STOP + ' 3')}|\[/s\]), ", out)
    assert re.search(r"worst \[/room\] +(:car:|\[b\]), ", out)
    evaluate.main(["unlabelled", str(awkward), new_recordings(clips, tmp_path / "[new]"), "--out", "[/ranked]"])
    assert "[/ranked]/unlabelled.csv" in capsys.readouterr().out
    predict.main([str(awkward), *clips, "--threshold", "0"])
    out = capsys.readouterr().out
    assert all(clip in out for clip in clips)
    for word in WORDS:
        assert isolate(word) in out
    listen.main([str(awkward), "--file", clips[0], "--threshold", "0"])
    capsys.readouterr()
    runs.main(["--out", str(awkward.parent)])
    assert str(awkward) in capsys.readouterr().out


def test_a_comparison_prints_names_as_they_are(capsys):
    row = {"model": "m", "score": "50.0%", "accuracy_interval": [0.4, 0.6], "parameters": 1, "macs": 1}
    row |= {"seconds_per_epoch": 1.0, "latency_ms": 1.0, "model_bytes": 1}
    rows = [{**row, "name": name} for name in NAMES]
    pairs = [{"sentence": f"{name} is better"} for name in NAMES]
    compare.print_comparison(make_console(), {"runs": rows, "pairs": pairs, "notes": NAMES})
    out = capsys.readouterr().out
    assert all(f"{name} is better" in out and f"note: {name}" in out for name in NAMES)
    assert all(f"{isolate(name)} " in out for name in NAMES)
    assert "note: قف" in out


# From right to left


def test_only_what_runs_from_right_to_left_is_isolated():
    assert isolate("stop 2, arrêt, 停") == "stop 2, arrêt, 停"
    for word in (STOP, "עצור", "a קף", "٣"):
        assert isolate(word) == f"{ISOLATE}{word}{END_ISOLATE}"


def test_a_word_leaves_the_numbers_beside_it_on_every_page(awkward, tmp_path):
    evaluate.main([str(awkward), "--out", str(tmp_path / "test"), "--json"])
    run = load_run(awkward)
    folder = new_recordings([item.path for item in run.utterances("test")], tmp_path / "new")
    evaluate.main(["unlabelled", str(awkward), folder, "--out", str(tmp_path / "ranked"), "--json"])
    for page in (tmp_path / "test" / "report.html", tmp_path / "ranked" / "unlabelled.html"):
        text = page.read_text("utf-8")
        places = [match.start() for match in re.finditer(STOP, text)]
        assert places
        for place in places:
            before = text[:place].removesuffix("[/i] ")
            assert before.endswith(("<bdi>", ISOLATE)), text[place - 80 : place + 80]


def test_and_in_every_picture(awkward):
    run = load_run(awkward)
    item = next(item for item in run.utterances("test") if item.label == WORDS[2])
    clip = make_clip(run, item, predicted=WORDS[2], probability=0.89, correct=True)
    group = {"group": STOP, "accuracy": 0.5, "accuracy_interval": [0.4, 0.6], "num_clips": 3}
    row = {"name": STOP, "accuracy": 0.5, "accuracy_interval": [0.4, 0.6], "macs": 1, "parameters": 1}
    pictures = (
        (draw_clips([clip]), f"{isolate(WORDS[2])} 89%"),
        (draw_groups({"groups": {STOP: [group]}, "accuracy": 0.5}, STOP), f"Worst {isolate(STOP)} 50%"),
        (draw_cost([row]), f"Best: {isolate(STOP)}, 50.0%"),
    )
    for picture, text in pictures:
        key = {}
        assert text in picture.svg()
        picture.png(key)
        assert not {ISOLATE, END_ISOLATE} & set("".join(key))
