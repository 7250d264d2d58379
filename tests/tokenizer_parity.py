#!/usr/bin/env python3
"""Holds our tokeniser against the `tokenizers` package: ids, segments, offsets, special-token mask, truncation, decoding.

    tests/tokenizer_parity.py --driver build/dev/src/text/tokenizer_driver           a sample, from this repository alone
    tests/tokenizer_parity.py --driver build/dev/src/text/tokenizer_driver --full    everything; wants the shared data

Full means: every code point alone and inside a{cp}b, a million random strings, all texts of the test files, for each
WordPiece tokenizer.json at hand, and a part of it for tokenisers with other options. The shared data are looked for in
$KUBESENTIMENT_SHARED and ../shared. One mismatch is a failure.
"""
import argparse
import copy
import glob
import json
import lzma
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from array import array

from tokenizers import Tokenizer

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LEFT, NO_SPECIAL, PAIR, DECODE = 1, 2, 4, 8
BATCH = 2000


class Driver:
    """src/text/tokenizer_driver.cc behind its pipe."""

    def __init__(self, program, path, compiled):
        command = [program, path] + (["compiled"] if compiled else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 20)

    def ask(self, texts, flags, max_tokens):
        """texts: list of byte strings, in pairs one after the other."""
        count = len(texts) // 2 if flags & PAIR else len(texts)
        request = [struct.pack("<3I", flags, max_tokens, count)]
        for text in texts:
            request += struct.pack("<I", len(text)), text
        self.process.stdin.write(b"".join(request))
        self.process.stdin.flush()
        return [self.answer(flags) for _ in range(count)]

    def answer(self, flags):
        """(numbers of the encoding, truncated, decoded texts)"""
        head = self.read(8)
        tokens, truncated = struct.unpack("<2I", head)
        numbers = self.read(20 * tokens)
        decoded = [self.read(struct.unpack("<I", self.read(4))[0]) for _ in range(2)] if flags & DECODE else []
        return numbers, bool(truncated), decoded

    def read(self, size):
        data = self.process.stdout.read(size)
        if len(data) != size:
            sys.exit("tokenizer_parity: the driver ended early")
        return data

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def numbers_of(encoding):
    """The reference's encoding, laid out as the driver answers."""
    values = array("i", encoding.ids)
    values.extend(encoding.type_ids)
    for begin, end in encoding.offsets:
        values.append(begin)
        values.append(end)
    values.extend(encoding.special_tokens_mask)
    return values.tobytes()


class Parity:
    """One tokenizer.json in both implementations."""

    def __init__(self, name, path, program, compiled):
        self.name = name
        self.reference = Tokenizer.from_file(path)
        self.reference.no_truncation()
        self.reference.no_padding()
        self.driver = Driver(program, path, compiled)
        self.compared = self.mismatches = 0
        # The comparison itself must be able to fail.
        if self.compare(["one text"], expected_of=["another text"], quiet=True) != 1:
            sys.exit("tokenizer_parity: two different texts compare equal")
        self.compared = self.mismatches = 0

    def compare(self, texts, flags=0, max_tokens=0, expected_of=None, quiet=False):
        """texts: strings, or pairs of strings with PAIR. Returns the number of mismatches."""
        reference, found = self.reference, 0
        special = not flags & NO_SPECIAL
        for i in range(0, len(texts), BATCH):
            batch = texts[i : i + BATCH]
            flat = [text for pair in batch for text in pair] if flags & PAIR else batch
            answers = self.driver.ask([text.encode() for text in flat], flags, max_tokens)
            asked = expected_of or batch
            whole = None
            if max_tokens:
                whole = reference.encode_batch(asked, add_special_tokens=special)
                reference.enable_truncation(max_tokens, direction="left" if flags & LEFT else "right")
            encodings = reference.encode_batch(asked, add_special_tokens=special)
            reference.no_truncation()
            for k, (encoding, (numbers, truncated, decoded)) in enumerate(zip(encodings, answers)):
                wrong = []
                if numbers_of(encoding) != numbers:
                    wrong.append("encoding")
                if truncated != (whole is not None and len(whole[k]) > len(encoding)):
                    wrong.append("truncated")
                if flags & DECODE:
                    for skip, text in zip((False, True), decoded):
                        if reference.decode(encoding.ids, skip_special_tokens=skip) != text.decode():
                            wrong.append("decoded")
                if wrong:
                    found += 1
                    if not quiet and self.mismatches + found <= 5:
                        self.show(asked[k], encoding, numbers, wrong, flags, max_tokens)
        self.compared += len(texts)
        self.mismatches += found
        return found

    def show(self, text, encoding, numbers, wrong, flags, max_tokens):
        values = array("i", numbers)
        tokens = len(values) // 5
        offsets = list(zip(values[2 * tokens : 4 * tokens : 2], values[2 * tokens + 1 : 4 * tokens : 2]))
        print(f"MISMATCH ({', '.join(wrong)}; flags {flags}, max_tokens {max_tokens}) in {self.name}: {ascii(text)[:300]}")
        print(f"  reference {encoding.ids[:60]} {encoding.offsets[:60]}")
        print(f"  ours      {list(values[:tokens])[:60]} {offsets[:60]}")


