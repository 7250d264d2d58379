// The machine under the process: what the CPU can do, and how many of its cores we may use.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ks {

// Instruction sets that the CPU has and whose registers the operating system saves. All false off x86-64.
struct CpuFeatures {
  bool avx2 = false;
  bool fma = false;
  bool avx512f = false;
  bool avx512bw = false;
  bool avx512vl = false;
  bool avx512_vnni = false;
  bool amx_int8 = false;  // present; Linux still has to grant the tiles to each process that asks
};

// Asks the CPU; cheap, no files.
CpuFeatures DetectCpuFeatures();

// The names of the features that are there, in the spelling of /proc/cpuinfo: {"avx2", "fma", "avx512f", ...}.
std::vector<std::string_view> FeatureNames(const CpuFeatures& features);

// The CPU's own name, e.g. "AMD EPYC 9354 32-Core Processor"; "unknown CPU" where it does not say.
std::string CpuModelName();

// How many threads can make progress at the same time: min(CPUs in the affinity mask, cgroup quota rounded up), at
// least 1. Reads a few small files under /proc and the cgroup mounts; call it at start, not per request.
int EffectiveCores();

// --- The parts of EffectiveCores, pure, for tests ---

// The contents of a file, or nothing if it cannot be read.
using FileReader = std::function<std::optional<std::string>(const std::string& path)>;

// The CPU time per wall-clock time that the process' cgroups allow, e.g. 1.5; nothing where there is no limit. Looks at
// the process' own cgroup and at every one above it as far as they are mounted, in both hierarchies (v1 `cpu`, v2); the
// tightest limit counts. Files that are missing or unreadable, and numbers that make no sense, count as no limit.
std::optional<double> CgroupCpuLimit(const FileReader& read);

// "max 100000" -> nothing, "150000 100000" -> 1.5 (cpu.max, v2).
std::optional<double> ParseCpuMax(std::string_view text);

// cpu.cfs_quota_us and cpu.cfs_period_us (v1): a quota of -1 is no limit.
std::optional<double> ParseCfsQuota(std::string_view quota, std::string_view period);

// min(affinity, limit rounded up), at least 1.
int CoresWithin(int affinity, std::optional<double> limit);

}  // namespace ks
