#!/usr/bin/env python3
"""Our tokeniser against the crate `tokenizers`: first that all ids and offsets are equal, then how long each takes.

    bench/tokenizer/run.py --ours build/dev/src/text/tokenizer_ours [--rounds 7]

One thread, no truncation, the default model's tokenizer.json. Texts: the tweets of semeval2017/test and the reviews of
imdb/test, from $KUBESENTIMENT_SHARED or ../shared. The two programs take turns; each time is the best of its rounds. Cargo
1.88 or newer builds the crate (pinned in Cargo.toml) at the first run.
"""
import argparse
import glob
import lzma
import os
import platform
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def read_texts(path):
    opener = lzma.open if path.endswith(".xz") else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n").split("\t", 1)[1].encode() for line in file]


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--at-least", type=float, default=0, help="fail where a ratio is below this")
    arguments = parser.parse_args()
    shared = os.environ.get("KUBESENTIMENT_SHARED", os.path.join(ROOT, "..", "shared"))
    target = os.path.join(ROOT, "build", "tokenizer-peer")
    subprocess.run(["cargo", "build", "--release", "--quiet", "--target-dir", target], cwd=HERE, check=True)
    programs = {"crate": os.path.join(target, "release", "tokenizer-peer"), "ours": arguments.ours}
    tokenizer = os.path.join(ROOT, "models", "default", "tokenizer.json")

    print(f"{cpu_name()}, one thread, best of {arguments.rounds} rounds in turns")
    worst = None
    with tempfile.TemporaryDirectory() as folder:
        for name in ("semeval2017", "imdb"):
            paths = glob.glob(os.path.join(shared, "data", name, "test*"))
            if not paths:
                sys.exit(f"run.py: no data/{name}/test* under {shared}; set KUBESENTIMENT_SHARED")
            texts = read_texts(paths[0])
            file = os.path.join(folder, name)
            with open(file, "wb") as out:
                for text in texts:
                    out.write(struct.pack("<I", len(text)) + text)
            megabytes = sum(map(len, texts)) / 1e6
            for mode in ("ids", "offsets"):
                best, dumps = {}, {}
                for _ in range(arguments.rounds):
                    for who, program in programs.items():
                        dump = os.path.join(folder, who)
                        out = subprocess.run([program, tokenizer, file, mode, dump], check=True, stdout=subprocess.PIPE)
                        best[who] = min(best.get(who, float("inf")), int(out.stdout) / 1e9)
                        if who not in dumps:
                            with open(dump, "rb") as numbers:
                                dumps[who] = numbers.read()
                            if len(dumps) == 2 and dumps["ours"] != dumps["crate"]:
                                sys.exit(f"run.py: {name}, {mode}: the results differ; nothing was compared in speed")
                ratio = best["crate"] / best["ours"]
                worst = ratio if worst is None else min(worst, ratio)
                print(f"{name:12} {mode:8} {len(texts):6} texts equal   crate {megabytes / best['crate']:7.1f} MB/s   "
                      f"ours {megabytes / best['ours']:7.1f} MB/s   {ratio:5.1f} x", flush=True)
    if worst < arguments.at_least:
        sys.exit(f"run.py: {worst:.1f} x is below the {arguments.at_least:.1f} x asked for")


if __name__ == "__main__":
    main()
