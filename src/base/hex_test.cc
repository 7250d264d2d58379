#include "base/hex.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace ks {
namespace {

TEST(Hex, WritesTwoLowerCaseDigitsAByte) {
  EXPECT_EQ(ToHex({}), "");
  EXPECT_EQ(ToHex(std::vector<uint8_t>{0x00, 0x1f, 0xa0, 0xff}), "001fa0ff");
}

TEST(Hex, ReadsDigitsOfEitherCaseAndNothingElse) {
  for (int c = 0; c < 256; ++c) {
    const size_t lower = std::string_view("0123456789abcdef").find(static_cast<char>(c));
    const size_t upper = std::string_view("0123456789ABCDEF").find(static_cast<char>(c));
    const size_t value = std::min(lower, upper);
    EXPECT_EQ(HexDigitValue(static_cast<char>(c)), value == std::string_view::npos ? -1 : static_cast<int>(value)) << c;
  }
}

}  // namespace
}  // namespace ks
