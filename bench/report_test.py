#!/usr/bin/env python3
"""The page of the benchmarks from made-up results, and the gate before it: run by CTest."""
import argparse
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import report  # noqa: E402
import run  # noqa: E402
from sides import SIDES  # noqa: E402


def server(seconds, p50, rps, size=100_000_000):
    row = {"requests": 10 * rps, "requests_per_second": rps, "p50_ms": p50, "p99_ms": 2 * p50}
    return {"first_answer_s": seconds, "cold_starts": 3, "load": {"1": row, "8": row | {"requests_per_second": 2 * rps}},
            "resident_bytes": size, "install_bytes": size, "full_install_bytes": 2 * size}


def result(served, latency=4.0, count=1000, **others):
    measured = {"latency": {"1x16": {"p50_ms": latency, "p99_ms": 2 * latency, "count": count}}, "settings": {"threads": 2},
                "versions": {"thing": "1.0"}}
    return {"answers": {"minilm": 1.0, "distilbert": 1e-6}, "problems": {}, "marked": {}, "server": served, "seconds": 30, "busy_before": 0.01,
            "commit": "0123456789", "date": "2026-01-31", "measured": {"minilm": measured, "distilbert": measured}} | others


def failed(stage, why):
    return result(None, answers={}, measured={}, problems={stage: why})


MACHINE = {"cpu": "Some CPU", "sets": ["avx2"], "cores": 2, "memory_bytes": 2**33, "kernel": "6.1", "python": "3.11",
           "date": "2026-01-31", "vnni_gops": 470.2}
BASE = result(server(4.0, 10.0, 100))


class Report(unittest.TestCase):
    def write(self, results):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            report.write(results, MACHINE, root / "page.md")
            return (root / "page.md").read_text(), (root / "page" / "latency.svg").read_text()

    def test_ratios_stand_before_figures(self):
        page, plot = self.write({"torch-fp32": BASE, "ours-int8": result(server(0.05, 0.5, 1000))})
        ratios = "| KubeSentiment INT8 | 80 x | 20 x | 20 x | 10 x | 1.0 x | 1.0 x |"
        figures = "| KubeSentiment INT8 | 50 ms | 0.50 ms | 1.00 ms | 2,000 | 100 MB | 100 MB |"
        self.assertLess(page.index(ratios), page.index(figures))
        self.assertIn("against the best peer of the column | 80 x (PyTorch fp32, eager, 2 threads (baseline)) |", page)
        self.assertIn("470 GOP/s", page)
        self.assertIn("all of it 200 MB", page)
        self.assertNotIn("busy with other things", page)
        self.assertIn("KubeSentiment INT8", plot)

    def test_a_busy_machine_is_confessed(self):
        page, _ = self.write({"torch-fp32": BASE, "ours-int8": result(None, busy_before=0.4)})
        self.assertIn("**The machine was busy with other things, by up to 40%, before 1 of 2 sides", page)

    def test_sides_of_several_runs_are_confessed(self):
        page, _ = self.write({"torch-fp32": BASE, "ours-int8": result(None, commit="abc")})
        self.assertIn("**Not of one run: 0123456789 on 2026-01-31, abc on 2026-01-31.**", page)
        self.assertNotIn("Not of one run", self.write({"torch-fp32": BASE, "ours-int8": result(None)})[0])

    def test_few_samples_are_told(self):
        page, _ = self.write({"torch-fp32": BASE, "ours-int8": result(None, latency=5.0, count=199)})
        self.assertIn("| PyTorch fp32, eager, 2 threads (baseline) | 4.00 | 8.00 |", page)
        self.assertIn("| KubeSentiment INT8 | 5.00 [199] | 10.00 [199] |", page)

    def test_a_marked_side_shows_it(self):
        page, _ = self.write({"torch-fp32": BASE, "openvino-int8": result(None, marked={"distilbert": "off"})})
        self.assertEqual(page.count("| OpenVINO NNCF INT8, 2 threads † |"), 1)

    def test_a_side_that_failed_says_why_and_the_others_stand(self):
        page, _ = self.write({"torch-fp32": BASE, "openvino-int8": failed("minilm", "no such file a|b"),
                              "tflite-int8": failed("preparation", "Traceback\nno such operator")})
        self.assertIn("| OpenVINO NNCF INT8, 2 threads | - | - | minilm left out: no such file a/b |", page)
        self.assertIn("| LiteRT INT8, 2 threads | - | - | preparation left out: no such operator |", page)
        self.assertIn("| KubeSentiment INT8 | - | - | left out: not run |", page)
        self.assertIn("| PyTorch fp32, eager, 2 threads (baseline) | 4,000 ms | 10.00 ms |", page)

    def test_even_nothing_gives_a_page(self):
        page, _ = self.write({"torch-fp32": failed("minilm", "no memory")})
        self.assertIn("minilm left out: no memory", page)


