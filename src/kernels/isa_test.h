// The test fixture of the kernels: every case runs on every instruction set that this machine has.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/dispatch.h"
#include "kernels/emulated_isas.h"
#include "kernels/kernels_testing.h"

namespace ks {

//   class Linear : public IsaTest {};
//   INSTANTIATE_TEST_SUITE_P(Isas, Linear, testing::ValuesIn(SupportedIsas()), IsaTestName);
class IsaTest : public testing::TestWithParam<IsaLevel> {
 protected:
  const KernelTable& kernels() const { return Kernels(GetParam()); }
  const KernelTable& reference() const { return Kernels(IsaLevel::kScalar); }
};

// As IsaTest, with the sets that are emulated beside those of this machine.
//
//   INSTANTIATE_TEST_SUITE_P(Isas, Linear, testing::ValuesIn(TestedTables()), TableTestName);
class TableTest : public testing::TestWithParam<const KernelTable*> {
 protected:
  const KernelTable& kernels() const { return *GetParam(); }
  const KernelTable& reference() const { return Kernels(IsaLevel::kScalar); }
};

inline std::vector<const KernelTable*> TestedTables() {
  std::vector<const KernelTable*> tables;
  for (const IsaLevel isa : SupportedIsas()) tables.push_back(&Kernels(isa));
  tables.push_back(&EmulatedAmxKernels());
  for (const KernelTable* const table : kEmulatedOverAvx2) {
    if (table != nullptr && IsSupported(IsaLevel::kAvx2)) tables.push_back(table);
  }
  return tables;
}

inline std::string TableTestName(const testing::TestParamInfo<const KernelTable*>& info) {
  const KernelTable* const table = info.param;
  const bool executed = IsSupported(table->isa) && table == &Kernels(table->isa);
  const char* const emulated = table == &EmulatedAmxKernels() ? "_emulated_over_scalar" : "_emulated_over_avx2";
  return std::string(IsaName(table->isa)) + (executed ? "" : emulated);
}

inline void PrintTo(IsaLevel isa, std::ostream* out) { *out << IsaName(isa); }
inline void PrintTo(const KernelTable* table, std::ostream* out) { *out << IsaName(table->isa); }

inline std::string IsaTestName(const testing::TestParamInfo<IsaLevel>& info) {
  return std::string(IsaName(info.param));
}

}  // namespace ks
