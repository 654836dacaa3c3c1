"""Word n-grams of any text, as an ARPA file for `kerasr predict RUN clip.wav --lm FILE`.

    python data_scripts/ngram.py books.txt --to lm.arpa.gz               a trigram of a text, a sentence a line
    python data_scripts/ngram.py books.txt --to lm.arpa.gz --order 4
    python data_scripts/ngram.py books.txt --to lm.arpa.gz --held-out other.txt     and its perplexity on another text

Modified Kneser-Ney smoothing (`kerasr.decoding.kneser_ney`). Texts are normalised as transcripts are.
"""

import argparse
import sys
from pathlib import Path

from kerasr.decoding.kneser_ney import estimate_ngrams
from kerasr.decoding.ngram import write_arpa
from kerasr.errors import UserError
from kerasr.text import normalise
from kerasr.text.numbers import spell_numbers


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", type=Path, help="UTF-8 texts, a sentence a line")
    parser.add_argument("--to", type=Path, required=True, help="the ARPA file; gzipped where it ends in .gz")
    parser.add_argument("--order", type=int, default=3, help="words of the longest n-gram (default: %(default)s)")
    parser.add_argument("--held-out", type=Path, help="a text to measure the perplexity on")
    parser.add_argument("--spell-numbers", metavar="LANGUAGE", help="write numbers as words in this language, as en")
    arguments = parser.parse_args(argv)
    numbers = arguments.spell_numbers
    sentences = [words for path in arguments.texts for words in read_sentences(path, numbers)]
    model = estimate_ngrams(sentences, arguments.order)
    write_arpa(model, arguments.to)
    print(f"{arguments.to}: {len(model.probs):,} n-grams of up to {model.order} words, {len(model.words):,} words")
    if arguments.held_out:
        perplexity = model.perplexity(read_sentences(arguments.held_out, numbers))
        print(f"perplexity on {arguments.held_out}: {perplexity:.1f}")


def read_sentences(path: Path, numbers: str | None = None) -> list[list[str]]:
    """The words of each line that has some, numbers as they are said in a language."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise UserError("corpus-not-found", f"{path}: there is no such file; it has a sentence a line") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("text-missing", f"{path}: cannot be read as UTF-8 text ({error})") from error
    if numbers:
        lines = [spell_numbers(line, numbers) for line in lines]
    return [words for line in lines if (words := normalise(line).split())]


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error[{error.code}]: {error}")
