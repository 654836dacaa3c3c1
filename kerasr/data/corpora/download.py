"""Corpora from where they are published."""

from kerasr.errors import UserError


class CorpusUnavailable(UserError):
    """A known corpus is neither on this machine nor to be had by download."""
