#!/usr/bin/env python3
"""Holds .clang-tidy's list against the checks that clang-tidy says are active: checks_test.py .clang-tidy

A misspelled name is ignored in silence, and so is one that a newer version renamed.
"""

import re
import subprocess
import sys


def main():
    (config,) = sys.argv[1:]
    text = open(config, encoding="utf-8").read()
    listed = set(re.findall(r"^  ([a-z]+-[A-Za-z0-9.-]+),?$", text, re.MULTILINE))
    output = subprocess.run(
        ["clang-tidy-19", "--list-checks", f"--config-file={config}"], check=True, capture_output=True, text=True).stdout
    # The compiler's own warnings, which clang-tidy passes on, are not in its list of checks.
    active = {name for name in output.split() if "-" in name}
    for name in sorted(listed - active):
        print(f"{config}: {name} is listed but not active")
    for name in sorted(active - listed):
        print(f"{config}: {name} is active but not listed")
    # An empty list would agree with itself.
    if len(active) < 40:
        print(f"{config}: expected at least 40 active checks, found {len(active)}")
    return int(active != listed or len(active) < 40)


if __name__ == "__main__":
    sys.exit(main())
