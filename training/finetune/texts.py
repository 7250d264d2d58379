"""Labelled texts, and the rule that no text of a dev or test file is trained on. Standard library only."""

import hashlib
import lzma

from . import NEGATIVE, NEUTRAL, POSITIVE, Error

CLASS_OF = {
    "very_negative": NEGATIVE,
    "negative": NEGATIVE,
    "neutral": NEUTRAL,
    "positive": POSITIVE,
    "very_positive": POSITIVE,
}


def locate(data, name):
    """The path of `name` (such as "sst2/dev.tsv") below the folder `data`, plain or with .xz."""
    for path in (data / name, data / f"{name}.xz"):
        if path.exists():
            return path
    raise Error(f"{data / name}: expected this file or the same with .xz, found neither")


def read(path, two_way):
    """[(class, text)] of a file of `label<TAB>text` lines.

    Raises Error, naming file and line, for a line without a tab, a label that CLASS_OF does not hold, a neutral one where
    `two_way` says that the set has none, and a file without a line.
    """
    opened = lzma.open(path, "rt", encoding="utf-8", newline="\n") if path.suffix == ".xz" else open(
        path, encoding="utf-8", newline="\n")
    rows = []
    with opened as lines:
        for number, line in enumerate(lines, 1):
            label, tab, text = line.rstrip("\n").partition("\t")
            found = CLASS_OF.get(label)
            if not tab or found is None or (two_way and found == NEUTRAL):
                expected = [name for name, value in CLASS_OF.items() if not (two_way and value == NEUTRAL)]
                raise Error(f"{path}:{number}: expected one of {', '.join(expected)}, a tab and a text, found {label[:40]!r}")
            rows.append((found, text))
    if not rows:
        raise Error(f"{path}: expected labelled texts, found none")
    return rows


def fingerprint(text):
    """The same for texts that differ in case, spaces or punctuation only."""
    letters = "".join(c for c in text.casefold() if c.isalnum())
    return hashlib.sha256((letters or text.strip()).encode()).digest()[:16]


def held_out_fingerprints(data):
    """The fingerprints of every text in every dev and test file below `data`, used for scores here or not."""
    paths = sorted(p for pattern in ("*/dev*.tsv*", "*/test*.tsv*") for p in data.glob(pattern))
    if not paths:
        raise Error(f"{data}: expected folders with dev.tsv and test.tsv, found none")
    return {fingerprint(text) for path in paths for _, text in read(path, two_way=False)}


def drop_held_out(rows, held_out):
    """(the rows whose text is not held out, how many were)."""
    kept = [row for row in rows if fingerprint(row[1]) not in held_out]
    return kept, len(rows) - len(kept)
