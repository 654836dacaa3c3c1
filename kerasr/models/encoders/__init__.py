"""Encoders: a logit for each token at each frame, for transcripts."""
