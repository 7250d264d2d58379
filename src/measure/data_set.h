// The texts of a validation.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ks {

inline constexpr int kNoLabel = -1;

// One row of the data.
struct Example {
  std::string text;      // valid UTF-8, not blank
  int label = kNoLabel;  // what it should be: an index into the model's labels
  int file = 0;          // an index into DataSet::files
  int64_t line = 0;      // where the row begins, from 1
};

struct DataFile {
  std::string name;
  int64_t rows = 0;  // that were read
  bool labelled = false;
};

struct DataSet {
  std::vector<DataFile> files;
  std::vector<Example> examples = {};  // those that are used, in the order of the files and their rows

  // Rows of all files together.
  int64_t rows() const;
};

// Keeps so many examples of a stream, in memory for those alone: the ones whose text has the smallest SHA-256. Which
// ones depends on the texts and not on the order of rows or files, and every row has the same chance.
class Sampler {
 public:
  // `limit` 0 keeps all.
  explicit Sampler(size_t limit) : limit_(limit) {}

  void Add(Example example);

  // The examples that were kept, in the order in which they came.
  std::vector<Example> Take() &&;

 private:
  struct Ranked {
    uint64_t hash;
    uint64_t arrival;
    Example example;
    bool operator<(const Ranked& other) const {
      return std::pair(hash, arrival) < std::pair(other.hash, other.arrival);
    }
  };

  const size_t limit_;
  uint64_t arrivals_ = 0;
  std::vector<Ranked> kept_;  // a heap, the largest in front, once there are `limit_`
};

}  // namespace ks
