// The test fixture of the kernels: every case runs on every instruction set that this machine has.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/dispatch.h"
#include "kernels/kernels_testing.h"

namespace ks {

//   class Linear : public IsaTest {};
//   INSTANTIATE_TEST_SUITE_P(Isas, Linear, testing::ValuesIn(SupportedIsas()), IsaTestName);
class IsaTest : public testing::TestWithParam<IsaLevel> {
 protected:
  const KernelTable& kernels() const { return Kernels(GetParam()); }
  const KernelTable& reference() const { return Kernels(IsaLevel::kScalar); }
};

inline void PrintTo(IsaLevel isa, std::ostream* out) { *out << IsaName(isa); }

inline std::string IsaTestName(const testing::TestParamInfo<IsaLevel>& info) {
  return std::string(IsaName(info.param));
}

}  // namespace ks
