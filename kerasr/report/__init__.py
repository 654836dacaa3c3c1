"""What a run is worth, to look at: measured scores, pictures, and one page that holds them all."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
