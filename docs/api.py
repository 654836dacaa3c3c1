"""Make the API reference from the docstrings: `python docs/api.py` writes `site/`; open `site/index.html`.

Needs the extra `docs`.
"""

import sys
import warnings
from pathlib import Path

import pdoc

from kerasr.core.cli import import_quietly

ROOT = Path(__file__).parents[1]


def public_modules() -> list[str]:
    """Every module of kerasr but the commands, which `--help` documents."""
    names = []
    for path in sorted((ROOT / "kerasr").rglob("*.py")):
        *package, module = path.relative_to(ROOT).with_suffix("").parts
        is_script = 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
        if module != "__main__" and not (is_script and package == ["kerasr"]):
            names.append(".".join([*package, module]).removesuffix(".__init__"))
    return names


if __name__ == "__main__":
    import_quietly()
    warnings.filterwarnings("ignore", message=".*has already been added")  # a package without __all__ names them too
    pdoc.render.configure(docformat="google")
    pdoc.pdoc(*public_modules(), output_directory=Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site"))
