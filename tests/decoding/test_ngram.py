"""Language models: the papers' probabilities, as KenLM estimates and reads them, and what is wrong with a file."""

import functools
import gzip
import itertools
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

# A letter a word: at each order up to 3 some n-grams have each count of 1 to 4, so that every discount is the papers'.
SENTENCES = ("a", "b", "b", "e", "aa", "ab", "bc", "ef", "abb", "abc", "abc", "agab", "bcde", "aabab", "babad", "gabaa")
LETTERS = [list(sentence) for sentence in SENTENCES]
# log10 of sentences' probabilities by the models that KenLM's `lmplz` (0.3.0) has estimated of LETTERS, by their order.
SAID = ("", "a", "abc", "gab", "fed", "bbb", "axa", "cabaab")
BY_LMPLZ = {
    1: (-0.59, -1.15272, -3.01569, -3.26619, -4.87223, -2.44736, -3.28348, -4.76024),
    2: (-1.24531, -1.10733, -1.63354, -2.14717, -5.16762, -3.43233, -3.61479, -5.29846),
    3: (-1.11099, -1.14975, -1.90696, -2.16823, -4.69219, -2.89028, -3.59602, -5.60736),
}


def by_the_papers(text, order, words):
    """Interpolated modified Kneser-Ney as a function of a word and its history: each count is made by looking again.

    Chen and Goodman 1998, section 3 with equation 26; the counts are those of Heafield et al. 2013, section 3.2.
    """
    sentences = [(BEGIN, *sentence, END) for sentence in text]

    @functools.cache
    def occurrences(gram):
        return sum(s[at : at + len(gram)] == gram for s in sentences for at in range(len(s)))

    @functools.cache
    def adjusted(gram):
        if len(gram) == order or gram[0] == BEGIN:
            return occurrences(gram)
        return sum(occurrences((before, *gram)) > 0 for before in (BEGIN, *words))

    @functools.cache
    def discount(length, k):
        grams = [
            (*history, word) for history in itertools.product((BEGIN, *words), repeat=length - 1) for word in words
        ]
        n = [sum(adjusted(gram) == number for gram in grams) for number in range(5)]
        y = n[1] / (n[1] + 2 * n[2])
        return k - (k + 1) * y * n[k + 1] / n[k]

    @functools.cache
    def prob(word, history):
        lower = prob(word, history[1:]) if history else 1 / len(words)
        following = [adjusted((*history, one)) for one in words]
        if not sum(following):
            return lower
        d1, d2, d3 = (discount(len(history) + 1, k) for k in (1, 2, 3))
        n1, n2 = following.count(1), following.count(2)
        n3 = sum(count >= 3 for count in following)
        count = adjusted((*history, word))
        own = count - (0, d1, d2, d3)[min(count, 3)]
        return (own + (d1 * n1 + d2 * n2 + d3 * n3) * lower) / sum(following)

    return prob


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("open_vocabulary", [True, False])
def test_every_probability_is_that_of_the_papers(order, open_vocabulary):
    model = estimate_ngrams(LETTERS, order, open_vocabulary=open_vocabulary)
    words = (*sorted(model.words), END, *([UNKNOWN] if open_vocabulary else []))
    prob = by_the_papers(LETTERS, order, words)
    for length in range(order):
        for history in itertools.product((BEGIN, *words), repeat=length):
            found = [10 ** model.log_prob(word, history) for word in words]
            assert found == pytest.approx([prob(word, history) for word in words], abs=1e-6), history


@pytest.mark.parametrize("order", BY_LMPLZ)
def test_lmplz_estimates_the_same(order):
    model = estimate_ngrams(LETTERS, order)
    assert [model.sentence_log_prob(list(said)) for said in SAID] == pytest.approx(BY_LMPLZ[order], abs=2e-5)


def test_a_text_without_some_count_has_the_usual_discount():
    """Of a and </s>, once each, a half is taken, and dealt to them and to what is unknown."""
    model = estimate_ngrams([["a"]], 1)
    assert 10 ** model.log_prob("a") == pytest.approx(0.5 / 2 + 0.5 / 3)


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
