#include "base/code_pages.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

namespace ks {
namespace {

// Resident bytes of the mapping of code that holds `address`.
long ResidentCode(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    char flags[5] = "";
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, flags) == 3) {
      const auto at = reinterpret_cast<unsigned long>(address);
      inside = begin <= at && at < end && flags[2] == 'x';
    } else if (long kilobytes = 0; inside && std::sscanf(line.c_str(), "Rss: %ld kB", &kilobytes) == 1) {
      return kilobytes * 1024;
    }
  }
  return -1;
}

TEST(DropCodePages, FreesALibraryThatWorksOn) {
  double (*volatile lgamma_of)(double) = std::lgamma;
  const double before = lgamma_of(7.5);
  const auto* const address = reinterpret_cast<const void*>(lgamma_of);
  const long resident = ResidentCode(address);
  ASSERT_GT(resident, 0);
  DropCodePages(address);
  EXPECT_LT(ResidentCode(address), resident);
  EXPECT_EQ(lgamma_of(7.5), before);
}

TEST(DropCodePages, LeavesWhatIsNoCodeAlone) {
  static int data = 5;
  DropCodePages(&data);
  DropCodePages(nullptr);
  EXPECT_EQ(data, 5);
}

}  // namespace
}  // namespace ks
