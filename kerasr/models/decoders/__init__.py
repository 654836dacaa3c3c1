"""Decoders: a logit for each token after those before it, of what an encoder makes of a clip."""
