#!/usr/bin/env python3
"""report.py must fail on what did not run."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).with_name("report.py")

PASSED = '<testcase name="base.Json.Reads" classname="base.Json.Reads" status="run"/>'
FAILED = '<testcase name="base.Json.Writes" status="fail"><failure message="Failed"/></testcase>'
SKIPPED = '<testcase name="base.Cpu.Amx" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/></testcase>'
DISABLED = '<testcase name="base.Cpu.Old" status="disabled"/>'
PYTEST_SKIPPED = '<testcase classname="test_clients" name="test_js"><skipped type="pytest.skip" message="no node"/></testcase>'


def run(cases, allowed="", *options):
    with tempfile.TemporaryDirectory() as folder:
        reports = pathlib.Path(folder, "reports")
        reports.mkdir()
        if cases is not None:
            (reports / "tests.xml").write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
        skips = pathlib.Path(folder, "skips.txt")
        skips.write_text(allowed)
        command = [sys.executable, SCRIPT, "--skips", skips, *options, folder]
        return subprocess.run(command, capture_output=True, text=True)


class Report(unittest.TestCase):
    def expect(self, done, status, text):
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn(text, done.stdout + done.stderr)

    def test_passes_what_passed(self):
        self.expect(run([PASSED]), 0, "1 passed, 0 failed, 0 skipped")

    def test_fails_on_a_failure(self):
        self.expect(run([PASSED, FAILED]), 1, "1 passed, 1 failed")

    def test_fails_on_a_skip_that_nobody_allowed(self):
        self.expect(run([PASSED, SKIPPED]), 1, "unexpected skip: base.Cpu.Amx")
        self.expect(run([PASSED, DISABLED]), 1, "unexpected skip: base.Cpu.Old")
        self.expect(run([PASSED, PYTEST_SKIPPED]), 1, "unexpected skip: test_clients::test_js: no node")

    def test_passes_a_skip_that_the_list_names(self):
        self.expect(run([PASSED, SKIPPED], "base.Cpu.*  # needs a newer CPU\n"), 0, "1 skipped")

    def test_refuses_an_allowed_skip_without_a_reason(self):
        self.expect(run([PASSED], "base.Cpu.*\n"), 1, "skips.txt:1: expected '# reason'")

    def test_fails_when_nothing_ran(self):
        self.expect(run([]), 1, "no test ran")
        self.expect(run(None), 1, "no test ran")

    def test_closing_line_does_not_read_as_success_when_a_build_broke(self):
        self.expect(run([PASSED], "", "--closing-line"), 0, "1 passed, 0 failed")
        self.expect(run([PASSED], "", "--closing-line", "--status", "2"), 0, "1 passed, 1 failed")


if __name__ == "__main__":
    unittest.main()