class OneSide(unittest.TestCase):
    """measure_side with an adapter that fails where the test wants it."""

    plan = {"texts": ["a", "b"], "calibration": [], "seconds": 1, "least_runs": 1, "cold_starts": 1, "our_cold_starts": 1,
            "connections": {}, "models": {"minilm": {"texts": 2, "shapes": []}, "distilbert": {"texts": 1, "shapes": []}}}
    reference = {"minilm": [[1.0, 0.0], [0.0, 1.0]], "distilbert": [[1.0, -1.0]]}
    side = next(side for side in SIDES if side.key == "openvino-fp32")  # not served

    def measure(self, logits, cannot=None):
        class One:
            def measure(self, model, plan, deadline):
                answered = logits[model]
                if isinstance(answered, Exception):
                    raise answered
                return {"logits": answered, "latency": {"1x16": {}}, "settings": {}, "versions": {}}

        with unittest.mock.patch.object(run.adapters, "adapter", lambda side, tools: One()):
            return run.measure_side(self.side, None, self.plan, self.reference, cannot or {})

    def test_what_answers_right_is_kept(self):
        found = self.measure(self.reference)
        self.assertEqual((found["problems"], set(found["measured"])), ({}, {"minilm", "distilbert"}))

    def test_a_wrong_answer_costs_its_times(self):
        found = self.measure(self.reference | {"minilm": [[0.0, 1.0], [0.0, 1.0]]})
        self.assertIn("label agreement 50.00%", found["problems"]["minilm"])
        self.assertEqual(set(found["measured"]), {"distilbert"})

    def test_a_peer_beyond_the_bar_of_the_random_weights_is_marked(self):
        side = next(side for side in SIDES if side.key == "openvino-int8-static")
        off = self.reference | {"distilbert": [[1.2, -1.0]]}
        with unittest.mock.patch.object(self, "side", side):
            found = self.measure(off)
        self.assertIn("RMS", found["marked"]["distilbert"])
        self.assertEqual((found["problems"], set(found["measured"])), ({}, {"minilm", "distilbert"}))
        self.assertIn("RMS", self.measure(off)["problems"]["distilbert"])  # of fp32 nothing is forgiven
        with unittest.mock.patch.object(self, "side", side):
            self.assertIn("RMS", self.measure(self.reference | {"distilbert": [[2.0, -1.0]]})["problems"]["distilbert"])

    def test_a_failure_costs_its_own_stage_alone(self):
        found = self.measure(self.reference | {"distilbert": run.servers.NotAnswering("not done within 240 s")})
        self.assertEqual(found["problems"], {"distilbert": "not done within 240 s"})
        self.assertEqual(set(found["measured"]), {"minilm"})

    def test_what_could_not_be_prepared_is_not_tried(self):
        found = self.measure({}, {"preparation": "no wheel"})
        self.assertEqual((found["problems"], found["measured"]), ({"preparation": "no wheel"}, {}))


class Choice(unittest.TestCase):
    def chosen(self, kept, only=None, resume=False):
        arguments = argparse.Namespace(only=only, resume=resume)
        return [side.key for side in run.chosen_sides(arguments, kept)]

    def test_all_with_the_baseline_first(self):
        self.assertEqual(len(self.chosen({})), len(SIDES))
        self.assertEqual(self.chosen({})[0], "torch-fp32")

    def test_one_side_needs_the_baseline_once(self):
        self.assertEqual(self.chosen({}, only=["ours-int8"]), ["torch-fp32", "ours-int8"])
        self.assertEqual(self.chosen({"torch-fp32": BASE | {"reference": {}}}, only=["ours-int8"]), ["ours-int8"])

    def test_resuming_takes_what_is_missing_or_failed(self):
        kept = {side.key: BASE for side in SIDES if side.key != "ours-fp32"} | {"ours-int8": failed("minilm", "slow")}
        self.assertEqual(self.chosen(kept, resume=True), ["ours-fp32", "ours-int8"])


class Commands(unittest.TestCase):
    def test_what_takes_too_long_is_ended(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(run.servers.NotAnswering, "not done within 0 s"):
            run.adapters.run(["sleep", "60"], pathlib.Path(folder, "log"), run.Deadline(0.2))

    def test_a_failure_is_told_by_its_last_line(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(run.servers.NotAnswering, "^no such model$"):
            run.adapters.run(["sh", "-c", "echo trace >&2; echo no such model >&2; exit 3"], pathlib.Path(folder, "log"), run.Deadline(9))


class Answers(unittest.TestCase):
    def test_labels_must_agree(self):
        reference = [[1.0, 0.0]] * 100
        self.assertIsNone(run.answers.check("int8", "minilm", [[0.0, 1.0]] * 3 + [[2.0, 0.0]] * 97, reference)[1])
        self.assertIn("96.00%", run.answers.check("int8", "minilm", [[0.0, 1.0]] * 4 + [[2.0, 0.0]] * 96, reference)[1])
        self.assertIsNotNone(run.answers.check("fp32", "minilm", [[0.0, 1.0]] + [[2.0, 0.0]] * 99, reference)[1])

    def test_logits_may_differ_by_a_constant_only(self):
        reference = [[1.0, -1.0], [0.5, 0.2]]
        self.assertIsNone(run.answers.check("fp32", "distilbert", [[6.0, 4.0], [5.5, 5.2]], reference)[1])
        self.assertIn("RMS", run.answers.check("fp32", "distilbert", [[1.1, -1.0], [0.5, 0.2]], reference)[1])


if __name__ == "__main__":
    unittest.main()
