"""Settings as frozen dataclasses, by subject, known to no framework.

The field docstrings are the command line's help, so they say what a value means and in what unit.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
