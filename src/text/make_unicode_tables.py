#!/usr/bin/env python3
"""Writes unicode_tables.inc from the behaviour of the reference, the `tokenizers` package.

The reference mixes several Unicode versions (its letter case, its decompositions and its categories come from different
libraries), so no single Unicode database agrees with it. Every property here is therefore asked of the package itself,
code point by code point. Run it with the version of the package that tests/requirements.lock pins:

    python3 src/text/make_unicode_tables.py > src/text/unicode_tables.inc
"""
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xAC00 + 11172)

# The bits of unicode_tables.h.
CONTROL, WHITESPACE, PUNCTUATION, CHINESE, NONSPACING, WORD = 1, 2, 4, 8, 16, 32


def bert(clean=False, chinese=False, strip=False, lower=False):
    return normalizers.BertNormalizer(clean, chinese, strip, lower).normalize_str


def check(condition, what):
    if not condition:
        sys.exit(f"make_unicode_tables: {what}; the C++ side has to change with it")


def flags_of_all():
    flags = [0] * 0x110000
    clean, chinese, strip = bert(clean=True), bert(chinese=True), bert(strip=True)
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    single_word = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    single_word.add_tokens([AddedToken("x", single_word=True, normalized=False)])
    for c in ALL:
        s = chr(c)
        pieces = len(split("a" + s + "b"))
        cleaned = clean(s)
        if cleaned == "":
            flags[c] |= CONTROL
        if pieces == 2:
            flags[c] |= WHITESPACE
        if pieces == 3:
            flags[c] |= PUNCTUATION
        if chinese(s) != s:
            check(chinese(s) == f" {s} ", f"U+{c:04X} is not just put between spaces")
            flags[c] |= CHINESE
        if strip(s) == "":
            flags[c] |= NONSPACING
        if s != "x" and single_word.token_to_id("x") not in single_word.encode("x" + s).ids:
            flags[c] |= WORD
        # Cleaning: control characters go (tab and line breaks are none), all other white space becomes a space.
        if cleaned:
            check(cleaned == (" " if flags[c] & WHITESPACE else s), f"U+{c:04X} is cleaned in another way")
    flags[ord("x")] |= WORD
    return flags


def combining_classes():
    """Canonical combining classes, from the order into which the reference sorts two marks."""
    nfd = normalizers.NFD().normalize_str
    # One known mark of each class, of those that the reference orders (and does not decompose further).
    known = {}
    for c in ALL:
        k = unicodedata.combining(chr(c))
        if k and unicodedata.normalize("NFD", chr(c)) == chr(c) and nfd("\u0345" + chr(c)) != "\u0345" + chr(c):
            known.setdefault(k, chr(c))
    known[240] = "\u0345"
    levels = sorted(known)
    classes = [0] * 0x110000
    for c in ALL:
        s = chr(c)
        if nfd(s) != s:
            continue
        if s == "\u0345":
            classes[c] = 240
        elif nfd("\u0345" + s) != "\u0345" + s:  # sorted before the highest class: not a starter
            # The highest class that stays before s when it comes first.
            classes[c] = max(k for k in levels if k == levels[0] or nfd(known[k] + s) == known[k] + s)
            if nfd(known[levels[0]] + s) != known[levels[0]] + s:
                check(False, f"U+{c:04X} is below every known class")
    return classes


def decompositions():
    nfd = normalizers.NFD().normalize_str
    result = {c: nfd(chr(c)) for c in ALL if nfd(chr(c)) != chr(c)}
    for c in HANGUL:
        i = c - 0xAC00
        tail = chr(0x11A7 + i % 28) if i % 28 else ""
        check(result.pop(c) == chr(0x1100 + i // 588) + chr(0x1161 + i % 588 // 28) + tail, f"U+{c:04X} is no Hangul syllable")
    return result


def lowercase():
    lower = normalizers.Lowercase().normalize_str
    result = {c: lower(chr(c)) for c in ALL if lower(chr(c)) != chr(c)}
    check({c for c, s in result.items() if len(s) > 1} == {0x130} and result[0x130] == "i\u0307", "another long lower case")
    del result[0x130]
    return {c: ord(s) for c, s in result.items()}


def runs(values):
    """(first, last, value) of the maximal runs of equal, non-zero values."""
    first = 0
    for c in range(1, len(values) + 1):
        if c == len(values) or values[c] != values[first]:
            if values[first]:
                yield first, c - 1, values[first]
            first = c


def lowercase_runs(mapping):
    """(first, last, stride, delta): first, first + stride, .. last are each lowered by adding delta. Runs do not overlap."""
    todo = sorted(mapping)
    while todo:
        first = todo[0]
        delta = mapping[first] - first
        best = [first]
        for stride in (1, 2):
            run = [first]
            while mapping.get(run[-1] + stride, -1) == run[-1] + stride + delta and not (stride == 2 and run[-1] + 1 in mapping):
                run.append(run[-1] + stride)
            if len(run) > len(best):
                best = run
        yield first, best[-1], best[1] - best[0] if len(best) > 1 else 1, delta
        taken = set(best)
        todo = [c for c in todo if c not in taken]


def table(kind, name, rows, width):
    print(f"constexpr {kind} {name}[] = {{")
    for i in range(0, len(rows), width):
        print("    " + " ".join(rows[i : i + width]))
    print("};\n")


def main():
    flags, classes, lower = flags_of_all(), combining_classes(), lowercase()
    print("// Generated by make_unicode_tables.py; do not edit. Reference: tokenizers", tokenizers.__version__)
    print("// clang-format off\n")
    both = list(runs([f | k << 8 for f, k in zip(flags, classes)]))
    table("CharProperties", "kProperties", [f"{{0x{a:X},0x{b:X},{v & 255},{v >> 8}}}," for a, b, v in both], 6)
    table("LowercaseRun", "kLowercase", [f"{{0x{a:X},0x{b:X},{s},{d}}}," for a, b, s, d in lowercase_runs(lower)], 6)
    pool, rows = "", []
    for c, s in sorted(decompositions().items()):
        at = pool.find(s)
        if at < 0:
            at, pool = len(pool), pool + s
        rows.append(f"{{0x{c:X},{at},{len(s)}}},")
    table("Decomposition", "kDecompositions", rows, 9)
    table("uint32_t", "kDecompositionPool", [f"0x{ord(c):X}," for c in pool], 18)


if __name__ == "__main__":
    main()
