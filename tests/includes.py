#!/usr/bin/env python3
"""Holds the includes of src/ against the table of rooms: includes.py [SOURCE_DIR]

Three rules. A room includes only the rooms it may use. A third-party header is included only inside the room that owns
it, and by .cc files: some cost fifteen seconds to compile. Nothing but base includes the standard library's locks, since
they carry no annotations. Tests may include any room and any library.
"""

import pathlib
import re
import sys

# Room: the rooms it may use.
ROOMS = {
    "base": "",
    "telemetry": "base",
    "text": "base",
    "checkpoint": "base",
    "model": "base",
    "kernels": "",
    "package": "base checkpoint model",
    "graph": "base model",
    "backend": "base telemetry model package kernels graph",
    "engine": "base telemetry text model package backend",
    "serving": "base telemetry engine",
    "convert": "base text checkpoint model kernels package graph backend",
    "measure": "base text model package graph backend engine",
    "cli": "base telemetry text checkpoint model kernels package graph backend engine serving convert measure",
}

# Third-party header: the folder that may include it.
LIBRARIES = {
    r"absl/": "",
    r"simdjson\.h": "base",
    r"openssl/": "base",
    r"prometheus/": "telemetry",
    r"onnx\.pb\.h|google/protobuf/": "graph",
    r"onnxruntime_\w+\.h": "backend/onnx",
    r"ATen/|torch/|c10/": "backend/torch",
    r"boost/": "serving",
    r"Eigen/": "convert",
    r"CLI/|mimalloc\.h|toml\+\+/|csv\.h|zlib\.h|lzma\.h": "cli",
}
# Light enough for our headers.
LIGHT = re.compile(r"absl/")
TEST_LIBRARIES = re.compile(r"gtest/|gmock/|benchmark/")

# Headers that hold a library's types for the .cc files beside them; no other folder may include these.
PRIVATE_HEADERS = {
    "backend/onnx/ort.h",  # the one RAII wrapper over ONNX Runtime's C API
    "graph/graph_builder.h",  # builds protobuf messages
    "serving/http/connection.h",  # takes Asio's sockets
}

SYSTEM = re.compile(
    r"[a-z_]+|(sys|linux|arpa|netinet)/\w+\.h|(unistd|fcntl|sched|spawn|pthread|dirent|signal|poll|netdb|cpuid|immintrin|termios|dlfcn|link|"
    r"malloc)\.h")
LOCKS = re.compile(r"mutex|condition_variable|shared_mutex|semaphore|latch|barrier|absl/synchronization/.*")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
TEST = re.compile(r"(_test|_benchmark|_testing|_compile_fail)\.(cc|h)$|/testing/")


def matches(path, folder):
    return folder == "" or path.startswith(folder + "/")


def judge(path, header):
    """What is wrong with `header` being included by `path` (relative to src/), or None."""
    room = path.split("/")[0]
    other = header.split("/")[0]
    is_test = bool(TEST.search(path))
    if header in PRIVATE_HEADERS and pathlib.PurePath(path).parent != pathlib.PurePath(header).parent:
        return f"{header} is private to {pathlib.PurePath(header).parent}"
    if LOCKS.fullmatch(header) and room != "base" and not is_test:
        return f"expected base/mutex.h, found <{header}>"
    if other in ROOMS and header.endswith((".h", ".inc")):
        if header == "base/status_macros.h" and path.endswith(".h") and not is_test:
            return "base/status_macros.h is for .cc files only"
        if other == room or is_test or other in ROOMS[room].split():
            return None
        return f"room {room} may use {ROOMS[room] or 'no room'}, found {header}"
    if TEST_LIBRARIES.match(header):
        return None if is_test else f"{header} is for tests only"
    for pattern, folder in LIBRARIES.items():
        if not re.match(pattern, header):
            continue
        if room == "kernels" and not is_test:
            return f"kernels uses the standard library only, found {header}"
        if not matches(path, folder) and not is_test:
            return f"{header} belongs to {folder}"
        if path.endswith(".h") and not LIGHT.match(header) and path not in PRIVATE_HEADERS and not is_test:
            return f"{header} is for .cc files only"
        return None
    if SYSTEM.fullmatch(header):
        return None
    return f"{header} is in no table of tests/includes.py; paths start at src/"


def judge_uses(path, text):
    """What is wrong with the rooms that a room's CMakeLists.txt names after USES."""
    room = path.split("/")[0]
    for uses in re.findall(r"\bUSES\s+([a-z_ \n]+)", text):
        for used in uses.split():
            if used.split("_")[0] not in (room, *ROOMS[room].split()):
                yield f"room {room} may use {ROOMS[room] or 'no room'}, found USES {used}"


def find_violations(src):
    for file in sorted(src.rglob("*")):
        path = file.relative_to(src).as_posix()
        if path.split("/")[0] not in ROOMS:
            if file.suffix in (".h", ".cc"):
                yield f"{path}: {path.split('/')[0]} is not a room"
        elif file.suffix in (".h", ".cc"):
            text = file.read_text(encoding="utf-8")
            for match in INCLUDE.finditer(text):
                if problem := judge(path, match[1]):
                    yield f"{path}:{text.count(chr(10), 0, match.start(1)) + 1}: {problem}"
        elif file.name == "CMakeLists.txt" and not TEST.search(path):
            for problem in judge_uses(path, file.read_text(encoding="utf-8")):
                yield f"{path}: {problem}"


def main():
    src = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent) / "src"
    if not any(src.rglob("*.cc")):
        sys.exit(f"error: {src}: no sources")
    violations = list(find_violations(src))
    print("\n".join(violations) or f"{src}: the includes agree with the table of rooms")
    return int(bool(violations))


if __name__ == "__main__":
    sys.exit(main())
