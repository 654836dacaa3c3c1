"""Pages from their templates: each is one file that needs nothing beside itself."""

import base64
import hashlib
import io
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib import image

from kerasr.core import atomic
from kerasr.core.console import isolate
from kerasr.core.scores import format_interval, format_missed, format_score
from kerasr.report.clips import Clip
from kerasr.report.figures import evidence_colours, spectrogram_colours


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page, whole or not at all.

    Args:
        path: of the page.
        template: the file's name in `templates/`.
        values: what the template asks for.

    Raises:
        OSError: it cannot be written.
    """
    atomic.write_bytes(path, _environment().get_template(template).render(values).encode("utf-8", "replace"))


def _spectrogram(clip: Clip) -> str:
    """The address of a clip's spectrogram."""
    return _data_uri(_png(spectrogram_colours(clip.spectrogram)), "image/png")


def _evidence(clip: Clip) -> str:
    """The address of a picture of what spoke for the predicted word, of a clip with evidence."""
    assert clip.evidence is not None
    return _data_uri(_png(evidence_colours(clip.spectrogram, clip.evidence)), "image/png")


def _png(colours: np.ndarray) -> bytes:
    """Colours `(time, feature, 4)` as a PNG file, time to the right and low features at the bottom."""
    memory = io.BytesIO()
    image.imsave(memory, np.ascontiguousarray(np.swapaxes(colours, 0, 1)[::-1]), format="png")
    return memory.getvalue()


def _sha256(script: str) -> str:
    """A script's hash, by which a page's content security policy runs it and no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _data_uri(content: bytes, kind: str) -> str:
    """The content as an address, so that the page needs no file beside it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kerasr.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = lambda value, digits=1: "-" if value is None else f"{value:.{digits}%}"
    environment.filters["interval"] = format_interval
    environment.filters["missed"] = format_missed
    environment.filters["score"] = format_score
    environment.filters["thousands"] = lambda value: f"{value:,}"
    environment.filters["isolate"] = isolate
    environment.filters["sha256"] = _sha256
    environment.filters["spectrogram"] = _spectrogram
    environment.filters["evidence"] = _evidence
    environment.filters["wav"] = lambda content: _data_uri(content, "audio/wav")
    environment.filters["sound"] = lambda clip: _data_uri(clip.sound, "audio/wav")
    return environment
