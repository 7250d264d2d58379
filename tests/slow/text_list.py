"""The labelled files of the shared data, and the list of texts that the bars are measured on."""

import hashlib
import lzma
import pathlib

LIST = pathlib.Path(__file__).parent / "texts10000.txt"


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_rows(path: pathlib.Path):
    """(label, text) of each row of a `label<TAB>text` file, .xz read through."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as lines:
        return [tuple(line.rstrip("\n").split("\t", 1)) for line in lines]


def read_list():
    """{file: hashes} of texts10000.txt."""
    files = {}
    for line in LIST.read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            name = line[2:].rsplit(":", 1)[0]
        else:
            files.setdefault(name, []).append(line)
    return files
