"""Streams: a model that carries its state, its client, and the listener that reports words."""
