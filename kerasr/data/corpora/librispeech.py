"""LibriSpeech: `PART/SPEAKER/CHAPTER/`, each chapter's recordings beside a list of their texts, `*.trans.txt`.

The parts `train-*`, `dev-*` and `test-*` are the split. Any recordings laid out so are read.
"""

import os
from dataclasses import replace

from kerasr.data.corpora.registry import register_corpus
from kerasr.data.corpora.transcripts import Entry, has_file, match_texts, read_table, recordings_among, walk_folders
from kerasr.data.manifest import Corpus, split_called

NAME = "librispeech"
LICENCE = "CC BY 4.0"
SOURCE = "https://www.openslr.org/12"

_LIST = ".trans.txt"


def is_librispeech(path: str) -> bool:
    """Whether `path` is laid out as the corpus, one of its parts, or one of their speakers is."""
    return has_file(path, *(f"{'*/' * depth}*{_LIST}" for depth in (1, 2, 3)))


@register_corpus(NAME, folder="LibriSpeech", recognise=is_librispeech)
def read_librispeech(path: str) -> Corpus:
    """The corpus in `path`.

    Args:
        path: the folder that holds the parts, or one of these.

    Returns:
        The utterances, with the column `part`; recordings without a text, and texts without a recording, are among the
        `bad`.

    Raises:
        UserError: a list is no UTF-8 text, or has a name twice.
    """
    root = os.path.abspath(path)
    utterances, bad, parts = [], [], set()
    for folder, names in walk_folders(root):
        texts: dict[str, Entry] = {}
        for name in names:
            if name.endswith(_LIST):
                texts |= read_table(os.path.join(folder, name))
        found, alone = match_texts(texts, recordings_among(folder, names))
        part = os.path.relpath(folder, root).split(os.sep)[0]
        split = split_called(part.split("-")[0])
        if split and found:
            parts.add(part)
        speaker, extra = os.path.basename(os.path.dirname(folder)), {"part": part} if split else {}
        utterances += [replace(item, speaker=speaker, split=split, extra=extra) for item in found.values()]
        bad += alone
    return Corpus(
        NAME,
        tuple(utterances),
        licence=LICENCE,
        source=SOURCE,
        root=root,
        official_split=f"the parts {', '.join(sorted(parts))}" if parts else "",
        bad=tuple(bad),
    )
