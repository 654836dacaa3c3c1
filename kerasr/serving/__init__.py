"""TensorFlow Serving's protocol over SavedModels, on `grpc.aio` and an ASGI server (extra `serve`)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
