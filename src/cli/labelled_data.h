// The rows of `--data` as the examples of a validation.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "measure/data_set.h"

namespace ks {

struct LabelledDataOptions {
  std::vector<std::string> files;  // read as `predict` reads its input, the format by extension
  std::optional<std::string> text_column = {};
  std::optional<std::string> label_column = {};
  bool header = true;
  bool label_ids = false;           // labels are numbers from 0, not names
  std::vector<std::string> labels;  // the model's
  std::vector<int> classes = {};    // the only ones that may be given, by index; empty: all
  size_t samples = 0;               // how many rows to keep of all files together (Sampler); 0: all
  // Told of the bytes read of the file being read, of its total, and of the rows of all so far.
  std::function<void(int64_t bytes, int64_t total_bytes, int64_t rows)> progress = {};
};

// Reads all files. Memory holds the rows that are kept, and one more. A file without a label column is unlabelled.
//
// A gate over data that is half read is no gate, so the first bad row is an error. Errors, naming file and line:
//   kInvalidArgument  a column is missing (listing those there are); plain text with --label-column
//   kDataLoss         a row that cannot be scored or whose label is none of the model's (or of `classes`); a file
//                     without rows; labelled files in which one label alone occurs, so that accuracy says nothing
//   otherwise         as OpenByteSource and ByteSource::Read
absl::StatusOr<DataSet> ReadLabelledData(const LabelledDataOptions& options);

// The index of the label called `name`: exactly, or else the only one that differs in ASCII case alone; nothing where
// there is none.
std::optional<int> FindLabel(const std::vector<std::string>& labels, std::string_view name);

}  // namespace ks
