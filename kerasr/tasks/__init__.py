"""What a network is trained for: its outputs, loss, metrics, and how its logits are read."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
