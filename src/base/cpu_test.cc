#include "base/cpu.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace ks {
namespace {

// A file system that is a map.
FileReader Files(std::map<std::string, std::string> files) {
  return [files = std::move(files)](const std::string& path) -> std::optional<std::string> {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
}

constexpr char kMountV2[] = "30 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr char kMountV1[] =
    "28 24 0:25 / /proc rw - proc proc rw\n"
    "31 24 0:27 /docker/ab12 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    "32 24 0:28 /docker/ab12 /sys/fs/cgroup/cpu,cpuacct ro master:15 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 24 0:29 / /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset\n";

TEST(CpuQuota, ReadsCpuMax) {
  EXPECT_EQ(ParseCpuMax("150000 100000\n"), 1.5);
  EXPECT_EQ(ParseCpuMax("50000 100000"), 0.5);
  EXPECT_EQ(ParseCpuMax("max 100000\n"), std::nullopt);
  EXPECT_EQ(ParseCpuMax(""), std::nullopt);
  EXPECT_EQ(ParseCpuMax("150000"), std::nullopt);
  EXPECT_EQ(ParseCpuMax("150000 0"), std::nullopt);
  EXPECT_EQ(ParseCpuMax("15x 100000"), std::nullopt);
}

TEST(CpuQuota, ReadsCfsQuota) {
  EXPECT_EQ(ParseCfsQuota("200000\n", "100000\n"), 2.0);
  EXPECT_EQ(ParseCfsQuota("-1\n", "100000\n"), std::nullopt);
  EXPECT_EQ(ParseCfsQuota("200000\n", ""), std::nullopt);
}

TEST(CpuQuota, TakesTheTightestOfNestedCgroupsV2) {
  const auto read = Files({{"/proc/self/cgroup", "0::/kubepods.slice/pod7/main\n"},
                           {"/proc/self/mountinfo", kMountV2},
                           {"/sys/fs/cgroup/kubepods.slice/pod7/main/cpu.max", "max 100000\n"},
                           {"/sys/fs/cgroup/kubepods.slice/pod7/cpu.max", "250000 100000\n"},
                           {"/sys/fs/cgroup/kubepods.slice/cpu.max", "800000 100000\n"}});
  EXPECT_EQ(CgroupCpuLimit(read), 2.5);
}

TEST(CpuQuota, ReadsTheMountItselfInsideACgroupNamespace) {
  const auto read = Files({{"/proc/self/cgroup", "0::/\n"},
                           {"/proc/self/mountinfo", kMountV2},
                           {"/sys/fs/cgroup/cpu.max", "50000 100000\n"}});
  EXPECT_EQ(CgroupCpuLimit(read), 0.5);
}

TEST(CpuQuota, FallsBackToTheMountWhenThePathLeavesTheNamespace) {
  const auto read = Files({{"/proc/self/cgroup", "0::/../other\n"},
                           {"/proc/self/mountinfo", kMountV2},
                           {"/sys/fs/cgroup/cpu.max", "300000 100000\n"}});
  EXPECT_EQ(CgroupCpuLimit(read), 3.0);
}

TEST(CpuQuota, FollowsTheMountedSubtreeOfV1) {
  const auto read = Files({{"/proc/self/cgroup", "5:memory:/docker/ab12\n4:cpu,cpuacct:/docker/ab12/job\n3:cpuset:/\n"},
                           {"/proc/self/mountinfo", kMountV1},
                           {"/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n"},
                           {"/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n"},
                           {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "120000\n"},
                           {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"},
                           // Of another controller: must not be looked at.
                           {"/sys/fs/cgroup/cpuset/cpu.cfs_quota_us", "10000\n"},
                           {"/sys/fs/cgroup/cpuset/cpu.cfs_period_us", "100000\n"}});
  EXPECT_EQ(CgroupCpuLimit(read), 1.2);
}

TEST(CpuQuota, UsesWhicheverHierarchyHasTheLimitWhenBothAreMounted) {
  const std::string mounts = std::string(kMountV1) + "34 24 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  const auto read = Files({{"/proc/self/cgroup", "4:cpu,cpuacct:/docker/ab12\n0::/system.slice\n"},
                           {"/proc/self/mountinfo", mounts},
                           {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000\n"},
                           {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"},
                           {"/sys/fs/cgroup/unified/system.slice/cpu.max", "300000 100000\n"}});
  EXPECT_EQ(CgroupCpuLimit(read), 3.0);
}

TEST(CpuQuota, UnescapesMountPoints) {
  const auto read = Files({{"/proc/self/cgroup", "0::/\n"},
                           {"/proc/self/mountinfo", "30 24 0:26 / /mnt/my\\040groups rw - cgroup2 none rw\n"},
                           {"/mnt/my groups/cpu.max", "100000 100000\n"}});
  EXPECT_EQ(CgroupCpuLimit(read), 1.0);
}

TEST(CpuQuota, IsAbsentWithoutFilesOrLimits) {
  EXPECT_EQ(CgroupCpuLimit(Files({})), std::nullopt);
  EXPECT_EQ(
      CgroupCpuLimit(Files({{"/proc/self/cgroup", "garbage\n\n:\n"}, {"/proc/self/mountinfo", "- \n30 - cgroup2\n"}})),
      std::nullopt);
  EXPECT_EQ(CgroupCpuLimit(Files({{"/proc/self/cgroup", "0::/a\n"}, {"/proc/self/mountinfo", kMountV2}})),
            std::nullopt);
}

TEST(CpuCores, RoundsTheQuotaUpWithinTheAffinity) {
  EXPECT_EQ(CoresWithin(8, std::nullopt), 8);
  EXPECT_EQ(CoresWithin(8, 1.5), 2);
  EXPECT_EQ(CoresWithin(8, 2.0), 2);
  EXPECT_EQ(CoresWithin(8, 0.1), 1);
  EXPECT_EQ(CoresWithin(2, 64.0), 2);
  EXPECT_EQ(CoresWithin(0, std::nullopt), 1);
}

TEST(CpuCores, AreAtLeastOneHere) { EXPECT_GE(EffectiveCores(), 1); }

TEST(CpuFeaturesTest, NamesWhatIsThere) {
  CpuFeatures features;
  EXPECT_TRUE(FeatureNames(features).empty());
  features.avx2 = true;
  features.avx512_vnni = true;
  EXPECT_EQ(FeatureNames(features), (std::vector<std::string_view>{"avx2", "avx512_vnni"}));
}

TEST(CpuFeaturesTest, HaveWhatTheLargerSetsImply) {
  const CpuFeatures features = DetectCpuFeatures();
  if (features.avx512f) {
    EXPECT_TRUE(features.avx2 && features.fma);
  }
  if (features.amx_int8) {
    EXPECT_TRUE(features.avx512f);
  }
  EXPECT_FALSE(CpuModelName().empty());
}

}  // namespace
}  // namespace ks
