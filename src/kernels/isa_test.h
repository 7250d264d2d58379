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

// As IsaTest, for what tiles compute: the emulated ones stand beside the levels.
//
//   INSTANTIATE_TEST_SUITE_P(Isas, Int8Linear, testing::ValuesIn(TablesWithTiles()), TableTestName);
class TileTest : public testing::TestWithParam<const KernelTable*> {
 protected:
  const KernelTable& kernels() const { return *GetParam(); }
  const KernelTable& reference() const { return Kernels(IsaLevel::kScalar); }
};

inline std::vector<const KernelTable*> TablesWithTiles() {
  std::vector<const KernelTable*> tables;
  for (const IsaLevel isa : SupportedIsas()) tables.push_back(&Kernels(isa));
  tables.push_back(&EmulatedAmxKernels());
  return tables;
}

inline std::string TableTestName(const testing::TestParamInfo<const KernelTable*>& info) {
  return std::string(IsaName(info.param->isa)) + (info.param == &EmulatedAmxKernels() ? "_emulated" : "");
}

inline void PrintTo(IsaLevel isa, std::ostream* out) { *out << IsaName(isa); }

inline std::string IsaTestName(const testing::TestParamInfo<IsaLevel>& info) {
  return std::string(IsaName(info.param));
}

}  // namespace ks
