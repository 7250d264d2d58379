"""What the numbers stand on."""
import json
import platform
import subprocess
import time


def busy_share(seconds=1.0):
    """How busy the machine is with other things: the share of its time that was not idle while nothing of ours ran."""
    def times():
        with open("/proc/stat", encoding="utf-8") as file:
            fields = [int(field) for field in file.readline().split()[1:]]
        return fields[3] + fields[4], sum(fields)

    idle, everything = times()
    time.sleep(seconds)
    idle_after, everything_after = times()
    return 1 - (idle_after - idle) / max(everything_after - everything, 1)


def vnni_gops(root, out):
    """The peak of the CPU's int8 instruction on one core, from our own loop, measured now; None where there is none."""
    program = root / "build/dev/src/kernels/kernels_benchmark"
    if not program.exists():
        return None
    out.unlink(missing_ok=True)
    subprocess.run([program, "--benchmark_filter=VnniPeak", "--benchmark_repetitions=3", "--benchmark_min_time=0.3",
                    f"--benchmark_out={out}", "--benchmark_out_format=json"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=60)
    rows = json.loads(out.read_text())["benchmarks"] if out.exists() and out.stat().st_size > 0 else []
    return max((row["GOP/s"] for row in rows if "GOP/s" in row), default=None)


def commit(root):
    """Of the sources, with a + where they differ from it; "unknown" without git."""
    def git(*arguments):
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "--", "src", "bench", "models") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def describe(root, work, cores):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        lines = file.read().splitlines()
    value = lambda name: next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "unknown")  # noqa: E731
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(file.readline().split()[1]) * 1024
    sets = [flag for flag in ("avx2", "avx512_vnni", "avx512_bf16", "amx_int8") if flag in value("flags").split()]
    return {"cpu": value("model name"), "sets": sets, "cores": cores, "memory_bytes": memory, "kernel": platform.release().partition("-")[0],
            "python": platform.python_version(), "date": time.strftime("%Y-%m-%d"), "vnni_gops": vnni_gops(root, work / "peak.json")}
