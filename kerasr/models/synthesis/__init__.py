"""Acoustic models and vocoders: log-mel energies of a text, waveforms of log-mel energies."""
