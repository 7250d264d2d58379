"""What a server keeps after a day's work: its own memory, its share of what is mapped, and that neither grows."""

import lzma
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "integration"))

import mixed_load  # noqa: E402
import support  # noqa: E402

SHARED = pathlib.Path(os.environ["KS_SHARED"])
FIRST, MORE = 10_000, 100_000
LARGEST = {"Private_Dirty": 45e6, "Pss": 80e6}
GROWTH = 2e6  # what an allocator may still move about


def texts_of(name):
    with lzma.open(SHARED / f"data/{name}.tsv.xz", "rt", encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n").split("\t", 1)[1][:10_000] for line in file]


def bodies():
    """Tweets, and reviews of films as the long ones."""
    tweets, reviews = texts_of("semeval2017/train"), texts_of("imdb/test")
    return mixed_load.mixed_bodies(lambda draw: draw.choice(tweets), lambda draw: draw.choice(reviews))


def memory(server):
    """Bytes by the names of smaps_rollup."""
    lines = pathlib.Path(f"/proc/{server.process.pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(value.split()[0]) * 1024 for name, value in (line.split(":") for line in lines)}


def test_memory_is_small_and_flat():
    mixed = bodies()
    with support.Server() as server:
        server.wait_log("package verified")
        print(f"\nready: {told(memory(server))}")
        mixed_load.send(server, mixed, FIRST)
        early = memory(server)
        print(f"after {FIRST} requests: {told(early)}")
        for name, most in LARGEST.items():
            assert early[name] <= most, f"{name}: expected at most {most / 1e6:.0f} MB, found {early[name] / 1e6:.1f}"
        mixed_load.send(server, mixed, MORE)
        late = memory(server)
        print(f"after {MORE} more: {told(late)}")
        for name in LARGEST:
            assert late[name] <= early[name] + GROWTH, f"{name} grew from {early[name] / 1e6:.1f} to {late[name] / 1e6:.1f} MB"
        mapped = pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "int8.bin" in mapped
        for file in ("model.safetensors", "fp32.onnx", "portable"):
            assert file not in mapped, f"{file} is mapped though int8 serves"


def told(figures):
    return ", ".join(f"{name} {figures[name] / 1e6:.1f} MB" for name in ("Rss", "Pss", "Private_Dirty", "Private_Clean", "AnonHugePages"))
