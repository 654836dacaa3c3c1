"""Alignments in Praat's form: their words and times, and what is no such thing."""

import pytest
from _errors import raises
from _shared import record

from kerasr.data import load_corpus
from kerasr.data.corpora.textgrid import read_textgrid
from kerasr.data.word_times import WORD_TIMES, parse_times

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.9
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 0.9
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 0.9
            text = "AH0"
    item [2]:
        class = "IntervalTier"
        name = "Words"
        xmin = 0
        xmax = 0.9
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.25
            text = ""
        intervals [2]:
            xmin = 0.25
            xmax = 0.5
            text = "say ""2"" [it]"
        intervals [3]:
            xmin = 0.5
            xmax = 0.9
            text = "again"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
0.9
<exists>
2
"TextTier"
"clicks"
0
0.9
1
0.3
"!"
"IntervalTier"
"word"
0
0.9
2
0
0.25
"<p:>"
0.25
0.9
"yes"
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_words_and_times_in_both_forms(tmp_path, encoding):
    (tmp_path / "a.TextGrid").write_text(LONG, encoding)
    assert read_textgrid(str(tmp_path / "a.TextGrid")) == [('say "2" [it]', 0.25, 0.5), ("again", 0.5, 0.9)]
    (tmp_path / "b.TextGrid").write_text(SHORT, encoding)
    assert ("yes", 0.25, 0.9) in read_textgrid(str(tmp_path / "b.TextGrid"))


@pytest.mark.parametrize(
    "content",
    ["", "hello", LONG[:400], LONG.replace("Words", "phrases"), SHORT.replace("0.25\n0.9", "x\n0.9"), b"\xff\xff\x00"],
)
def test_what_is_no_textgrid_is_named(tmp_path, content):
    path = tmp_path / "a.TextGrid"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with raises("corpus-damaged", match="a.TextGrid"):
        read_textgrid(str(path))


def test_it_is_the_text_where_there_is_no_other(tmp_path):
    for name in ("a", "b"):
        record(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.TextGrid").write_text(LONG.replace('say ""2"" [it]', "say"))
    (tmp_path / "b.txt").write_text("Say: again!")
    one, other = sorted(load_corpus(str(tmp_path), min_labels=0).utterances, key=lambda item: item.path)
    assert (one.text, other.text) == ("say again", "Say: again!")
    assert one.extra[WORD_TIMES] == other.extra[WORD_TIMES] == "0.25-0.5 0.5-0.9"
    assert parse_times(one).tolist() == [[0.25, 0.5], [0.5, 0.9]]
