"""Training: preparation, the loop, what it learns with, what it begins from, and the search for settings."""
