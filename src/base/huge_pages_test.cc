#include "base/huge_pages.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/thread.h"

namespace ks {
namespace {

TEST(PreferHugePages, LeavesWhatWasAllocatedAsItIs) {
  Thread thread("huge-pages", [] {
    const std::string before(1000, 'a');
    PreferHugePages();
    std::vector<std::unique_ptr<std::string>> after;
    for (int i = 0; i < 40'000; ++i)
      after.push_back(std::make_unique<std::string>(100, static_cast<char>('a' + i % 26)));
    EXPECT_EQ(before, std::string(1000, 'a'));
    for (int i = 0; i < 40'000; ++i) ASSERT_EQ((*after[i])[99], static_cast<char>('a' + i % 26));
  });
}

}  // namespace
}  // namespace ks
