// Containers limit CPU time by cgroup quota, which neither the affinity mask nor hardware_concurrency shows: a pod with
// `limits.cpu: 2` on a 64-core node would start 64 threads and be throttled. Tested by cpu_test.cc.
#include "base/cpu.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ks {
namespace {

// Splits at `separator`; empty pieces are kept.
std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const size_t end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

bool Contains(const std::vector<std::string_view>& pieces, std::string_view piece) {
  return std::find(pieces.begin(), pieces.end(), piece) != pieces.end();
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

// A positive number that fills the whole (trimmed) text.
std::optional<double> ParsePositive(std::string_view text) {
  text = Trim(text);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return static_cast<double>(value);
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8).ptr == text.data() + i + 4) {
      out.push_back(static_cast<char>(value));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

struct CgroupMount {
  bool v2 = false;
  std::string root;   // the cgroup that is mounted
  std::string point;  // where
};

// The mounts that carry CPU limits.
std::vector<CgroupMount> CpuMounts(std::string_view mountinfo) {
  std::vector<CgroupMount> mounts;
  for (std::string_view line : Split(mountinfo, '\n')) {
    // id parent major:minor root point options [tag..] - type source super_options
    const size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto left = Split(line.substr(0, dash), ' ');
    const auto right = Split(line.substr(dash + 3), ' ');
    if (left.size() < 6 || right.size() < 3) continue;
    const bool v2 = right[0] == "cgroup2";
    if (!v2 && !(right[0] == "cgroup" && Contains(Split(right[2], ','), "cpu"))) continue;
    mounts.push_back({v2, Unescape(left[3]), Unescape(left[4])});
  }
  return mounts;
}

// The process' cgroup in one hierarchy, from /proc/self/cgroup ("0::/path" or "4:cpu,cpuacct:/path").
std::optional<std::string_view> OwnCgroup(std::string_view proc_cgroup, bool v2) {
  for (std::string_view line : Split(proc_cgroup, '\n')) {
    const size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (v2 ? controllers.empty() : Contains(Split(controllers, ','), "cpu")) return line.substr(second + 1);
  }
  return std::nullopt;
}

// The directories of `cgroup` and of all above it under `mount`, the innermost first.
std::vector<std::string> Directories(const CgroupMount& mount, std::string_view cgroup) {
  std::string_view below = cgroup;
  // Without a cgroup namespace the mount shows a subtree, and the path names it from the top.
  if (mount.root != "/" && (cgroup == mount.root || cgroup.starts_with(mount.root + "/"))) {
    below.remove_prefix(mount.root.size());
  }
  // A path that leaves the namespace cannot be followed; the mount itself is then the best we know.
  if (below.starts_with("/..")) below = {};
  std::vector<std::string> directories;
  while (!below.empty() && below != "/") {
    directories.push_back(mount.point + std::string(below));
    below = below.substr(0, below.rfind('/'));
  }
  directories.push_back(mount.point);
  return directories;
}

std::optional<double> LimitOf(const std::string& directory, bool v2, const FileReader& read) {
  if (v2) {
    const auto max = read(directory + "/cpu.max");
    return max ? ParseCpuMax(*max) : std::nullopt;
  }
  const auto quota = read(directory + "/cpu.cfs_quota_us");
  const auto period = read(directory + "/cpu.cfs_period_us");
  return quota && period ? ParseCfsQuota(*quota, *period) : std::nullopt;
}

std::optional<std::string> ReadSmallFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

int AffinityCores() {
  // The mask may be longer than the 1024 CPUs of cpu_set_t: the kernel refuses a shorter one.
  for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {
    const auto free_set = [](cpu_set_t* set) { CPU_FREE(set); };
    const std::unique_ptr<cpu_set_t, decltype(free_set)> set(CPU_ALLOC(cpus), free_set);
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    if (sched_getaffinity(0, bytes, set.get()) == 0) return std::max(1, CPU_COUNT_S(bytes, set.get()));
    if (errno != EINVAL) break;
  }
  return 1;
}

}  // namespace

CpuFeatures DetectCpuFeatures() {
  CpuFeatures features;
#if defined(__x86_64__)
  __builtin_cpu_init();
  features.avx2 = __builtin_cpu_supports("avx2");
  features.fma = __builtin_cpu_supports("fma");
  features.avx512f = __builtin_cpu_supports("avx512f");
  features.avx512bw = __builtin_cpu_supports("avx512bw");
  features.avx512vl = __builtin_cpu_supports("avx512vl");
  features.avx512_vnni = __builtin_cpu_supports("avx512vnni");

  // g++ 12 does not know AMX by name: CPUID for the CPU, XCR0 for the operating system.
  constexpr unsigned kAmxTile = 1u << 24;
  constexpr unsigned kAmxInt8 = 1u << 25;
  constexpr unsigned kOsXsave = 1u << 27;
  constexpr unsigned kTileState = 3u << 17;
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool xgetbv = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & kOsXsave) != 0;
  if (xgetbv && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kAmxTile) != 0 && (d & kAmxInt8) != 0) {
    unsigned low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    features.amx_int8 = (low & kTileState) == kTileState;
  }
