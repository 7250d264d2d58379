#!/usr/bin/env python3
"""The bounds and verdicts of docs/speed.md, and the page from made-up results: run by CTest."""
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bars  # noqa: E402
import bars_report  # noqa: E402
import bars_rows  # noqa: E402
import bars_stages  # noqa: E402
import bound  # noqa: E402

MINILM = bound.Encoder(6, 384, 1536)


class Bound(unittest.TestCase):
    peaks = bound.Peaks(gops=400.0, gbps={1: 20.0, 2: 30.0})

    def test_multiply_adds_are_those_of_the_graph(self):
        one = bound.Encoder(layers=2, hidden=10, intermediate=40)
        # Layer 0 whole for 7 tokens; of layer 1 keys and values for 7, the rest for the first tokens of 3 texts.
        self.assertEqual(one.multiply_adds(7, 3), 7 * 1200 + 7 * 200 + 3 * 1000)
        self.assertEqual(one.weight_bytes(), 2 * 1200)
        self.assertEqual(MINILM.weight_bytes(), 10616832)

    def test_long_runs_are_bound_by_arithmetic(self):
        expected = 2 * MINILM.multiply_adds(128, 1) / 400e9
        self.assertAlmostEqual(self.peaks.seconds(MINILM, 128, 1, 1), expected)
        self.assertAlmostEqual(self.peaks.seconds(MINILM, 128, 1, 2), expected / 2)

    def test_short_runs_are_bound_by_reading(self):
        self.assertAlmostEqual(self.peaks.seconds(MINILM, 8, 1, 1), 10616832 / 20e9)
        self.assertAlmostEqual(self.peaks.seconds(MINILM, 8, 1, 2), 10616832 / 30e9)

    def test_both_spellings_of_a_config(self):
        self.assertEqual(bound.encoder_of({"num_hidden_layers": 6, "hidden_size": 384, "intermediate_size": 1536}), MINILM)
        self.assertEqual(bound.encoder_of({"n_layers": 6, "dim": 384, "hidden_dim": 1536}), MINILM)


class Judgement(unittest.TestCase):
    def test_the_ratio_alone(self):
        self.assertEqual((bound.judge(1.0, 1.5, 1.5).met, bound.judge(1.0, 1.5, 1.5).text()), (True, "met"))
        missed = bound.judge(1.0, 1.2, 1.5)
        self.assertFalse(missed.met)
        self.assertEqual(missed.text(), "**short by 20%** of 1.50 x; no bound measured")

    def test_the_bound_excuses_where_it_asks_less(self):
        near = bound.judge(1.0, 1.2, 1.5, bound=0.7)
        self.assertTrue(near.met)
        self.assertEqual(near.text(), "met by the bound: 70% of the bound")
        far = bound.judge(1.0, 1.2, 1.5, bound=0.6)
        self.assertFalse(far.met)
        self.assertAlmostEqual(far.required, 0.65 * 1.2 / 0.6)
        self.assertEqual(far.text(), "**short by 8%** of 1.30 x; 60% of the bound")

    def test_the_bar_stays_where_the_bound_asks_more(self):
        self.assertEqual(bound.judge(1.0, 1.6, 1.5, bound=0.1).required, 1.5)

    def test_never_below_the_peer(self):
        slower = bound.judge(1.0, 0.9, 1.5, bound=0.9)
        self.assertEqual((slower.required, slower.met), (1.0, False))
        self.assertTrue(bound.judge(1.0, 1.0, 1.5, bound=0.9).met)

    def test_http_asks_for_half(self):
        self.assertFalse(bound.judge(1.0, 1.2, 2.5, bound=0.55).met)
        self.assertTrue(bound.judge(1.0, 1.2, 2.5, bound=0.55, share=bound.HTTP_SHARE).met)

    def test_a_mean_counts_what_the_bound_excuses_at_its_bar(self):
        self.assertEqual(bound.judge(1.0, 1.2, 1.5, bound=0.7).counted, 1.5)
        self.assertEqual(bound.judge(1.0, 1.7, 1.5, bound=0.7).counted, 1.7)
        self.assertEqual(bound.judge(1.0, 1.2, 1.5, bound=0.6).counted, 1.2)
        self.assertAlmostEqual(bound.geometric_mean([1.0, 4.0]), 2.0)


