"""A run becomes something that others can call: TensorFlow Serving's SavedModel, a LiteRT or an ONNX file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