# ---- texts ----

SCRIPTS = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x58A), (0x591, 0x5F4), (0x600, 0x6FF),
           (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xD00, 0xD7F), (0xE01, 0xE5B), (0xF00, 0xFDA), (0x1000, 0x109F),
           (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1B00, 0x1B7F), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2000, 0x206F),
           (0x2100, 0x214F), (0x2C00, 0x2DFF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xA980, 0xA9DF), (0xAC00, 0xD7A3),
           (0xF900, 0xFAFF), (0xFE20, 0xFE2F), (0xFF00, 0xFFEF), (0x10400, 0x1044F), (0x11000, 0x1147F), (0x1D100, 0x1D1FF),
           (0x1E000, 0x1E02A), (0x1E900, 0x1E94B), (0x20000, 0x2A6DF), (0x2F800, 0x2FA1F), (0xE000, 0xF8FF)]
MARKS = [c for a, b in [(0x300, 0x36F), (0x483, 0x487), (0x591, 0x5BD), (0x610, 0x61A), (0x64B, 0x65F), (0x8D4, 0x8E1),
                        (0x93C, 0x94D), (0xF71, 0xF84), (0x1AB0, 0x1ABE), (0x1DC0, 0x1DFF), (0x20D0, 0x20F0), (0x302A, 0x302F),
                        (0x1D165, 0x1D172), (0x1B44, 0x1B44), (0xA9C0, 0xA9C0), (0x1E000, 0x1E02A)] for c in range(a, b + 1)]
SPACES = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2003\u200a\u2028\u2029\u202f\u205f\u3000"
CONTROLS = "".join(map(chr, range(0x20))) + "\x7f\x80\x9f\xad\u200b\u200d\u200e\u2060\ufeff\ufffd\ue000\U000e0001"
EMOJI = ["\U0001f600", "\u2764\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea",
         "\U0001f44d\U0001f3fd", "1\ufe0f\u20e3", "\U0001f3f4\U000e0067\U000e0062\U000e007f"]


