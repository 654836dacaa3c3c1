"""Write the figures of the documentation from benchmarks/results/: tables, and the numbers in its sentences.

    python docs/figures.py            bring README.md, docs/*.md and the presets' cards up to date
    python docs/figures.py --check    change nothing; name what is out of date, with exit code 1

A table stands between `<!-- table: five_folds all -->` and `<!-- end -->`, a number right before the comment that says
where it is from: `94.5%<!-- five_folds: ResNet8 -->`. Both name a script of benchmarks/ and what its `tables()` or
`figures()` have under that name, which the script itself makes of the results that it has written.
"""

import argparse
import functools
import importlib
import re
import sys
from pathlib import Path

from kerasr.core.cli import import_quietly

ROOT = Path(__file__).parents[1]
TABLE = re.compile(r"(<!-- table: (\w+) ([^>]+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
FIGURE = re.compile(r"((?:[\d.,]+%? to )?[\d.,]*%?)(<!-- (?!table:)(\w+): ([^>]+?) -->)")


def main() -> None:
    """Every page, or what is wrong with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, name what is out of date")
    check = parser.parse_args().check
    old = {path: text for path in pages() if (text := up_to_date(path)) != path.read_text(encoding="utf-8")}
    for path, text in old.items():
        print(f"{path.relative_to(ROOT)} {'is out of date: python docs/figures.py' if check else 'written'}")
        if not check:
            path.write_text(text, encoding="utf-8")
    sys.exit(bool(old and check))


def pages() -> list[Path]:
    """Whatever may have figures."""
    cards = (ROOT / "kerasr" / "presets").glob("*/card.md")
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(cards)]


def up_to_date(path: Path) -> str:
    """The page with the figures of today's results."""
    text = path.read_text(encoding="utf-8")
    text = TABLE.sub(lambda found: f"{found[1]}\n{named(found[2], found[3], 'tables')}\n\n{found[5]}", text)
    return FIGURE.sub(lambda found: f"{named(found[3], found[4], 'figures')}{found[2]}", text)


def named(script: str, name: str, kind: str) -> str:
    """One of a script's tables or figures."""
    found = made_by(script, kind)
    if name not in found:
        raise SystemExit(f"benchmarks/{script}.py has no {name!r} among its {kind}: {', '.join(found)}")
    return found[name]


@functools.cache
def made_by(script: str, kind: str) -> dict[str, str]:
    """What a script has of them."""
    folder = str(ROOT / "benchmarks")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return getattr(importlib.import_module(script), kind)()


if __name__ == "__main__":
    import_quietly()
    main()
