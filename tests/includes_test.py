#!/usr/bin/env python3
"""includes.py must find what is planted in a small tree, and nothing in the same tree without it."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).with_name("includes.py")

CLEAN = {
    "base/json.h": "#include <string_view>\n#include \"absl/status/status.h\"\n",
    "base/json.cc": "#include \"base/json.h\"\n#include <simdjson.h>\n#include \"base/status_macros.h\"\n",
    "base/mutex.h": "#include <mutex>\n",
    "kernels/linear.cc": "#include \"kernels/linear.h\"\n#include <immintrin.h>\n",
    "graph/graph_builder.h": "#include \"onnx.pb.h\"\n",
    "graph/encoder.cc": "#include \"graph/graph_builder.h\"\n",
    "backend/onnx/ort.cc": "#include \"onnxruntime_c_api.h\"\n",
    "serving/http/server.cc": "#include <boost/beast.hpp>\n#include \"engine/engine.h\"\n",
    "text/parity_test.cc": "#include <gtest/gtest.h>\n#include <mutex>\n#include \"convert/convert.h\"\n",
    "text/CMakeLists.txt": "ks_room(text\n  SOURCES a.cc\n  USES base\n  TEST_USES convert)\n",
}

# (file, text, what must be said)
PLANTED = {
    "upward room": ("text/a.cc", "#include \"engine/engine.h\"\n", "text/a.cc:1: room text may use base, found engine/engine.h"),
    "room for a room that may use none": ("kernels/a.cc", "#include \"base/status.h\"\n", "room kernels may use no room"),
    "upward room in CMake": ("text/CMakeLists.txt", "ks_room(text\n  USES base\n    model)\n", "found USES model"),
    "third-party header elsewhere": ("engine/a.cc", "\n#include <boost/asio/post.hpp>\n", "engine/a.cc:2: boost/asio/post.hpp belongs to serving"),
    "C API outside its folder": ("backend/a.cc", "#include \"onnxruntime_c_api.h\"\n", "belongs to backend/onnx"),
    "heavy header in a header": ("serving/a.h", "#  include <boost/beast.hpp>\n", "boost/beast.hpp is for .cc files only"),
    "macros in a header": ("base/a.h", "#include \"base/status_macros.h\"\n", "is for .cc files only"),
    "Abseil in kernels": ("kernels/a.cc", "#include \"absl/strings/str_cat.h\"\n", "standard library only"),
    "private header elsewhere": ("convert/a.cc", "#include \"graph/graph_builder.h\"\n", "private to graph"),
    "gtest in the product": ("base/a.cc", "#include <gtest/gtest.h>\n", "for tests only"),
    "lock without annotations": ("engine/a.cc", "#include <mutex>\n", "expected base/mutex.h"),
    "unknown library": ("cli/a.cc", "#include <fmt/core.h>\n", "in no table"),
    "path that does not start at src": ("cli/a.cc", "#include \"config.h\"\n", "in no table"),
    "unknown room": ("shed/a.cc", "", "shed is not a room"),
}


def run(files):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            file = pathlib.Path(folder, "src", path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True)


class Includes(unittest.TestCase):
    def test_accepts_a_clean_tree(self):
        done = run(CLEAN)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_finds_each_planted_include(self):
        for name, (path, text, expected) in PLANTED.items():
            with self.subTest(name):
                done = run(CLEAN | {path: text})
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(expected, done.stdout)

    def test_refuses_a_tree_without_sources(self):
        self.assertIn("no sources", run({}).stderr)


if __name__ == "__main__":
    unittest.main()
