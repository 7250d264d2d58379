// Chooses the instruction set once. Tested by dispatch_test.cc.
#include "kernels/dispatch.h"

#include "kernels/kernel_table.h"

namespace ks {
namespace {

constexpr struct {
  IsaLevel isa;
  std::string_view name;
} kNames[] = {{IsaLevel::kScalar, "scalar"},
              {IsaLevel::kAvx2, "avx2"},
              {IsaLevel::kAvx512, "avx512"},
              {IsaLevel::kAvx512Vnni, "avx512vnni"}};

}  // namespace

bool IsSupported(IsaLevel isa) {
  switch (isa) {
    case IsaLevel::kScalar:
      return true;
#if defined(__x86_64__)
    // These ask the operating system too (XCR0).
    case IsaLevel::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    case IsaLevel::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && IsSupported(IsaLevel::kAvx2);
    case IsaLevel::kAvx512Vnni:
      return __builtin_cpu_supports("avx512vnni") && IsSupported(IsaLevel::kAvx512);
#else
    case IsaLevel::kAvx2:
    case IsaLevel::kAvx512:
    case IsaLevel::kAvx512Vnni:
      return false;
#endif
  }
  return false;
}

std::vector<IsaLevel> SupportedIsas() {
  std::vector<IsaLevel> levels;
  for (const auto& [isa, name] : kNames) {
    if (IsSupported(isa)) levels.push_back(isa);
  }
  return levels;
}

IsaLevel BestIsa() {
  static const IsaLevel best = SupportedIsas().back();
  return best;
}

const KernelTable& Kernels(IsaLevel isa) {
  switch (isa) {
#if defined(__x86_64__)
    case IsaLevel::kAvx2:
      return kAvx2Kernels;
    case IsaLevel::kAvx512:
      return kAvx512Kernels;
    case IsaLevel::kAvx512Vnni:
      return kAvx512VnniKernels;
#endif
    default:
      return kScalarKernels;
  }
}

const KernelTable& BestKernels() { return Kernels(BestIsa()); }

std::string_view IsaName(IsaLevel isa) {
  for (const auto& [level, name] : kNames) {
    if (level == isa) return name;
  }
  return "unknown";
}

std::optional<IsaLevel> IsaFromName(std::string_view name) {
  for (const auto& [level, level_name] : kNames) {
    if (level_name == name) return level;
  }
  return std::nullopt;
}

}  // namespace ks
