"""The same as tests/integration/test_truth.py over whole files, which need ../shared and PyTorch (`make venv-torch`)."""

import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "integration"))

import support  # noqa: E402
import truth  # noqa: E402

SHARED = pathlib.Path(os.environ["KS_SHARED"])


@pytest.mark.parametrize("name", ["sst2/dev.tsv", "semeval2017/test.tsv.xz"])
def test_whole_file_equals_pytorch(name, tmp_path):
    golden = tmp_path / "golden.jsonl"
    script = support.SOURCE / "tests/golden/make_golden.py"
    subprocess.run([os.environ["KS_TORCH_PYTHON"], script, support.SOURCE / "models/default", SHARED / "data" / name, golden],
                   check=True, capture_output=True)
    header, rows = truth.read_golden(golden)
    truth.compare_predict(header, rows)
    with support.Server("--precision", "fp32") as server:
        truth.compare_logits(server, header, rows)
