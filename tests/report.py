#!/usr/bin/env python3
"""Reads the JUnit files below BUILD_TREE/reports and judges them.

A test that did not run is as bad as one that failed, unless the list of allowed skips names it: a lane that quietly
stops testing must not stay green. With --closing-line the trees are only summed up, in one line.
"""

import argparse
import fnmatch
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def read_cases(report):
    """Yields (name, outcome, reason) of each test; outcome is passed, failed or skipped."""
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name")
        if case.get("classname") not in (None, name):  # pytest's module; CTest repeats the name
            name = f"{case.get('classname')}::{name}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed", ""
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            yield name, "skipped", "" if skipped is None else skipped.get("message") or ""
        else:
            yield name, "passed", ""


def read_allowed(path):
    """Lines of `PATTERN  # reason`, where PATTERN is a shell pattern over the test's name."""
    allowed = []
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        pattern, _, reason = line.partition("#")
        if pattern.strip():
            if not reason.strip():
                sys.exit(f"error: {path}:{number}: expected '# reason' after {pattern.strip()!r}")
            allowed.append(pattern.strip())
    return allowed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trees", nargs="+", metavar="BUILD_TREE")
    parser.add_argument("--skips", help="the list of allowed skips")
    parser.add_argument("--closing-line", action="store_true")
    parser.add_argument("--status", type=int, default=0, help="how the commands before ended")
    options = parser.parse_args()

    reports = [r for tree in options.trees for r in sorted(pathlib.Path(tree, "reports").glob("*.xml"))]
    cases = [case for report in reports for case in read_cases(report)]
    counts = {o: sum(outcome == o for _, outcome, _ in cases) for o in ("passed", "failed", "skipped")}
    if options.closing_line:
        # A build that broke leaves no failed test behind; the line must not read as success.
        failed = counts["failed"] or int(options.status != 0)
        print(f"{counts['passed']} passed, {failed} failed")
        return 0

    allowed = read_allowed(options.skips) if options.skips else []
    unexpected = [
        (name, reason) for name, outcome, reason in cases
        if outcome == "skipped" and not any(fnmatch.fnmatchcase(name, p) for p in allowed)]
    for name, reason in unexpected:
        print(f"unexpected skip: {name}: {reason}", file=sys.stderr)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    if not cases:
        print(f"error: no test ran in {', '.join(options.trees)}", file=sys.stderr)
    return int(bool(unexpected) or counts["failed"] > 0 or not cases)


if __name__ == "__main__":
    sys.exit(main())
