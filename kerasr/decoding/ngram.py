"""Word n-grams with back-off: read from ARPA files, written to them, and asked for the probability of a word.

The format is that of SRILM, KenLM and most others (ngram-format(5), http://www.speech.sri.com/projects/srilm/manpages/
ngram-format.5.html): logarithms to the base 10, a back-off weight behind each n-gram that is the beginning of others.
"""

import functools
import gzip
import math
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kerasr.core import atomic
from kerasr.core.regular import max_unpacked
from kerasr.errors import UserError

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
# The probability of a word that a closed vocabulary lacks.
NEVER = -99.0
# Characters of a line; an n-gram has a few words.
_MAX_LINE = 1 << 16


@dataclass(frozen=True)
class NGrams:
    """A language model over words.

    Attributes:
        probs: log10 of the probability of each n-gram's last word after the others.
        backoffs: log10 of the weight of an n-gram's shorter history; 0 where it has none.
    """

    probs: Mapping[tuple[str, ...], float]
    backoffs: Mapping[tuple[str, ...], float] = field(default_factory=dict)

    @functools.cached_property
    def order(self) -> int:
        """Words of the longest n-gram."""
        return max(map(len, self.probs))

    @property
    def words(self) -> set[str]:
        """What may be said."""
        return {gram[0] for gram in self.probs if len(gram) == 1} - {BEGIN, END, UNKNOWN}

    def has(self, word: str) -> bool:
        """Whether it is among them."""
        return (word,) in self.probs

    @property
    def rarest(self) -> float:
        """log10 of the probability of the least probable word."""
        return min((self.probs[word,] for word in self.words), default=NEVER)

    def log_prob(self, word: str, history: Sequence[str] = ()) -> float:
        """log10 of the probability of a word after others, the last of which is the nearest.

        Args:
            word: or `</s>`; one that the model lacks is `<unk>`, and has -99 where it lacks that, too.
            history: the words before it, `<s>` the first of a sentence; no more than the order less one are looked at.
        """
        if (word,) not in self.probs:
            word = UNKNOWN
        known = tuple(
            one if (one,) in self.probs else UNKNOWN for one in history[max(0, len(history) + 1 - self.order) :]
        )
        weight = 0.0
        for start in range(len(known) + 1):
            found = self.probs.get((*known[start:], word))
            if found is not None:
                return weight + found
            weight += self.backoffs.get(known[start:], 0.0)
        return NEVER

    def sentence_log_prob(self, words: Sequence[str]) -> float:
        """log10 of the probability of a sentence, its end included."""
        whole = (BEGIN, *words, END)
        return sum(self.log_prob(whole[place], whole[:place]) for place in range(1, len(whole)))

    def perplexity(self, sentences: Sequence[Sequence[str]]) -> float:
        """The words that the model hesitates between, of these sentences, their ends included."""
        total = sum(map(self.sentence_log_prob, sentences))
        return 10 ** (-total / sum(len(words) + 1 for words in sentences))


def read_arpa(path: str | os.PathLike[str]) -> NGrams:
    """The language model in an ARPA file, also one that is gzipped.

    Raises:
        UserError: the file is missing (`language-model-not-found`), or breaks off, has fewer n-grams than it says, a
            line of another form or a probability above 1 (`language-model-damaged`).
    """
    path = os.fspath(path)
    counts: dict[int, int] = {}
    probs: dict[tuple[str, ...], float] = {}
    backoffs: dict[tuple[str, ...], float] = {}
    order, ended = None, False
    for number, line in _lines(path):
        if line.startswith("\\"):
            if line == "\\end\\":
                ended = True
                break
            order = 0 if line == "\\data\\" else _section(path, number, line)
        elif order == 0 and line.startswith("ngram "):
            length, _, count = line.removeprefix("ngram ").partition("=")
            counts[_whole(path, number, length)] = _whole(path, number, count)
        elif order:
            gram, prob, backoff = _gram(path, number, line, order)
            probs[gram] = prob
            if backoff:
                backoffs[gram] = backoff
    if not ended or not counts:
        raise _damaged(path, "breaks off: it has no \\data\\ with numbers of n-grams, or no \\end\\")
    for length, count in counts.items():
        if (there := sum(len(gram) == length for gram in probs)) != count:
            raise _damaged(path, f"has {there:,} {length}-grams, and says that they are {count:,}")
    return NGrams(probs, backoffs)


def write_arpa(model: NGrams, path: str | os.PathLike[str]) -> None:
    """Write a language model as ARPA, whole or not at all; gzipped where the name ends in .gz.

    Raises:
        OSError: the file cannot be written.
    """
    lines = ["\\data\\"]
    by_order = [sorted(gram for gram in model.probs if len(gram) == length) for length in range(1, model.order + 1)]
    lines += [f"ngram {length}={len(grams)}" for length, grams in enumerate(by_order, 1)]
    for length, grams in enumerate(by_order, 1):
        lines += ["", f"\\{length}-grams:"]
        for gram in grams:
            backoff = f"\t{model.backoffs[gram]:.7f}" if gram in model.backoffs else ""
            lines.append(f"{model.probs[gram]:.7f}\t{' '.join(gram)}{backoff}")
    content = ("\n".join([*lines, "", "\\end\\"]) + "\n").encode()
    name = os.fspath(path)
    atomic.write_bytes(path, gzip.compress(content, mtime=0) if name.endswith(".gz") else content)


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers."""
    if not os.path.isfile(path):
        raise UserError("language-model-not-found", f"{path}: there is no such file")
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    try:
        with (gzip.open if zipped else open)(path, "rt", encoding="utf-8") as file:
            left = max_unpacked(path)
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), ""), 1):
                left -= len(line)
                if left < 0 or len(line) == _MAX_LINE:
                    raise _damaged(path, f"line {number} is too long, or what it unpacks to")
                if line.strip():
                    yield number, line.strip()
    except (UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, f"cannot be read ({error})") from error


def _section(path: str, number: int, line: str) -> int:
    length = line.removeprefix("\\").removesuffix("-grams:")
    return _whole(path, number, length)


def _whole(path: str, number: int, text: str) -> int:
    if not text.strip().isdecimal() or not int(text):
        raise _damaged(path, f"line {number}: {text.strip()!r} is no number of words or n-grams")
    return int(text)


def _gram(path: str, number: int, line: str, order: int) -> tuple[tuple[str, ...], float, float]:
    parts = line.split()
    try:
        prob = float(parts[0])
        backoff = float(parts[order + 1]) if len(parts) > order + 1 else 0.0
    except ValueError:
        raise _damaged(path, f"line {number}: {line[:60]!r} has no logarithm where one belongs") from None
    if not order < len(parts) <= order + 2:
        raise _damaged(path, f"line {number}: {line[:60]!r} is no {order}-gram with its logarithms")
    if not prob <= 0 or not math.isfinite(backoff):
        raise _damaged(path, f"line {number}: {prob:g} is no logarithm of a probability, which is 0 or less")
    return tuple(parts[1 : order + 1]), prob, backoff


def _damaged(path: str, what: str) -> UserError:
    return UserError(
        "language-model-damaged", f"{path}: {what}; write it anew, by data_scripts/ngram.py or another tool"
    )
