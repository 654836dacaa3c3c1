"""A preset's test clips, which it lists and does not bring."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from kerasr.data.corpora import CORPORA, cache_folder, load_corpus
from kerasr.data.hashes import with_hashes
from kerasr.data.manifest import Utterance
from kerasr.errors import UserError


def find_clips(preset: Path, listed: Sequence[Utterance], corpus: str | None) -> list[Utterance]:
    """The clips where they are on this machine: their manifest names them from a folder of corpora.

    Args:
        preset: its folder.
        listed: the clips as its manifest has them, at least one.
        corpus: what the preset has learnt from, as `--data` has it.

    Raises:
        UserError: they are neither in `KERASR_DATA` nor in the cache.
    """
    names = [os.path.relpath(item.path, preset) for item in listed]
    for folder in filter(None, (os.environ.get("KERASR_DATA"), cache_folder())):
        if os.path.exists(os.path.join(folder, names[0])):
            paths = (os.path.abspath(os.path.join(folder, name)) for name in names)
            return [dataclasses.replace(item, path=path) for item, path in zip(listed, paths, strict=True)]
    # What a corpus's reader writes into the cache in another form is there once it has read, under a name that depends
    # on the copy.
    if corpus and corpus in CORPORA and CORPORA[corpus].find_copy():
        copy = with_hashes(load_corpus(corpus, min_labels=0).utterances)
        places = {item.content_hash: item.path for item in copy}
        if all(item.content_hash in places for item in listed):
            return [dataclasses.replace(item, path=places[item.content_hash]) for item in listed]
    raise UserError(
        "corpus-not-found",
        f"{preset.name}: the preset's test clips ({names[0]}, ...) are not on this machine: set KERASR_DATA to "
        "the folder that holds them, or name other recordings with --data",
    )
