"""Sound: recordings in files, the microphone, and the front-end that turns waveforms into features."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
