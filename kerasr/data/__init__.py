"""Recordings: what there is (manifest, corpora), how it is divided (splits), how it reaches the model (pipeline)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
