"""kerasr: small speech models in Keras, from a folder of recordings to a trained recogniser.

Names are imported when they are first used, so `import kerasr` costs nothing. What there is stands in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
