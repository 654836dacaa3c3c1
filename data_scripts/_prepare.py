"""What the scripts of published corpora share: the same code that `kerasr.data.load_corpus` uses, and a manifest."""

import argparse
import os

from kerasr.core.cli import run_command
from kerasr.data.corpora import CORPORA, cache_folder, fetch_corpus
from kerasr.data.manifest import Corpus, check_recordings, write_manifest


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser that prints the script's docstring as it stands."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def prepare_known(name: str, description: str | None) -> None:
    """Run the script of the known corpus called `name`."""

    def main(argv: list[str]) -> None:
        place = os.path.join(cache_folder(), CORPORA[name].folder)
        parser = arguments(description)
        parser.add_argument("--folder", default=place, help="where the copy goes (default: %(default)s)")
        parser.add_argument("--manifest", help="CSV or JSONL file to write (default: manifest.csv in the folder)")
        options = parser.parse_args(argv)
        manifest = options.manifest or os.path.join(options.folder, "manifest.csv")
        if os.path.isfile(manifest):
            print(f"{manifest} is there already: nothing to do")
        else:
            write(fetch_corpus(name, options.folder), manifest)

    run_command(main)


def write(corpus: Corpus, manifest: str) -> None:
    """Check every recording of the corpus and write its manifest."""
    checked = check_recordings(corpus, max_bad=0)
    write_manifest(manifest, checked.utterances, checked.noise)
    hours = sum(item.duration or 0.0 for item in checked.utterances) / 3600
    print(
        f"{manifest}: {len(checked.utterances)} recordings, {len(checked.labels)} labels, "
        f"{len(checked.speakers)} speakers, {hours:.1f} hours, {checked.licence}"
    )
