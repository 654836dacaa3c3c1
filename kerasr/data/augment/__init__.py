"""Changes to training clips, in the graph: each a function of the clip and of a seed, so that a run can be repeated.

The seed is a pair of integers as TensorFlow's stateless random functions take it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
