// Planted: reads past its input behind three bytes that a fuzzer has to find. libFuzzer must find them within seconds,
// and the replay of fuzz_crash.input, which holds them, must fail.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace {

// Keeps the compiler from dropping the read.
volatile uint8_t sink = 0;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3 || data[0] != 'B' || data[1] != 'U' || data[2] != 'G') return 0;
  const auto copy = std::make_unique<uint8_t[]>(size);
  std::memcpy(copy.get(), data, size);
  sink = copy[size];
  return 0;
}
