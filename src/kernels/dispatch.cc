// Chooses the instruction set once. Tested by dispatch_test.cc.
#include "kernels/dispatch.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "kernels/kernel_table.h"

namespace ks {
namespace {

constexpr struct {
  IsaLevel isa;
  std::string_view name;
} kNames[] = {{IsaLevel::kScalar, "scalar"},
              {IsaLevel::kAvx2, "avx2"},
              {IsaLevel::kAvx512, "avx512"},
              {IsaLevel::kAvx512Vnni, "avx512vnni"},
              {IsaLevel::kAvx512Amx, "amx"}};

#if defined(__x86_64__)
// True where the CPU has int8 tiles and Linux, asked for them, lends them.
bool AskForTiles() {
#if defined(__linux__)
  constexpr unsigned kAmxTile = 1u << 24;
  constexpr unsigned kAmxInt8 = 1u << 25;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kAmxTile) == 0 || (d & kAmxInt8) == 0) return false;
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM of asm/prctl.h
  constexpr int kTileData = 18;               // the state component
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

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
    case IsaLevel::kAvx512Amx: {
      static const bool lent = IsSupported(IsaLevel::kAvx512Vnni) && AskForTiles();
      return lent;
    }
#else
    case IsaLevel::kAvx2:
    case IsaLevel::kAvx512:
    case IsaLevel::kAvx512Vnni:
    case IsaLevel::kAvx512Amx:
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
    case IsaLevel::kAvx512Amx:
      return kAmxKernels;
#endif
    default:
      return kScalarKernels;
  }
}

const KernelTable& BestKernels() { return Kernels(BestIsa()); }

const KernelTable& EmulatedAmxKernels() { return kEmulatedAmxKernels; }

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
