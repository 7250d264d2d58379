#!/usr/bin/env python3
"""The page of the benchmarks from made-up results, and the gate before it: run by CTest."""
import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import report  # noqa: E402
import run  # noqa: E402
from sides import SIDES  # noqa: E402


def server(seconds, p50, rps, size=100_000_000):
    row = {"requests_per_second": rps, "p50_ms": p50, "p99_ms": 2 * p50}
    return {"first_answer_s": seconds, "load": {"1": row, "8": row | {"requests_per_second": 2 * rps}},
            "resident_bytes": size, "install_bytes": size, "full_install_bytes": 2 * size}


def result(served, latency=4.0):
    measured = {"latency": {"1x16": {"p50_ms": latency}}, "settings": {"threads": 2}, "versions": {"thing": "1.0"}}
    return {"answers": {"minilm": 1.0, "distilbert": 1e-6}, "problems": {}, "server": served,
            "measured": {"minilm": measured, "distilbert": measured}}


class Report(unittest.TestCase):
    def write(self, results, busy=0.01):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for key, value in results.items():
                (root / f"{key}.json").write_text(json.dumps(value))
            (root / "machine.json").write_text(json.dumps(
                {"cpu": "Some CPU", "cores": 2, "kernel": "6.1", "python": "3.11", "date": "2026-01-31", "busy_before": busy,
                 "vnni_gops": 470.2}))
            report.write(root, root / "benchmarks.md")
            return (root / "benchmarks.md").read_text(), (root / "benchmarks" / "latency.svg").read_text()

    def test_ratios_stand_before_figures(self):
        page, plot = self.write({"torch-fp32": result(server(4.0, 10.0, 100)), "ours-int8": result(server(0.05, 0.5, 1000))})
        ratios = "| KubeSentiment INT8 | 80 x | 20 x | 20 x | 10 x | 1.0 x | 1.0 x |"
        figures = "| KubeSentiment INT8 | 50 ms | 0.50 ms | 1.00 ms | 2,000 | 100 MB | 100 MB |"
        self.assertLess(page.index(ratios), page.index(figures))
        self.assertIn("against the best peer of the column | 80 x (PyTorch fp32, eager, 2 threads (baseline)) |", page)
        self.assertIn("470 GOP/s", page)
        self.assertIn("all of it 200 MB", page)
        self.assertNotIn("busy with other things", page)
        self.assertIn("KubeSentiment INT8", plot)

    def test_a_busy_machine_is_confessed(self):
        page, _ = self.write({"torch-fp32": result(server(4.0, 10.0, 100))}, busy=0.4)
        self.assertIn("**The machine was 40% busy with other things", page)

    def test_a_side_that_failed_says_why(self):
        page, _ = self.write({"torch-fp32": result(server(4.0, 10.0, 100)), "openvino-int8": {"failure": "no such file a|b"}})
        self.assertIn("| OpenVINO NNCF INT8, 2 threads | - | - | left out: no such file a/b |", page)
        self.assertIn("| KubeSentiment INT8 | - | - | left out: not run |", page)


class Answers(unittest.TestCase):
    int8 = next(side for side in SIDES if side.key == "ours-int8")
    fp32 = next(side for side in SIDES if side.key == "ours-fp32")

    def test_labels_must_agree(self):
        reference = [[1.0, 0.0]] * 100
        self.assertIsNone(run.check_answers(self.int8, "minilm", [[0.0, 1.0]] * 3 + [[2.0, 0.0]] * 97, reference)[1])
        self.assertIn("96.00%", run.check_answers(self.int8, "minilm", [[0.0, 1.0]] * 4 + [[2.0, 0.0]] * 96, reference)[1])
        self.assertIsNotNone(run.check_answers(self.fp32, "minilm", [[0.0, 1.0]] + [[2.0, 0.0]] * 99, reference)[1])

    def test_logits_may_differ_by_a_constant_only(self):
        reference = [[1.0, -1.0], [0.5, 0.2]]
        self.assertIsNone(run.check_answers(self.fp32, "distilbert", [[6.0, 4.0], [5.5, 5.2]], reference)[1])
        self.assertIn("RMS", run.check_answers(self.fp32, "distilbert", [[1.1, -1.0], [0.5, 0.2]], reference)[1])


if __name__ == "__main__":
    unittest.main()
