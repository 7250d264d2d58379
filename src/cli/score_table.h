// A table through the engine: many rows at a time on all cores, written in the order they came.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "absl/status/statusor.h"
#include "cli/output_file.h"
#include "cli/tables/table.h"
#include "engine/engine.h"

namespace ks {

// Engine::Submit with options bound.
using SubmitTexts = std::function<void(std::span<const TextInput> texts, Engine::Done done)>;

struct ScoreCounts {
  int64_t rows = 0;      // read and written, bad ones included
  int64_t bad_rows = 0;  // whose error is filled
};

struct ScoreOptions {
  // Rows go to the engine in chunks; reading ahead is bounded by both limits together.
  int chunk_rows = 32;
  int chunks_in_flight = 8;
  size_t chunk_bytes = 256 << 10;  // a chunk ends with the row that exceeds it
  // Asked between chunks; true ends the work with kCancelled.
  std::function<bool()> interrupted = [] { return false; };
  // Called in the order of the rows, on the calling thread, as they are written.
  std::function<void(const Row& row)> on_bad_row = [](const Row&) {};
  std::function<void(const ScoreCounts& counts)> on_progress = [](const ScoreCounts&) {};
};

// Reads all rows of `reader`, scores the good ones and appends all to `output`; the header first. Rows that the engine
// could not classify become bad ones. Blocks until everything that was submitted has been answered, also on an error.
//
// Errors: those of reader, output and ByteSource::Read; kCancelled where interrupted() said so.
absl::StatusOr<ScoreCounts> ScoreTable(TableReader& reader, const TableWriter& writer, const SubmitTexts& submit,
                                       OutputFile& output, const ScoreOptions& options);

}  // namespace ks
