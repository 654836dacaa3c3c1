"""espeak-ng (extra `voices`, GPL-3), which speaks and knows how words are said, in a process of its own."""

import os
import subprocess
import sys

from kerasr.core.extras import require_extra
from kerasr.text import espeak_child


def find_espeak(what: str) -> tuple[str, str]:
    """Paths of espeak-ng's library and of its data.

    Raises:
        UserError: the extra is not installed that `what` needs.
    """
    require_extra("voices", what)
    import espeakng_loader

    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


def start_espeak(data: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """The child process, which waits for its request.

    Args:
        data: path of espeak-ng's data.
        stderr: where its complaints go; with PIPE somebody must read them.
    """
    return subprocess.Popen(
        [sys.executable, "-P", espeak_child.__file__],
        cwd=os.path.dirname(data),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
    )
