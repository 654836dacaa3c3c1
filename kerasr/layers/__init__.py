"""Keras layers that models share: the padding's length, norms, attention, recurrence over a clip's own frames."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
