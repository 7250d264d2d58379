"""Fine-tunes a sentence encoder into a classifier with the labels NEGATIVE, NEUTRAL and POSITIVE."""

LABELS = ("NEGATIVE", "NEUTRAL", "POSITIVE")
NEGATIVE, NEUTRAL, POSITIVE = range(3)


class Error(Exception):
    """Something the caller gave is wrong: the message names the file and the field, what was expected and what was found."""
