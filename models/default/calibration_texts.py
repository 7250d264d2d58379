#!/usr/bin/env python3
"""The texts that int8_calibrated.safetensors was fitted to: calibration_texts.py DATA_DIR > texts.jsonl

90 of the train file of each of ten sets, shuffled with fixed seeds and interleaved. DATA_DIR holds SET/train.tsv.xz, lines
of `label<TAB>text`. No dev or test text is among them.
"""

import json
import lzma
import pathlib
import random
import sys

SETS = ("sst2", "semeval2017", "amazon5", "goemotions-3class", "tweets-extraction2020", "sst5", "newsmtsc", "cr", "senti4sd", "imdb")
# Of these the first rows were used to choose the recipe (docs/quantization.md): texts to fit to come from behind them.
SEED_AND_FIRST = {"tweets-extraction2020": (1, 400), "imdb": (1, 400)}


def main(data: pathlib.Path):
    columns = []
    for name in SETS:
        seed, first = SEED_AND_FIRST.get(name, (2, 0))
        with lzma.open(data / name / "train.tsv.xz", "rt", encoding="utf-8") as lines:
            texts = [line.rstrip("\n").split("\t", 1)[1] for line in lines]
        random.Random(seed).shuffle(texts)
        columns.append(texts[first:first + 90])
    for row in zip(*columns, strict=True):
        for text in row:
            print(json.dumps({"text": text}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
