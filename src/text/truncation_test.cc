#include "text/truncation.h"

#include <gtest/gtest.h>

namespace ks {
namespace {

TEST(LongestFirst, CutsOnlyTheLongerWhereThatIsEnough) {
  EXPECT_EQ(LongestFirst({3, 4}, 7), (PairLengths{3, 4}));
  EXPECT_EQ(LongestFirst({3, 9}, 7), (PairLengths{3, 4}));
  EXPECT_EQ(LongestFirst({9, 3}, 7), (PairLengths{4, 3}));
  EXPECT_EQ(LongestFirst({0, 9}, 7), (PairLengths{0, 7}));
}

TEST(LongestFirst, SharesTheRoomBetweenLongOnes) {
  EXPECT_EQ(LongestFirst({20, 30}, 7), (PairLengths{3, 4}));
  EXPECT_EQ(LongestFirst({30, 20}, 7), (PairLengths{4, 3}));
  EXPECT_EQ(LongestFirst({20, 20}, 7), (PairLengths{3, 4}));
  EXPECT_EQ(LongestFirst({5, 6}, 7), (PairLengths{3, 4}));
}

TEST(LongestFirst, LeavesNothingWithoutRoom) { EXPECT_EQ(LongestFirst({5, 6}, 0), (PairLengths{0, 0})); }

}  // namespace
}  // namespace ks
