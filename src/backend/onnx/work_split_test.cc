#include "backend/onnx/work_split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace ks {
namespace {

constexpr int64_t kTaskWork = 1000;

TEST(WorkSplit, CoversEachElementOnce) {
  for (const int threads : {1, 2, 3, 4, 7, 16}) {
    for (const int64_t rows : {0, 1, 5, 63, 64, 130, 513}) {
      for (const int64_t columns : {1, 3, 16, 33, 384}) {
        const WorkSplit split(rows, columns, 100, kTaskWork, threads);
        std::vector<int> seen(static_cast<size_t>(rows * columns));
        for (size_t i = 0; i < split.tasks(); ++i) {
          const WorkSplit::Task task = split.task(i);
          EXPECT_EQ(task.columns.begin % 16, 0);
          for (int64_t r = task.rows.begin; r < task.rows.end; ++r) {
            for (int64_t c = task.columns.begin; c < task.columns.end; ++c) ++seen[r * columns + c];
          }
        }
        EXPECT_EQ(std::ranges::count(seen, 1), rows * columns) << rows << " x " << columns << " on " << threads;
        EXPECT_GE(split.tasks(), 1u);
        EXPECT_LE(split.tasks(), static_cast<size_t>(threads));
      }
    }
  }
}

TEST(WorkSplit, CutsRowsWhereThereAreManyAndColumnsWhereThereAreFew) {
  const WorkSplit many(128, 384, 100, kTaskWork, 2);
  ASSERT_EQ(many.tasks(), 2u);
  EXPECT_EQ(many.task(0).rows.end, 64);
  EXPECT_EQ(many.task(0).columns.end, 384);
  const WorkSplit few(16, 384, 100, kTaskWork, 2);
  ASSERT_EQ(few.tasks(), 2u);
  EXPECT_EQ(few.task(0).rows.end, 16);
  EXPECT_EQ(few.task(0).columns.end, 192);
}

TEST(WorkSplit, UsesAllThreadsWhenRowsAloneDoNotDivide) {
  EXPECT_EQ(WorkSplit(200, 384, 100, kTaskWork, 4).tasks(), 4u);
}

TEST(WorkSplit, WakesNoThreadForLittleWork) {
  EXPECT_EQ(WorkSplit(1, 384, 1, kTaskWork, 8).tasks(), 1u);
  EXPECT_EQ(WorkSplit(10, 384, 1, kTaskWork, 8).tasks(), 3u);
}

}  // namespace
}  // namespace ks
