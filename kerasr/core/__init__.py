"""What everything else stands on: whole files, locks, Ctrl-C, the terminal, commands and their progress bars."""
