"""kerasr's beam search beside libraries that search transcripts: their time, their texts, and where they install.

    pip install --no-deps pyctcdecode==0.5.0 pygtrie==2.5.0 hypothesis==6.170.17 sortedcontainers==2.4.0
    pip install --no-deps kenlm-ex==0.2.1 ctc-beam-decoder==0.2.0 flashlight-text==0.0.7 fast-ctc-decode==0.3.7
    python benchmarks/beam_search.py            a minute; nothing else should run
    python benchmarks/beam_search.py --table    print what has been measured

The preset `spelling` hears AN4's validation and test once; each search has its probabilities, keeps 32 prefixes and
looks at no token below a probability of 0.0001: without a language model, and with the preset's words and trigram,
whose weight and word bonus are the preset's own, which kerasr's search has chosen on that validation. The time is
that of one processor. A library that is not installed is left out, with a line that says so. pyctcdecode asks for a
numpy below 2, kerasr for a later one: hence --no-deps.

The definitions are set equal where a library lets them be. A word that is not in the list costs what no text can win
back (`unk_score_offset`); flashlight-text has a tree of the words, weighs logarithms to the base 10, and ends words
by a space alone, so a frame that is one is put behind each clip. fast-ctc-decode has no language model. pyctcdecode
takes the end of a text behind a space for an unknown word: a class below gives its language model words alone.
ctc-beam-decoder, which does the same, cannot be told. To all of them two spaces with a blank between are one; to
kerasr they are none, since no text has an empty word. So a row has kerasr's search with their rule, and their texts
are compared with both; without a language model flashlight-text and fast-ctc-decode keep texts with one space and
with two apart until the end.

Results go to benchmarks/results/beam_search.json.
"""

import argparse
import importlib
import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from _parts import RESULTS, is_installed, markdown_table, print_tables, processor_seconds, write_result

import kerasr
from kerasr import audio
from kerasr.config import DecodingConfig
from kerasr.core.provenance import provenance
from kerasr.data import load_corpus
from kerasr.data.spoken_text import text_of
from kerasr.decoding.beam import BeamDecoder, BeamOptions
from kerasr.decoding.greedy import collapse
from kerasr.decoding.ngram import NGrams, write_arpa
from kerasr.layers.ctc import BLANK
from kerasr.metrics.transcription import word_error_rate
from kerasr.runs.decoding import BEAM, make_decoder
from kerasr.text import Vocabulary

PATH = RESULTS / "beam_search.json"
PRESET, SPLITS = "spelling", ("validation", "test")
# kerasr's search, and the same with the libraries' rule.
COMPARED = OWN, EMPTY_WORDS = "kerasr", "kerasr, two spaces as one"
WAYS = {"alone": "without a language model", "words": "with words and a trigram"}
# What takes a text out of question, and what stands for the logarithm of nothing.
NEVER = -1e4
Search = Callable[[np.ndarray], str]
# For which of Python 3.11, 3.12 and 3.13 the registry has a wheel of the newest version that is no preview.
WHEELS_OF = "2026-11-30"
WHEELS = (
    ("pyctcdecode 0.5.0", "all, and asks for numpy below 2", "the same", "the same"),
    ("ctc-beam-decoder 0.2.0", "all (glibc 2.35)", "all (macOS 14)", "all"),
    ("flashlight-text 0.0.7", "3.11, 3.12", "3.11, 3.12", "3.11, 3.12"),
    ("kenlm-ex 0.2.1, language models of pyctcdecode and flashlight-text", "all", "all", "all"),
    ("fast-ctc-decode 0.3.7", "all", "3.12", "none"),
    ("torchaudio 2.11.1, by flashlight-text and PyTorch", "3.11, 3.12", "3.11, 3.12", "3.11, 3.12"),
    ("ctcdecode 1.0.2, built beside PyTorch", "none", "none", "none"),
    ("paddlespeech-ctcdecoders, coqui-stt-ctcdecoder", "none", "none", "none"),
)


