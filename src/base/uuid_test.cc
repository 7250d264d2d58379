#include "base/uuid.h"

#include <gtest/gtest.h>

#include <set>

namespace ks {
namespace {

TEST(Uuid, IsOfVersionFourAndUnique) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = NewUuid4();
    EXPECT_TRUE(IsUuid(id)) << id;
    EXPECT_EQ(id[14], '4');
    EXPECT_TRUE(id[19] == '8' || id[19] == '9' || id[19] == 'a' || id[19] == 'b') << id;
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(Uuid, KnowsWhatIsNone) {
  EXPECT_TRUE(IsUuid("00000000-0000-0000-0000-000000000000"));
  EXPECT_FALSE(IsUuid(""));
  EXPECT_FALSE(IsUuid("00000000-0000-0000-0000-00000000000g"));
  EXPECT_FALSE(IsUuid("0000000000000-0000-0000-000000000000"));
}

}  // namespace
}  // namespace ks