CONFIG = {"num_hidden_layers": 6, "hidden_size": 384, "intermediate_size": 1536}
MACHINE = {"cpu": "Some CPU", "sets": ["avx2"], "cores": 2, "memory_bytes": 2**33, "kernel": "6.1", "python": "3.11", "date": "2026-01-31"}


def kept(result, problem=None):
    return {"result": result, "problem": problem, "busy_before": 0.01, "commit": "0123456789", "date": "2026-01-31", "seconds": 30}


def peaks(gops, one, both):
    gbps = {"1": one, "2": both}
    return kept({"gops": {"avx2": 1.0, "avx512vnni": gops, "amx": None}, "cores": 2, "gbps": {"minilm": gbps, "distilbert": gbps}})


def latency(**of_tokens):
    times = {f"1x{name[1:]}": {"p50_ms": value, "p99_ms": value, "count": 9} for name, value in of_tokens.items()}
    return kept({"answers": 0.99, "marked": False, "latency": times, "settings": {"isa": "avx512vnni"}, "versions": {"thing": "1.0"}})


def texts(speed, **others):
    return kept({"texts_per_second": speed, "best": {"streams": 2, "batch": 4}, "answers": 0.98, "marked": False,
                 "tried": [{"streams": 2, "batch": 4, "texts_per_second": speed}]} | others)


def http(*rates):
    load = {count: {"requests_per_second": rate, "tokens_a_run": 80.0, "texts_a_run": 2.0} for count, rate in zip(("1", "8"), rates)}
    return kept({"load": load, "answers": 0.98, "marked": False})


FOUND = {
    "peaks before": peaks(380.0, 20.0, 30.0), "peaks after": peaks(400.0, 19.0, 31.0),
    "latency minilm ours-int8": latency(t8=0.80, t128=8.0), "latency minilm ours-int8-2": latency(t8=0.90, t128=4.0),
    "latency minilm onnxruntime-int8-plain": latency(t8=2.0, t128=5.0), "latency minilm onnxruntime-int8-plain-1": latency(t8=1.6, t128=9.0),
    "latency minilm onnxruntime-int8": kept(None, "label agreement 96%, below 97%"),
    "texts minilm imdb torch-fp32": texts(10, texts=100, tokens=20_000), "texts minilm imdb ours-int8": texts(90),
    "texts minilm imdb openvino-int8": texts(60),
    "http minilm ours-int8": http(500, 1000), "http minilm onnxruntime-int8-plain": http(400, 300),
    "http minilm onnxruntime-int8-plain-1": http(200, 410),
    "open minilm": kept({"rate": 500.0, "p99_tokens": 60, "compute_ms": 3.0,
                         "load": {"p99_ms": 11.0, "p50_ms": 2.0, "requests_per_second": 499.0}}),
    "wrk": kept({"rows": [{"connections": 1, "wrk": 100.0, "ours": 97.0, "difference": -0.03}]})}


