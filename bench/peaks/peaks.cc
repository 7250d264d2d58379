// What the cores can do at most, measured now; bench/bars.py makes the bounds of docs/speed.md from it.
//
//   peaks [INT8_BIN..]
//
// Peaks are those of one core: byte products on registers alone. Reading walks the packed matrices of each int8.bin over
// and over as the kernels find them, in a shared mapping of the page cache: by one core, and by all that this process may
// use at the same time. Each figure is the best of several rounds. Prints one JSON object: "gops" by instruction set
// (billions of multiplications and additions a second; null where the CPU lacks it or Linux refuses it), "cores", and
// for each file in "weights" its bytes and the GB/s of all readers together, by how many there are.
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/json_writer.h"
#include "base/mapped_file.h"
#include "checkpoint/safetensors.h"
#include "kernels/peaks_testing.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRounds = 5;
constexpr std::chrono::milliseconds kRound(200);
constexpr int kDecimals = 2;

double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// The cores of this process' affinity mask.
std::vector<int> Cores() {
  cpu_set_t set;
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return {0};
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

void StayOn(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

// The best of kRounds rounds of `work`, which does `amount` at a call, in amounts a second.
template <typename Work>
double BestRate(double amount, Work work) {
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Clock::now();
    double done = 0;
    Clock::duration elapsed{};
    for (; elapsed < kRound; elapsed = Clock::now() - start) {
      work();
      done += amount;
    }
    best = std::max(best, done / Seconds(elapsed));
  }
  return best;
}

#if defined(__x86_64__)
constexpr int kSums = 12;  // enough to hide the latency

std::optional<double> Gops(bool supported, int products, void (*work)()) {
  if (!supported) return std::nullopt;
  return BestRate(2.0 * products * kSums * ks::kProductRounds, work) * 1e-9;
}

// Six sums, twice: the two registers left are the factors.
void TileProducts() {
  for (int round = 0; round < ks::kProductRounds; ++round) {
    asm volatile(
        ".irp sum, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5\n"
        "tdpbusd %%tmm7, %%tmm6, %%tmm\\sum\n"
        ".endr" ::);
  }
}

// Linux grants the tiles to a process that asks before it starts a thread.
std::optional<double> AmxGops() {
  constexpr long kAskForExtendedState = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  constexpr unsigned kTiles = 1U << 24, kInt8 = 1U << 25;
  if ((edx & kTiles) == 0 || (edx & kInt8) == 0) return std::nullopt;
  if (syscall(SYS_arch_prctl, kAskForExtendedState, kTileData) != 0) return std::nullopt;
  struct alignas(64) {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } shapes;
  asm volatile("ldtilecfg %0" ::"m"(shapes));
  const std::optional<double> gops = Gops(true, 16 * 16 * 64, TileProducts);
  asm volatile("tilerelease");
  return gops;
}

// Of one core, by instruction set, in the names of `--isa`.
std::vector<std::pair<std::string, std::optional<double>>> Peaks() {
  return {{"avx2", Gops(__builtin_cpu_supports("avx2"), 32, ks::Avx2Products<kSums>)},
          {"avx512", Gops(__builtin_cpu_supports("avx512bw"), 64, ks::Avx512Products<kSums>)},
          {"avx512vnni", Gops(__builtin_cpu_supports("avx512vnni"), 64, ks::VnniProducts<kSums>)},
          {"amx", AmxGops()}};
}
#else
std::vector<std::pair<std::string, std::optional<double>>> Peaks() { return {}; }
#endif

using Matrices = std::vector<std::span<const std::byte>>;

size_t Bytes(const Matrices& matrices) {
  size_t bytes = 0;
  for (const auto matrix : matrices) bytes += matrix.size();
  return bytes;
}

// GB/s of all `cores` together, each over all matrices, from its own place on.
double ReadingGbps(const Matrices& matrices, std::span<const int> cores) {
  std::atomic<size_t> waiting = cores.size();
  std::atomic<double> sum = 0;
  std::vector<std::thread> readers;
  for (size_t i = 0; i < cores.size(); ++i) {
    readers.emplace_back([&, i] {
      StayOn(cores[i]);
      const size_t first = i * matrices.size() / cores.size();
      const auto walk = [&] {
        for (size_t j = 0; j < matrices.size(); ++j) ks::ReadBytes(matrices[(first + j) % matrices.size()]);
      };
      walk();
      for (--waiting; waiting > 0;) std::this_thread::yield();
      sum += BestRate(static_cast<double>(Bytes(matrices)) * 1e-9, walk);
    });
  }
  for (std::thread& reader : readers) reader.join();
  return sum;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "peaks: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<int> cores = Cores();
  ks::JsonWriter json;
  json.BeginObject().Key("gops").BeginObject();
  for (const auto& [isa, gops] : Peaks()) {
    json.Key(isa);
    gops ? json.Fixed(*gops, kDecimals) : json.Null();
  }
  json.EndObject().Key("cores").Int(static_cast<int64_t>(cores.size())).Key("weights").BeginArray();
  for (int i = 1; i < argc; ++i) {
    const auto file = ks::MappedFile::Open(argv[i]);
    if (!file.ok()) return Fail(file.status());
    const auto tensors = ks::ReadSafetensors(file->bytes(), argv[i]);
    if (!tensors.ok()) return Fail(tensors.status());
    Matrices matrices;
    for (const ks::TensorView& tensor : *tensors) {
      if (tensor.name.ends_with(".packed")) matrices.push_back(tensor.bytes);
    }
    if (matrices.empty())
      return Fail(absl::NotFoundError(std::string(argv[i]) + ": expected packed matrices, found none"));
    json.BeginObject().Key("file").String(argv[i]).Key("bytes").Int(static_cast<int64_t>(Bytes(matrices)));
    json.Key("gbps").BeginObject();
    for (size_t readers = 1; readers <= cores.size(); ++readers) {
      json.Key(std::to_string(readers)).Fixed(ReadingGbps(matrices, std::span(cores).first(readers)), kDecimals);
    }
    json.EndObject().EndObject();
  }
  json.EndArray().EndObject();
  std::puts(json.text().c_str());
  return 0;
}
