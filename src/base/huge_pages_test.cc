#include "base/huge_pages.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/thread.h"

namespace ks {
namespace {

// The flags of the mapping that holds `address`, as /proc/self/smaps has them ("rd wr mr .. hg ").
std::string MappingFlags(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      const auto at = reinterpret_cast<uintptr_t>(address);
      here = begin <= at && at < end;
    }
    if (here && line.starts_with("VmFlags:")) return line.substr(sizeof("VmFlags:") - 1);
  }
  return "";
}

TEST(PreferHugePages, LeavesWhatWasAllocatedAsItIs) {
  Thread thread("huge-pages", [] {
    const std::string before(1000, 'a');
    const PreferHugePages prefer;
    std::vector<std::unique_ptr<std::string>> after;
    for (int i = 0; i < 40'000; ++i)
      after.push_back(std::make_unique<std::string>(100, static_cast<char>('a' + i % 26)));
    EXPECT_EQ(before, std::string(1000, 'a'));
    for (int i = 0; i < 40'000; ++i) ASSERT_EQ((*after[i])[99], static_cast<char>('a' + i % 26));
  });
}

TEST(PreferHugePages, EndsWithTheObject) {
  Thread thread("huge-pages", [] {
    const auto mine = std::make_unique<char[]>(64);
    {
      const PreferHugePages prefer;
      const bool offered = std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled").good();
      EXPECT_EQ(MappingFlags(mine.get()).find(" hg") != std::string::npos, offered);
    }
    const std::string flags = MappingFlags(mine.get());
    EXPECT_NE(flags, "");
    EXPECT_EQ(flags.find(" hg"), std::string::npos) << flags;
  });
}

}  // namespace
}  // namespace ks
