"""Work on labels: which are wrong, and which recordings to label next."""
