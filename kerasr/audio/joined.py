"""Joined recordings: several in order with pauses between them, as one path, of which nothing is written to disk.

The last part of such a path names them: `digits/7_anna_3.wav|0.213|1_anna_12.wav` is `digits/7_anna_3.wav`, 0.213 s of
silence and `digits/1_anna_12.wav`. Whatever takes a recording's path takes it too. A name is relative to the folder of
the first; a slash, a bar and a percent sign in it are percent-encoded, as `..%2Ftwo%2F5.wav`.
"""

import os
import re
from collections.abc import Sequence
from urllib.parse import unquote

_PAUSE = re.compile(r"\|(\d+(?:\.\d+)?)\|")
_ENCODED = str.maketrans({"%": "%25", "/": "%2F", "|": "%7C"})


def join_path(paths: Sequence[str], pauses: Sequence[float]) -> str:
    """The path of recordings that are joined; of a single one its own.

    Args:
        paths: of the recordings, in order.
        pauses: seconds of silence after each but the last; milliseconds are kept.
    """
    if len(paths) == 1:
        return paths[0]
    folder = os.path.dirname(paths[0])
    names = [os.path.relpath(path, folder or os.curdir).replace(os.sep, "/").translate(_ENCODED) for path in paths]
    rest = (f"|{round(pause, 3)}|{name}" for pause, name in zip(pauses, names[1:], strict=True))
    return os.path.join(folder, names[0] + "".join(rest))


def split_path(path: str) -> tuple[list[str], list[float]]:
    """The recordings that are joined, and the seconds between them; of any other path itself, and no pause.

    Args:
        path: of a recording, or what `join_path` has made.
    """
    folder, name = os.path.split(path)
    names = _PAUSE.split(name)
    if len(names) == 1:
        return [path], []
    paths = [os.path.normpath(os.path.join(folder, unquote(part))) for part in names[::2]]
    return paths, [float(pause) for pause in names[1::2]]
