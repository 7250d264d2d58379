#!/usr/bin/env python3
"""Runs a command that must fail and say why: expect.py TEXT -- COMMAND...

Succeeds if the command ends with a status other than 0 and its output holds TEXT. A tool that is switched off lets the
planted bug pass, and one that crashes for another reason does not print TEXT: neither counts as caught.
"""

import subprocess
import sys


def main():
    text, separator, *command = sys.argv[1:]
    if separator != "--" or not command:
        sys.exit(__doc__)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0 and text in done.stdout:
        return 0
    print(done.stdout)
    print(f"expected a failure that says {text!r}, found exit status {done.returncode}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