class _WithEmptyWords(BeamDecoder):
    """kerasr's search with the libraries' rule: a space after a space says nothing."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._open = set()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="measure nothing, print what has been measured")
    if not parser.parse_args().table:
        write_result(PATH, {**measure(), **provenance()})
    print_tables(tables())


def measure() -> dict[str, Any]:
    """Time, word errors and agreement of each search, both ways."""
    run = kerasr.load_run(PRESET)
    items = [item for item in load_corpus("an4", min_labels=0).utterances if item.split in SPLITS]
    probs = [run.predict_files([item.path])[0] for item in items]
    texts = [text_of(item) for item in items]
    length = sum(audio.facts(item.path).duration for item in items)
    decoder = make_decoder(run, DecodingConfig(lm="training", words="training", beam=BEAM))
    if decoder is None or decoder.model is None:
        raise SystemExit(f"{PRESET}: brings no language model")
    options = {"alone": replace(decoder.options, word_bonus=0.0), "words": decoder.options}
    result: dict[str, Any] = {"run": PRESET, "recordings": len(items), "speech_seconds": round(length, 1)}
    there = {name: make for name, make in SEARCHES.items() if is_installed(name, MODULES.get(name, ()), __file__)}
    result["libraries"] = {name: metadata.version(name) for name in there if name in MODULES}
    with tempfile.TemporaryDirectory() as folder:
        arpa = Path(folder) / "training.arpa"
        write_arpa(decoder.model, arpa)
        for way in WAYS:
            setting = Setting(decoder.vocabulary, decoder.model if way == "words" else None, arpa, options[way])
            made = {name: search for name, make in there.items() if (search := make(setting))}
            result[way] = measure_way(made, probs, texts, length)
    return result


def measure_way(
    searches: Mapping[str, Search], probs: Sequence[np.ndarray], texts: Sequence[str], length: float
) -> dict[str, dict[str, float]]:
    """Of each search: seconds a second of speech, word errors, and the share of its texts that are kerasr's."""
    found: dict[str, list[str]] = {}
    result = {}
    for name, search in searches.items():
        search(probs[0])
        busy = processor_seconds()
        found[name] = [search(clip) for clip in probs]
        seconds = processor_seconds() - busy
        result[name] = {
            "real_time_factor": round(seconds / length, 5),
            "wer": word_error_rate(texts, found[name]),
            **{own: float(np.mean(np.equal(found[name], found[own]))) for own in COMPARED if own in found},
        }
    return result


@dataclass(frozen=True)
class Setting:
    """What every search is given.

    Attributes:
        vocabulary: the characters, the space first.
        model: of words, which are all that there are; None for none.
        arpa: its file.
        options: beam and weights.
    """

    vocabulary: Vocabulary
    model: NGrams | None
    arpa: Path
    options: BeamOptions

    @property
    def words(self) -> list[str] | None:
        """All that there are; None for any."""
        return sorted(self.model.words) if self.model else None

    @property
    def least(self) -> float:
        """The logarithm of the probability that a token has at least."""
        return math.log(self.options.least_prob)


def make_kerasr(setting: Setting) -> Search:
    return BeamDecoder(setting.vocabulary, setting.model, setting.words, setting.options).decode


def make_with_empty_words(setting: Setting) -> Search:
    return _WithEmptyWords(setting.vocabulary, setting.model, setting.words, setting.options).decode


def make_pyctcdecode(setting: Setting) -> Search:
    library = importlib.import_module("pyctcdecode")
    alphabet = library.Alphabet.build_alphabet(["", *setting.vocabulary.tokens])
    model = None
    if setting.model:
        kenlm = importlib.import_module("kenlm")
        model = _words_alone(library.LanguageModel)(
            kenlm.Model(str(setting.arpa)),
            setting.words,
            alpha=setting.options.lm_weight,
            beta=setting.options.word_bonus,
            unk_score_offset=NEVER,
        )
    return _like_pyctcdecode(library.BeamSearchDecoderCTC(alphabet, model), setting)


def make_ctc_beam_decoder(setting: Setting) -> Search:
    library = importlib.import_module("ctc_beam_decoder")
    weights = {"alpha": setting.options.lm_weight, "beta": setting.options.word_bonus, "unk_score_offset": NEVER}
    arpa = setting.arpa if setting.model else None
    decoder = library.build_ctcdecoder(["", *setting.vocabulary.tokens], arpa, setting.words, **weights)
    return _like_pyctcdecode(decoder, setting)


