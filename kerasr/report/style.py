"""How every picture looks, and how one becomes a PNG file or a part of the page.

The page takes pictures as SVG whose colours are the page's own variables, so that they follow a dark screen, stay sharp
on a phone and write any script that the reader's browser knows. A PNG can only write what this machine's fonts have.
"""

import contextlib
import functools
import io
import itertools
import re
import warnings
from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator
from matplotlib.typing import RcKeyType

from kerasr.core.console import END_ISOLATE, ISOLATE, isolate

# Blue and vermilion of Okabe and Ito (2008), which the colour-blind tell apart, and greys.
INK, MUTED, FAINT = "#1f2430", "#667085", "#e4e7ec"
RIGHT, WRONG = "#0072b2", "#d55e00"

# The page's names for them; it has a light and a dark value for each.
VARIABLES = {INK: "ink", MUTED: "muted", FAINT: "faint", RIGHT: "right", WRONG: "wrong"}

# Missing from every font, a character is drawn as a box: matplotlib's own font covers Latin, Greek and Cyrillic.
BASE_FONT = "DejaVu Sans"

STYLE: dict[RcKeyType, Any] = {
    "axes.edgecolor": FAINT,
    "axes.grid": False,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": BASE_FONT,
    "font.size": 9,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "savefig.dpi": 160,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": FAINT,
    "xtick.labelcolor": MUTED,
    "ytick.color": FAINT,
    "ytick.labelcolor": MUTED,
}

# A picture of so many inches fills one column of a page, or a phone's screen.
WIDTH = 4.8

# A browser's points to an inch; a PNG file has more, to be sharp on any screen.
SHOWN_DPI = 96

# Inches that the title and the line under it take at the top of a picture.
_HEAD = 0.62


class Picture(Figure):
    """A figure in the house's style, which a notebook shows as it is.

    Args:
        name: of its file, without suffix.
        width: in inches.
        height: in inches, the title included.
        title: what the picture says.
        note: how to read it.
    """

    def __init__(self, name: str, width: float, height: float, title: str, note: str):
        with mpl.rc_context(STYLE):
            layout = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - _HEAD / height))
            super().__init__(figsize=(width, height), layout=layout)
            FigureCanvasAgg(self)
            left = 0.1 / width
            self.text(left, 1 - 0.12 / height, title, va="top", fontsize=11, weight="bold", in_layout=False)
            self.text(left, 1 - 0.36 / height, note, va="top", color=MUTED, in_layout=False)
        self.name = name

    @property
    def pixels(self) -> int:
        """The width that it has on a page."""
        return round(SHOWN_DPI * self.get_figwidth())

    def png(self, key: dict[str, str] | None = None) -> bytes:
        """The picture as a PNG file.

        Args:
            key: receives what no font on this machine can write, and the `#1`, `#2`... that stand for it.
        """
        fonts = families(text.get_text() for text in self.findobj(Text))
        _replace_texts(self, {} if key is None else key, _characters(fonts))
        for text in self.findobj(Text):
            text.set_fontfamily(fonts)
        return self._save("png")

    def svg(self) -> str:
        """The picture as an `<svg>` element whose colours are the page's variables `--ink`, `--right`..."""
        text = self._save("svg").decode()
        text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
        for colour, variable in VARIABLES.items():
            text = text.replace(colour, f"var(--{variable})")
        return text.replace(f"'{BASE_FONT}'", "var(--font)")

    def _ipython_display_(self) -> None:
        """Show the PNG file in a notebook: matplotlib's own way there cuts off the title, and knows no other fonts."""
        from IPython.display import Image, display  # pyright: ignore[reportMissingImports]

        width, height = (round(SHOWN_DPI * inches) for inches in self.get_size_inches())
        display(Image(data=self.png(), width=width, height=height))

    def _save(self, suffix: str) -> bytes:
        memory = io.BytesIO()
        # Ids inside the page's pictures must differ from picture to picture, and not from run to run.
        with mpl.rc_context({**STYLE, "svg.hashsalt": self.name}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            metadata = {"Date": None} if suffix == "svg" else None
            self.savefig(memory, format=suffix, metadata=metadata, transparent=suffix == "svg")
        return memory.getvalue()


def shorten(text: str, limit: int) -> str:
    """`text` for a picture: on one line, its middle left out where it is longer than `limit` characters, and isolated.

    What runs from right to left thus leaves the numbers beside it where they are, in a PNG file and on the page.
    """
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    if len(text) <= limit:
        return isolate(text)
    end = limit // 3
    return isolate(f"{text[: limit - end - 1]}…{text[len(text) - end :]}")


def file_name(text: str) -> str:
    """`text` as a name that any file system takes."""
    return "".join(character if character.isalnum() or character in "-_." else "_" for character in text)


@functools.lru_cache(maxsize=1)
def _fonts() -> list[font_manager.FontEntry]:
    """Upright fonts of a normal weight, those without serifs first, less the one that has a box for everything."""
    # matplotlib's list is as old as its cache: fonts installed since are not in it.
    listed = {font.fname for font in font_manager.fontManager.ttflist}
    for path in set(font_manager.findSystemFonts()) - listed:
        with contextlib.suppress(OSError, RuntimeError):
            font_manager.fontManager.addfont(path)
    found = [
        font
        for font in font_manager.fontManager.ttflist
        if font.style == "normal" and font.weight in (400, "normal") and not font.name.startswith("Last Resort")
    ]
    # One family often comes in a variant for each of China, Hong Kong, Japan...: mainland China's has the most readers.
    return sorted(
        found,
        key=lambda font: ("Sans" not in font.name, "Mono" in font.name, not font.name.endswith(" SC"), font.name),
    )


@functools.lru_cache(maxsize=64)
def _characters_of(path: str, index: int) -> frozenset[int]:
    return frozenset(FT2Font(path, face_index=index).get_charmap())


def families(texts: Iterable[str]) -> tuple[str, ...]:
    """Fonts that together write the texts, as far as this machine has them: the base font, then others for the rest."""
    chosen = [BASE_FONT]
    missing = {ord(character) for text in texts for character in text} - _characters((BASE_FONT,))
    for font in _fonts() if missing else ():
        covered = missing & _characters_of(font.fname, font.index)
        if covered:
            chosen.append(font.name)
            missing -= covered
        if not missing:
            break
    return tuple(chosen)


@functools.lru_cache(maxsize=16)
def _characters(fonts: tuple[str, ...]) -> frozenset[int]:
    """What a list of fonts can write; blanks and isolates, which have no shape, count as written."""
    entries = [font for font in _fonts() if font.name in fonts]
    shapeless = {*b" \t\n", ord(ISOLATE), ord(END_ISOLATE)}
    return frozenset(shapeless.union(*(_characters_of(font.fname, font.index) for font in entries)))


def _replace_texts(figure: Figure, key: dict[str, str], known: frozenset[int]) -> None:
    """Put `#1`, `#2`... in the place of what no font can write; `key` says which is which."""

    def replace(text: str) -> str:
        runs = itertools.groupby(text, lambda character: ord(character) in known)
        parts = ((writable, "".join(characters)) for writable, characters in runs)
        return "".join(part if writable else key.setdefault(part, f"#{len(key) + 1}") for writable, part in parts)

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            # An axis makes its labels anew whenever it is drawn: those given as texts are given again.
            if isinstance(axis.get_major_locator(), FixedLocator):
                labels = axis.get_ticklabels()[: len(axis.get_majorticklocs())]  # Those of one side.
                axis.set_ticklabels([replace(label.get_text()) for label in labels])
    for text in figure.findobj(Text):
        text.set_text(replace(text.get_text()))
