"""The standard error without what frameworks write there as they start."""

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def stderr_aside() -> Iterator[int]:
    """Set the process's standard error aside meanwhile; it is shown where something goes wrong.

    Part of what frameworks write is written by C++ before any setting is read. What Python writes to `sys.stderr` is
    set aside with it, unless it is redirected.

    Yields:
        The descriptor by which the screen can be written all the same.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield screen
        except Exception:
            aside.seek(0)
            os.write(screen, aside.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)


@contextlib.contextmanager
def no_widget_advice() -> Iterator[None]:
    """Import what imports tqdm without its advice, in a notebook, to install ipywidgets: no bar of it is shown."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")
        yield
