// Tested by uuid_test.cc.
#include "base/random.h"

#include <random>

namespace ks {
namespace {

std::mt19937_64 SeededGenerator() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
  return std::mt19937_64(seed);
}

}  // namespace

uint64_t RandomBits() {
  thread_local std::mt19937_64 generator = SeededGenerator();
  return generator();
}

}  // namespace ks
