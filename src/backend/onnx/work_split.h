// Cuts a matrix of results into tasks for the threads of a session. Private to backend/onnx.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace ks {

// Tasks are rectangles: runs of rows where there are many rows, of columns where there are few (each task then reads
// its own part of the weights). No more tasks than threads, and none that is not worth waking a thread for; a matrix
// without elements is one task without rows.
class WorkSplit {
 public:
  struct Range {
    int64_t begin;
    int64_t end;
    int64_t size() const { return end - begin; }
  };
  struct Task {
    Range rows;
    Range columns;
  };

  // Each element costs `element_work`, a task at least about `task_work`. Columns are cut at multiples of
  // `column_step`.
  WorkSplit(int64_t rows, int64_t columns, int64_t element_work, int64_t task_work, int threads,
            int64_t column_step = 16)
      : rows_(rows), columns_(columns), step_(column_step) {
    const int64_t steps = (columns + step_ - 1) / step_;
    const int64_t wanted = std::clamp<int64_t>(rows * columns * element_work / task_work, 1, threads);
    if (steps <= 1) {  // there are no columns to cut
      row_parts_ = std::clamp<int64_t>(rows, 1, wanted);
      return;
    }
    row_parts_ = std::clamp<int64_t>(rows / kLeastRows, 1, wanted);
    while (wanted % row_parts_ != 0) --row_parts_;
    column_parts_ = std::min(wanted / row_parts_, steps);
  }

  size_t tasks() const { return static_cast<size_t>(row_parts_ * column_parts_); }

  Task task(size_t index) const {
    const int64_t row = static_cast<int64_t>(index) / column_parts_;
    const int64_t column = static_cast<int64_t>(index) % column_parts_;
    const int64_t steps = (columns_ + step_ - 1) / step_;
    const Range cut = Part(steps, column_parts_, column);
    return {Part(rows_, row_parts_, row), {cut.begin * step_, std::min(cut.end * step_, columns_)}};
  }

 private:
  // Rows of a task below which columns are cut instead: fewer would read all the weights for little work.
  static constexpr int64_t kLeastRows = 64;

  static Range Part(int64_t size, int64_t parts, int64_t index) {
    return {size * index / parts, size * (index + 1) / parts};
  }

  int64_t rows_, columns_, step_;
  int64_t row_parts_ = 1, column_parts_ = 1;
};

}  // namespace ks
