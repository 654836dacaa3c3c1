"""Subtitles: lines that can be read, at their times, in two formats."""

import re

import pytest

from kerasr.decoding.alignment import Word
from kerasr.decoding.subtitles import LINE, format_subtitles


def say(text, start=0.0, step=0.5):
    return [Word(word, start + step * n, start + step * n + 0.3, 0.9) for n, word in enumerate(text.split())]


def test_a_pause_ends_a_line_and_each_stands_long_enough_to_be_read():
    words = [*say("rubout g m e f three nine"), *say("yes", 3725.0004)]
    assert format_subtitles(words, "srt") == (
        "1\n00:00:00,000 --> 00:00:03,300\nrubout g m e f three nine\n\n2\n01:02:05,000 --> 01:02:06,000\nyes\n"
    )
    assert format_subtitles(words, "vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:03.300\nrubout g m e f three nine\n\n01:02:05.000 --> 01:02:06.000\nyes\n"
    )


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_no_line_is_too_long_and_no_two_stand_at_once(kind):
    text = "one two three four five six seven eight nine ten " * 7 + "x" * (LINE + 10)
    shown = re.findall(r"(.+) --> (.+)\n(.+)\n", format_subtitles(say(text, step=0.31), kind))
    assert " ".join(line for _, _, line in shown) == text
    assert all(len(line) <= LINE for _, _, line in shown[:-1])
    times = [time for start, end, _ in shown for time in (start, end)]
    assert times == sorted(times)


def test_nothing_said_is_a_file_of_nothing_and_marks_stay_text():
    assert (format_subtitles([], "srt"), format_subtitles([], "vtt")) == ("", "WEBVTT\n")
    assert "a&lt;b&gt; &amp;\n" in format_subtitles(say("a<b> &"), "vtt")