def make_flashlight(setting: Setting) -> Search:
    library = importlib.import_module("flashlight.lib.text.decoder")
    words, size, space = setting.words, 1 + len(setting.vocabulary.tokens), setting.vocabulary.space
    ctc, beam = library.CriterionType.CTC, setting.options.beam
    if words is None:
        model: Any = library.ZeroLM()
        options = library.LexiconFreeDecoderOptions(beam, size, -NEVER, 0.0, 0.0, True, ctc)
        decoder = library.LexiconFreeDecoder(options, model, space, BLANK, [])
    else:
        listed = importlib.import_module("flashlight.lib.text.dictionary").Dictionary()
        tree = library.Trie(size, space)
        for number, word in enumerate(words):
            listed.add_entry(word)
            tree.insert(setting.vocabulary.encode(f"{word} "), number, 0.0)
        model = importlib.import_module("flashlight.lib.text.decoder.kenlm").KenLM(str(setting.arpa), listed)
        weights = (setting.options.lm_weight * math.log(10), setting.options.word_bonus, -math.inf, 0.0)
        options = library.LexiconDecoderOptions(beam, size, -NEVER, *weights, True, ctc)
        decoder = library.LexiconDecoder(options, tree, model, space, BLANK, -1, [], False)
    # A decoder does not keep its model.
    kept = (decoder, model)
    last = np.full((1, size), 10 * NEVER, np.float32)
    last[0, space] = 0

    def search(probs: np.ndarray) -> str:
        logs = _logs(probs)
        logs = np.concatenate([np.where(logs > setting.least, logs, 10 * NEVER), last]).astype(np.float32)
        best = kept[0].decode(logs.ctypes.data, *logs.shape)[0]
        if words is None:
            return _one_space(setting.vocabulary.decode(collapse(np.array(best.tokens))))
        return " ".join(words[number] for number in best.words if number >= 0)

    return search


def make_fast_ctc_decode(setting: Setting) -> Search | None:
    if setting.model:
        return None
    library = importlib.import_module("fast_ctc_decode")
    alphabet = ["", *setting.vocabulary.tokens]

    def search(probs: np.ndarray) -> str:
        text, _ = library.beam_search(probs, alphabet, setting.options.beam, setting.options.least_prob)
        return _one_space(text)

    return search


SEARCHES: dict[str, Callable[[Setting], Search | None]] = {
    OWN: make_kerasr,
    EMPTY_WORDS: make_with_empty_words,
    "pyctcdecode": make_pyctcdecode,
    "ctc-beam-decoder": make_ctc_beam_decoder,
    "flashlight-text": make_flashlight,
    "fast-ctc-decode": make_fast_ctc_decode,
}
# What each takes that may not be installed.
MODULES = {
    "pyctcdecode": ("pyctcdecode", "kenlm"),
    "ctc-beam-decoder": ("ctc_beam_decoder",),
    "flashlight-text": ("flashlight", "kenlm"),
    "fast-ctc-decode": ("fast_ctc_decode",),
}


def _like_pyctcdecode(decoder: Any, setting: Setting) -> Search:
    """The search of its kind of decoder, which cuts prefixes by the beam alone."""
    options = {"beam_width": setting.options.beam, "beam_prune_logp": NEVER, "token_min_logp": setting.least}
    return lambda probs: decoder.decode(_logs(probs), **options)


def _words_alone(language_model: Any) -> Any:
    """pyctcdecode's class of a language model, which gives an empty word nothing, and at its end that of the text."""

    class WordsAlone(language_model):
        def score(self, prev_state: Any, word: str, is_last_word: bool = False) -> tuple[float, Any]:
            if word:
                return super().score(prev_state, word, is_last_word)
            end = self._get_raw_end_score(prev_state) if is_last_word else 0.0
            return self.alpha * end * math.log(10), prev_state

    return WordsAlone


def _logs(probs: np.ndarray) -> np.ndarray:
    """Their logarithms, those of nothing finite."""
    return np.log(np.maximum(probs.astype(np.float64), np.finfo(np.float32).tiny))


def _one_space(text: str) -> str:
    return " ".join(text.split())


def tables() -> dict[str, str]:
    """A row for each search, each way; and where each library installs."""
    found = json.loads(PATH.read_text())
    headings = ("seconds a second of speech", "word errors", *(f"texts as {own}" for own in COMPARED))
    result = {}
    for way, what in WAYS.items():
        rows = []
        for name, one in found[way].items():
            same = [f"{one[own]:.1%}" if own in one else "" for own in COMPARED]
            rows.append((name, f"{one['real_time_factor']:.4f}", f"{one['wer']:.1%}", *same))
        result[way] = markdown_table((what, *headings), rows)
    result["wheels"] = markdown_table((f"wheels, {WHEELS_OF}", "Linux, x86-64", "macOS, ARM", "Windows"), WHEELS)
    return result


if __name__ == "__main__":
    main()
