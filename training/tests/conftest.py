"""The tests import the project as its scripts do, from the folder above. Without PyTorch, those that need it are left out."""

import importlib.util
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

collect_ignore = []
if importlib.util.find_spec("torch") is None:
    collect_ignore += ["test_loop.py", "test_train.py"]
