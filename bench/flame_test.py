#!/usr/bin/env python3
"""What bench/flame.py reads from perf and makes of it: run by CTest."""
import pathlib
import sys
import unittest
import xml.dom.minidom

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import flame  # noqa: E402

SCRIPT = """onnx-0
\t    55d0 ks::Int8LinearKernel<ks::Avx512VnniLanes>::Tile<8, 3>(ks::Int8LinearArgs const&, int) (/build/bin/kubesentiment)
\t    55d1 ks::(anonymous namespace)::Run::Finish(ks::Block const&) (/build/bin/kubesentiment)
\t    7f00 [unknown] (/deps/libonnxruntime.so.1.32.0)
\t    7f01 onnxruntime::Session::Run(int) (/deps/libonnxruntime.so.1.32.0)

onnx-1
\t    55d2 ks::Team::Meet() (/build/bin/kubesentiment)

ks-http-0
\tffff80 tcp_sendmsg ([kernel.kallsyms])
\tffff81 entry_SYSCALL_64 ([kernel.kallsyms])
\t    55d3 ks::Connection::Send(int) (/build/bin/kubesentiment)

"""


class Flame(unittest.TestCase):
    def test_stacks_go_from_the_thread_to_the_innermost_function(self):
        stacks = flame.stacks_of(SCRIPT)
        self.assertEqual(sum(stacks.values()), 3)
        self.assertEqual({stack[0] for stack in stacks}, {"onnx-N", "ks-http-N"})
        longest = max(stacks, key=len)
        self.assertEqual(longest[1], "[libonnxruntime]")  # one frame for all of it
        self.assertIn("Tile", longest[-1])

    def test_stages_are_told_by_the_innermost_function_that_has_one(self):
        stages = {flame.stage_of(stack) for stack in flame.stacks_of(SCRIPT)}
        self.assertEqual(stages, {"int8 linears: products", "waiting for the other cores", "kernel"})
        self.assertEqual(flame.stage_of(("main", "something")), flame.REST)

    def test_each_part_of_a_linear_has_its_stage(self):
        for function, stage in (
            ("ks::Int8LinearKernel<ks::L>::FinishRows<8>(int)", "epilogue, GELU, residual"),
            ("ks::AmxLinearKernel<ks::L, ks::AmxTiles>::Waiting::Finish(int)", "epilogue, GELU, residual"),
            ("ks::AmxLinearKernel<ks::L, ks::AmxTiles>::Block<2, 2>(int)", "products"),
            ("ks::Int8RowsKernel<ks::L>::QuantizeRows(int)", "rows quantised"),
        ):
            self.assertEqual(flame.stage_of(("onnx-N", function)), f"int8 linears: {stage}")

    def test_names_lose_what_is_long(self):
        self.assertEqual(flame.short("void ks::Int8LinearKernel<ks::WideLanes<ks::L, 8> >::Tile<8, 3>(int)"), "Int8LinearKernel::Tile")
        self.assertEqual(flame.short("[kernel]"), "[kernel]")

    def test_the_table_adds_up(self):
        rows = [line.split("|") for line in flame.table(flame.stacks_of(SCRIPT), 1000, "x").splitlines() if "%" in line]
        self.assertEqual(len(rows), 3)
        self.assertAlmostEqual(sum(float(row[2]) for row in rows), 1e6 * 3 / flame.RATE / 1000, places=2)

    def test_the_picture_is_svg_with_each_function(self):
        drawn = flame.draw(flame.stacks_of(SCRIPT), "a & b")
        titles = {node.firstChild.data for node in xml.dom.minidom.parseString(drawn).getElementsByTagName("title")}
        self.assertIn("Team::Meet: 33.3%", titles)


if __name__ == "__main__":
    unittest.main()