#endif
  return features;
}

std::vector<std::string_view> FeatureNames(const CpuFeatures& features) {
  std::vector<std::string_view> names;
  if (features.avx2) names.push_back("avx2");
  if (features.fma) names.push_back("fma");
  if (features.avx512f) names.push_back("avx512f");
  if (features.avx512bw) names.push_back("avx512bw");
  if (features.avx512vl) names.push_back("avx512vl");
  if (features.avx512_vnni) names.push_back("avx512_vnni");
  if (features.amx_int8) names.push_back("amx_int8");
  return names;
}

std::string CpuModelName() {
#if defined(__x86_64__)
  constexpr unsigned kBrand = 0x80000002;  // three leaves of 16 characters each
  char brand[3 * 16 + 1] = {};
  if (__get_cpuid_max(0x80000000, nullptr) >= kBrand + 2) {
    for (unsigned leaf = 0; leaf < 3; ++leaf) {
      unsigned registers[4] = {};
      __get_cpuid(kBrand + leaf, &registers[0], &registers[1], &registers[2], &registers[3]);
      std::memcpy(brand + leaf * sizeof(registers), registers, sizeof(registers));
    }
  }
  const std::string_view name = Trim(brand);
  if (!name.empty()) return std::string(name);
#endif
  return "unknown CPU";
}

std::optional<double> ParseCpuMax(std::string_view text) {
  const auto fields = Split(Trim(text), ' ');
  return fields.size() == 2 ? ParseCfsQuota(fields[0], fields[1]) : std::nullopt;
}

std::optional<double> ParseCfsQuota(std::string_view quota, std::string_view period) {
  const auto quota_us = ParsePositive(quota);
  const auto period_us = ParsePositive(period);
  if (!quota_us || !period_us) return std::nullopt;
  return *quota_us / *period_us;
}

std::optional<double> CgroupCpuLimit(const FileReader& read) {
  const auto own = read("/proc/self/cgroup");
  const auto mountinfo = read("/proc/self/mountinfo");
  if (!own || !mountinfo) return std::nullopt;
  std::optional<double> tightest;
  for (const CgroupMount& mount : CpuMounts(*mountinfo)) {
    const auto cgroup = OwnCgroup(*own, mount.v2);
    if (!cgroup) continue;
    for (const std::string& directory : Directories(mount, *cgroup)) {
      const auto limit = LimitOf(directory, mount.v2, read);
      if (limit && (!tightest || *limit < *tightest)) tightest = limit;
    }
  }
  return tightest;
}

int CoresWithin(int affinity, std::optional<double> limit) {
  double cores = std::max(1, affinity);
  if (limit) cores = std::min(cores, std::ceil(*limit));
  return std::max(1, static_cast<int>(cores));
}

int EffectiveCores() { return CoresWithin(AffinityCores(), CgroupCpuLimit(ReadSmallFile)); }

}  // namespace ks