class RandomTexts:
    def __init__(self, seed, tokenizer, added):
        self.random = random.Random(seed)
        self.vocabulary = sorted(tokenizer.get_vocab())
        self.added = added

    def code_points(self, low, high, count):
        return "".join(chr(self.random.randint(low, high)) for _ in range(count))

    def piece(self):
        r = self.random
        kind = r.randrange(16)
        if kind < 3:
            return self.code_points(0x61, 0x7A, r.randint(1, 9))
        if kind < 5:
            return self.code_points(*r.choice(SCRIPTS), r.randint(1, 8))
        if kind == 5:
            return r.choice("aeoAO\u00e9\u1e69\u0344\U0001d160=") + "".join(chr(r.choice(MARKS)) for _ in range(r.randint(1, 5)))
        if kind == 6:
            return "".join(r.choice(CONTROLS) for _ in range(r.randint(1, 3)))
        if kind == 7:
            return r.choice(EMOJI)
        if kind == 8:
            return r.choice(self.added)
        if kind == 9:
            return "".join(r.choice("!?.,;:'\"()-_/@#$%^&*~`<>|\u2026\u2014\u00bf\u201c\u3002") for _ in range(r.randint(1, 4)))
        if kind == 10:
            return "".join(r.choice(self.vocabulary) for _ in range(r.randint(1, 3))).replace("##", r.choice(["", "##"]))
        if kind == 11 and r.randrange(20) == 0:
            letters = r.choice(["a", "ab", "\u00e9", "x\u0301", "\uac01", "\u0301", "\u1b44z"])
            return letters * r.choice([49, 50, 51, 99, 100, 101, 300, 2000])
        if kind == 12:
            c = r.randint(0, 0x10FFFF - 0x800)
            return chr(c if c < 0xD800 else c + 0x800)
        if kind == 13:
            return self.code_points(0x41, 0x5A, r.randint(1, 6))
        return self.code_points(0x61, 0x7A, r.randint(1, 5))

    def text(self):
        r = self.random
        between = ["", " ", " ", r.choice(SPACES)]
        return "".join(self.piece() + r.choice(between) for _ in range(r.randint(1, 8)))

    def texts(self, count):
        return [self.text() for _ in range(count)]


