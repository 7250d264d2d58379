#!/usr/bin/env python3
"""Makes texts10000.txt, the texts on which the bars of fp32 and INT8 are measured: make_text_list.py DATA_DIR > texts10000.txt

Hashes, since most of the sets may not be handed on: the first eight bytes of the SHA-256 of a text. From each test file
those with the smallest hashes, a random choice that anyone can repeat; a file with fewer gives all it has, and the others
fill up to 10,000.
"""

import pathlib
import sys

import text_list

FILES = ["sst2/test.tsv", "semeval2017/test.tsv.xz", "imdb/test.tsv.xz", "amazon5/test.tsv.xz", "goemotions-3class/test.tsv.xz"]
TOTAL = 10_000


def main():
    data = pathlib.Path(sys.argv[1])
    taken = set()
    # The smallest file first, so that what it lacks is shared by all the others.
    hashes = {name: sorted({text_list.text_hash(text) for _, text in text_list.read_rows(data / name)}) for name in FILES}
    order = sorted(FILES, key=lambda name: len(hashes[name]))
    chosen = {}
    for i, name in enumerate(order):
        share = (TOTAL - len(taken)) // (len(order) - i)
        chosen[name] = [h for h in hashes[name] if h not in taken][:share]
        taken.update(chosen[name])
    print("# The texts of the bars, by hash; made by make_text_list.py.")
    for name in FILES:
        print(f"# {name}: {len(chosen[name])}")
        print("\n".join(chosen[name]))


if __name__ == "__main__":
    main()
