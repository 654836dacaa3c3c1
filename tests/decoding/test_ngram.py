"""Language models: probabilities that sum up to 1, as KenLM reads them, and what is wrong with a file."""

import gzip
import runpy
from pathlib import Path

import pytest
from _errors import raises

from kerasr.core import regular
from kerasr.decoding.kneser_ney import estimate_ngrams
from kerasr.decoding.ngram import BEGIN, END, NEVER, UNKNOWN, NGrams, read_arpa, write_arpa

TEXT = [
    line.split() for line in ("go up", "go down", "go up now", "stop", "up up and down", "go", "stop now and go up")
]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("open_vocabulary", [True, False])
def test_what_may_follow_sums_up_to_one(order, open_vocabulary):
    model = estimate_ngrams(TEXT, order, open_vocabulary=open_vocabulary)
    following = model.words | {END} | ({UNKNOWN} if open_vocabulary else set())
    for history in ((), (BEGIN,), (BEGIN, "go"), ("go", "up"), ("and",), ("never", "said")):
        assert sum(10 ** model.log_prob(word, history) for word in following) == pytest.approx(1)
    assert (model.log_prob("xyz") > NEVER) is open_vocabulary


def test_longer_histories_know_more():
    perplexities = [estimate_ngrams(TEXT, order).perplexity(TEXT) for order in (1, 2, 3)]
    assert perplexities == sorted(perplexities, reverse=True)


def test_a_discount_is_that_of_the_paper():
    """Of counts 1, 1, 2, 3, 4: Y is 2 / (2 + 2 * 1), and D1 = 1 - 2 Y n2 / n1."""
    text = [["a"], ["b"], *[["c"]] * 2, *[["d"]] * 3, *[["e"]] * 4]
    model = estimate_ngrams(text, 1)
    # </s> is counted 11 times more: 22 in all, one of each discount's kind beside those above.
    share = 2 / (2 + 2 * 1)
    d1, d2, d3 = (1 - 2 * share * 1 / 2), (2 - 3 * share * 1 / 1), (3 - 4 * share * 1 / 1)
    left = (2 * d1 + d2 + 3 * d3) / 22
    assert 10 ** model.log_prob("a") == pytest.approx((1 - d1) / 22 + left / 7)
    assert 10 ** model.log_prob("e") == pytest.approx((4 - d3) / 22 + left / 7)
    assert 10 ** model.log_prob("xyz") == pytest.approx(left / 7)


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_a_file_says_what_was_written(tmp_path, name):
    model = estimate_ngrams(TEXT, 3)
    write_arpa(model, tmp_path / name)
    found = read_arpa(tmp_path / name)
    assert found.probs == pytest.approx(model.probs, abs=1e-6)
    assert found.backoffs.keys() == model.backoffs.keys()
    assert found.words == {word for words in TEXT for word in words}


def test_kenlm_agrees(tmp_path):
    kenlm = pytest.importorskip("kenlm")
    model = estimate_ngrams(TEXT, 3)
    write_arpa(model, tmp_path / "lm.arpa")
    other = kenlm.Model(str(tmp_path / "lm.arpa"))
    for words in (*TEXT, ["down", "up"], ["xyz", "go", "up"], ["go", "xyz", "up", "now"], []):
        assert model.sentence_log_prob(words) == pytest.approx(other.score(" ".join(words)), abs=1e-4)


GOOD = "\\data\\\nngram 1=2\n\n\\1-grams:\n-0.3\t</s>\n-0.3\tgo\n\n\\end\\\n"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\\end\\", ""),
        GOOD.replace("ngram 1=2", "ngram 1=3"),
        GOOD.replace("-0.3\tgo", "0.3\tgo"),
        GOOD.replace("-0.3\tgo", "go\t-0.3"),
        GOOD.replace("-0.3\tgo", "-0.3"),
        GOOD.replace("-0.3\tgo", "nan\tgo"),
        GOOD.replace("\\1-grams", "\\one-grams"),
        "",
        "\x00\x01",
    ],
)
def test_a_damaged_file_is_told(tmp_path, text):
    path = tmp_path / "lm.arpa"
    path.write_text(GOOD)
    assert read_arpa(path) == NGrams({("</s>",): -0.3, ("go",): -0.3})
    path.write_text(text)
    with raises("language-model-damaged", str(path)):
        read_arpa(path)


def test_a_file_that_is_not_there_or_broken_off_is_told(tmp_path):
    with raises("language-model-not-found"):
        read_arpa(tmp_path / "nowhere.arpa")
    path = tmp_path / "lm.arpa.gz"
    path.write_bytes((whole := gzip.compress(GOOD.encode()))[: len(whole) // 2])
    with raises("language-model-damaged"):
        read_arpa(path)


def test_a_small_file_that_unpacks_to_a_huge_one_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(regular, "ALWAYS_BYTES", 1 << 17)
    path = tmp_path / "lm.arpa.gz"
    for line in ("\n", "go" * (1 << 15), "ngram 1=2\n"):
        path.write_bytes(gzip.compress(("\\data\\\n" + line * (1 << 20 if len(line) < 99 else 1)).encode()))
        with raises("language-model-damaged", "too long"):
            read_arpa(path)


def test_nothing_is_estimated_of_nothing():
    for text in ([], [[]]):
        with raises("text-missing"):
            estimate_ngrams(text)
    with raises("setting-out-of-range"):
        estimate_ngrams(TEXT, 0)


def test_the_script_writes_n_grams_of_a_text(tmp_path, capsys):
    text, to = tmp_path / "text.txt", tmp_path / "lm.arpa"
    text.write_text("Go up!\n\nGo down.\n", "utf-8-sig")
    script = runpy.run_path(str(Path(__file__).parents[2] / "data_scripts" / "ngram.py"))
    script["main"]([str(text), "--to", str(to), "--order", "2", "--held-out", str(text)])
    assert "perplexity" in capsys.readouterr().out
    assert read_arpa(to).words == {"go", "up", "down"}
    text.write_text("...")
    with raises("text-missing"):
        script["main"]([str(text), "--to", str(to)])
    with raises("corpus-not-found", "nofile.txt"):
        script["main"]([str(tmp_path / "nofile.txt"), "--to", str(to)])