def scalar_values():
    return [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def sample_of_code_points():
    dense = [chr(c) for c in range(0x600)]
    return dense + [c for i, c in enumerate(scalar_values()) if i >= 0x600 and i % (5 if i < 0x3100 else 131) == 0]


def read_texts(path):
    opener = lzma.open if path.endswith(".xz") else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n").split("\t", 1)[1] for line in file]


# ---- tokenisers ----


def is_wordpiece(path):
    with open(path, encoding="utf-8") as file:
        model = json.load(file)["model"]
    return model.get("type", "WordPiece") == "WordPiece" and "merges" not in model


def variants(path, folder):
    """The tokeniser with other options and added tokens of every kind: (name, path)."""
    with open(path, encoding="utf-8") as file:
        base = json.load(file)
    size = len(base["model"]["vocab"])
    added = []
    for i, (content, options) in enumerate([
            ("[ENT]", {}), ("[ENTITY]", {"lstrip": True}), ("lovex", {"single_word": True}), ("<x>", {"rstrip": True, "lstrip": True}),
            ("Caf\u00e9", {"normalized": True}), ("XYZ", {"normalized": True, "single_word": True, "special": True}),
            ("\uac01=", {"normalized": True, "lstrip": True, "rstrip": True})]):
        token = {"id": size + i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                 "special": False}
        added.append({**token, **options})

    def variant(name, normalizer, change=lambda tokenizer: None):
        tokenizer = copy.deepcopy(base)
        tokenizer["normalizer"] = normalizer and {"type": "BertNormalizer", **normalizer}
        change(tokenizer)
        target = os.path.join(folder, name + ".json")
        with open(target, "w", encoding="utf-8") as file:
            json.dump(tokenizer, file)
        return name, target

    def normalizer(clean=True, chinese=True, strip=None, lower=True):
        return {"clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": strip, "lowercase": lower}

    def add(tokenizer):
        tokenizer["added_tokens"] += added

    def bare(tokenizer):
        tokenizer["post_processor"] = tokenizer["decoder"] = None
        tokenizer["added_tokens"] += added[:4]

    def short_words(tokenizer):
        tokenizer["model"]["max_input_chars_per_word"] = 7

    def long_words(tokenizer):
        tokenizer["model"]["max_input_chars_per_word"] = 1500
        tokenizer["decoder"]["cleanup"] = False

    return [variant("added", normalizer(), add), variant("keep-accents", normalizer(strip=False), add),
            variant("cased-stripped", normalizer(strip=True, lower=False), bare), variant("unclean", normalizer(clean=False), bare),
            variant("no-chinese", normalizer(chinese=False), short_words), variant("no-normalizer", None, long_words)]


def compare_truncated(parity, texts, seed, count):
    """Windows of many sizes, both sides, single and in pairs: `count` texts for each."""
    r = random.Random(seed)
    # The reference keeps every combination of the overflowing windows of a pair: only short texts, or memory runs out.
    short = [text for text in texts if len(text) <= 120]
    pairs = list(zip(short, reversed(short)))
    for step, max_tokens in enumerate([3, 4, 5, 8, 12, 17, 32, 128, 256]):
        part = r.sample(texts, min(len(texts), count))
        part_pairs = r.sample(pairs, min(len(pairs), count))
        for side in (0, LEFT):
            parity.compare(part, side, max_tokens)
            parity.compare(part_pairs, side | PAIR, max_tokens)
            parity.compare(part_pairs, side | PAIR | NO_SPECIAL, max_tokens)
        parity.compare(part, NO_SPECIAL | (LEFT if step % 2 else 0), max_tokens)


def run(name, path, arguments, data, code_points, random_count, compiled):
    start = time.monotonic()
    count = 400 if arguments.full else 25
    parity = Parity(name, path, arguments.driver, compiled)
    with open(path, encoding="utf-8") as file:
        added = [token["content"] for token in json.load(file)["added_tokens"]]
    parity.compare(code_points)
    parity.compare(["a" + c + "b" for c in code_points])
    makers = RandomTexts(arguments.seed, parity.reference, added + [token.lower() for token in added])
    texts = []
    for i in range(0, random_count, 50000):
        texts = makers.texts(min(50000, random_count - i))
        parity.compare(texts, DECODE if i == 0 else 0)
    parity.compare(list(zip(texts, texts[1:]))[:20000], PAIR)
    compare_truncated(parity, texts[:20000], arguments.seed, count)
    for texts in data:
        parity.compare(texts)
        compare_truncated(parity, texts[:5000], arguments.seed, count)
    if parity.driver.close() != 0:
        parity.mismatches += 1
    print(f"{name}: {parity.compared} compared, {parity.mismatches} mismatches, {time.monotonic() - start:.1f} s", flush=True)
    return parity.mismatches


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--driver", required=True)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    default = os.path.join(ROOT, "models", "default", "tokenizer.json")
    tokenizers, data = [("default", default)], []
    code_points, random_count = (scalar_values(), 1000000) if arguments.full else (sample_of_code_points(), 8000)
    with open(os.path.join(ROOT, "tests", "golden", "goemotions500.jsonl"), encoding="utf-8") as file:
        data.append([row["text"] for row in map(json.loads, file) if "text" in row])
    if arguments.full:
        shared = os.environ.get("KUBESENTIMENT_SHARED", os.path.join(ROOT, "..", "shared"))
        found = [p for p in sorted(glob.glob(os.path.join(shared, "tokenizers", "*", "tokenizer.json"))) if is_wordpiece(p)]
        files = [p for d in ("sst2", "semeval2017", "imdb") for p in sorted(glob.glob(os.path.join(shared, "data", d, "test*")))]
        if not found or not files:
            sys.exit(f"tokenizer_parity: no tokenizers or no data under {shared}; set KUBESENTIMENT_SHARED")
        tokenizers += [(os.path.basename(os.path.dirname(path)), path) for path in found]
        data += [read_texts(path) for path in files]

    mismatches = 0
    for i, (name, path) in enumerate(tokenizers):
        mismatches += run(name, path, arguments, data, code_points, random_count, compiled=i % 2 == 0)
    with tempfile.TemporaryDirectory() as folder:
        for i, (name, path) in enumerate(variants(default, folder)):
            few = code_points if arguments.full else code_points[::7]
            mismatches += run(name, path, arguments, data[:1], few, random_count // 10 if arguments.full else 800, compiled=i % 2 == 0)
    print("parity:", "every comparison equal" if mismatches == 0 else f"{mismatches} MISMATCHES")
    return mismatches != 0


if __name__ == "__main__":
    sys.exit(main())