class JudgedRows(unittest.TestCase):
    rows = {(row.kind, row.family, row.what.partition(",")[0]): row
            for row in bars_rows.Rows(FOUND, {"minilm": CONFIG, "distilbert": CONFIG}).all()}

    def test_the_best_threads_of_either_side_count_and_the_cores_of_ours_make_the_bound(self):
        short, long = self.rows["latency", "onnxruntime", "8 tokens"], self.rows["latency", "onnxruntime", "128 tokens"]
        self.assertEqual((short.ours_by, short.peer_by), ("1 thread", "ONNX Runtime INT8, plain, 1 thread"))
        self.assertAlmostEqual(short.verdict.ratio, 2.0)
        self.assertAlmostEqual(short.bound, 10616832 / 20e9)  # the larger of what was read before and after
        self.assertEqual((long.ours_by, long.peer_by), ("2 threads", "ONNX Runtime INT8, plain, 2 threads"))
        self.assertAlmostEqual(long.bound, 2 * MINILM.multiply_adds(128, 1) / 800e9)

    def test_texts_are_bound_by_the_fewest_runs(self):
        row = self.rows["texts", "openvino", "imdb"]
        self.assertAlmostEqual(row.verdict.ratio, 1.5)
        self.assertAlmostEqual(row.bound, 2 * MINILM.multiply_adds(20_000, 100) / 800e9 / 100)
        self.assertEqual(self.rows["texts", "torch", "imdb"].verdict.text(), "met")

    def test_http_is_held_against_the_better_thread_setting(self):
        one, eight = self.rows["http", "onnxruntime", "1 connection"], self.rows["http", "onnxruntime", "8 connections"]
        self.assertAlmostEqual(one.verdict.ratio, 500 / 400)
        self.assertAlmostEqual(eight.verdict.ratio, 1000 / 410)
        self.assertAlmostEqual(one.bound, bound.Peaks(400.0, {2: 31.0}).seconds(MINILM, 80, 2, 2) / 2)

    def test_what_was_not_found_gives_no_row(self):
        self.assertNotIn("infinity", {family for _, family, _ in self.rows})
        self.assertEqual(list(bars_rows.Rows({}, {"minilm": CONFIG}).all()), [])

    def test_without_peaks_the_ratio_alone_counts(self):
        found = {name: one for name, one in FOUND.items() if not name.startswith("peaks")}
        self.assertEqual({row.bound for row in bars_rows.Rows(found, {"minilm": CONFIG}).all()}, {None})


class Page(unittest.TestCase):
    def write(self, found, name="speed"):
        with tempfile.TemporaryDirectory() as folder:
            target = pathlib.Path(folder, f"{name}.md")
            rows = bars_report.write(found, MACHINE, {"minilm": CONFIG, "distilbert": CONFIG}, target)
            return target.read_text(), rows, (target.parent / name / "latency.svg").read_text()

    def test_the_page_of_another_cpu_has_plots_of_its_own(self):
        page, _, _ = self.write(FOUND, "speed-other")
        self.assertIn("(speed-other/latency.svg)", page)
        self.assertNotIn("(speed/", page)

    def test_what_is_short_stands_first(self):
        page, rows, plot = self.write(FOUND)
        short = [row for row in rows if not row["met"]]
        self.assertGreater(len(short), 0)
        self.assertLess(page.index("**short by"), page.index("## One text"))
        self.assertIn("the default model, P99 of an open loop: 11.00 ms, limit 10.00 ms", page)
        self.assertIn("**over by 10%**", page)
        self.assertIn("1 connection 97 and 100 requests/s (-3.0%)", page)
        self.assertIn("left out: label agreement 96%, below 97%", page)
        self.assertIn("Geometric mean 1.58 x", page)
        self.assertIn("ONNX Runtime INT8, minilm, 8 tokens", plot)

    def test_even_nothing_gives_a_page(self):
        page, rows, _ = self.write({"wrk": kept(None, "wrk is missing")})
        self.assertEqual(rows, [])
        self.assertIn("**The generator against wrk: wrk is missing.**", page)


class Stages(unittest.TestCase):
    def test_later_stages_need_what_earlier_ones_found(self):
        with unittest.mock.patch.object(bars_stages.run, "tweets", lambda *_: []):
            one = bars_stages.Bars(None, bars.PLAN, {"a": kept(1), "b": kept(None, "broke")})
        self.assertEqual(one.result("a"), 1)
        for name, why in (("b", "failed"), ("c", "was not run")):
            with self.assertRaisesRegex(bars_stages.servers.NotAnswering, why):
                one.result(name)
        names = [stage.name for stage in one.stages()]
        self.assertEqual(len(names), len(set(names)))
        self.assertLess(names.index("http distilbert ours-int8"), names.index("open distilbert"))
        self.assertLess(sum(stage.seconds for stage in one.stages()), 35 * 60)


if __name__ == "__main__":
    unittest.main()
