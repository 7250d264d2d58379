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


def vnni_gops(peaks):
    """The peak of the CPU's int8 instruction on one core, from bench/peaks, measured now; None where there is none."""
    return json.loads(subprocess.run([peaks], capture_output=True, check=True, timeout=60).stdout)["gops"].get("avx512vnni")


def commit(root):
    """Of the sources, with a + where they differ from it; "unknown" without git."""
    def git(*arguments):
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "--", "src", "bench", "models") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def describe(peaks, cores):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        lines = file.read().splitlines()
    value = lambda name: next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "unknown")  # noqa: E731
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(file.readline().split()[1]) * 1024
    sets = [flag for flag in ("avx2", "avx512_vnni", "avx512_bf16", "amx_int8") if flag in value("flags").split()]
    return {"cpu": value("model name"), "sets": sets, "cores": cores, "memory_bytes": memory, "kernel": platform.release().partition("-")[0],
            "python": platform.python_version(), "date": time.strftime("%Y-%m-%d"), "vnni_gops": vnni_gops(peaks)}
