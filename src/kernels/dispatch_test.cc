#include "kernels/dispatch.h"

#include <algorithm>

#include "kernels/isa_test.h"

namespace ks {
namespace {

TEST(Dispatch, AlwaysHasTheScalarReferenceFirst) {
  const std::vector<IsaLevel> levels = SupportedIsas();
  ASSERT_FALSE(levels.empty());
  EXPECT_EQ(levels.front(), IsaLevel::kScalar);
  EXPECT_TRUE(std::is_sorted(levels.begin(), levels.end()));
  for (IsaLevel isa : levels) EXPECT_TRUE(IsSupported(isa)) << IsaName(isa);
}

TEST(Dispatch, ChoosesTheLastLevel) { EXPECT_EQ(BestIsa(), SupportedIsas().back()); }

TEST(Dispatch, SaysOfEachLevelWhatBecameOfIt) {
  const std::vector<std::pair<IsaLevel, IsaState>> states = TryIsas();
  ASSERT_EQ(states.size(), 5u);
  for (const auto& [isa, state] : states) {
    const IsaState lacking = isa == IsaLevel::kAvx512Amx ? IsaState::kEmulated : IsaState::kAbsent;
    EXPECT_EQ(state, IsSupported(isa) ? IsaState::kExecuted : lacking) << IsaName(isa) << " " << IsaStateName(state);
  }
}

TEST(Dispatch, GivesEachLevelItsOwnTable) {
  for (IsaLevel isa : SupportedIsas()) EXPECT_EQ(Kernels(isa).isa, isa) << IsaName(isa);
  EXPECT_EQ(BestKernels().isa, BestIsa());
}

TEST(Dispatch, NamesLevelsBothWays) {
  for (IsaLevel isa :
       {IsaLevel::kScalar, IsaLevel::kAvx2, IsaLevel::kAvx512, IsaLevel::kAvx512Vnni, IsaLevel::kAvx512Amx}) {
    EXPECT_EQ(IsaFromName(IsaName(isa)), isa);
  }
  EXPECT_EQ(IsaFromName("avx512"), IsaLevel::kAvx512);
  EXPECT_EQ(IsaFromName("AVX2"), std::nullopt);
  EXPECT_EQ(IsaFromName(""), std::nullopt);
}

}  // namespace
}  // namespace ks
