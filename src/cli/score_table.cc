// One thread reads, tokenises (inside submit) and writes; the engine's workers do the rest. Chunks wait in a queue in
// the order of their rows, and only its front is written. Tested by score_table_test.cc.
#include "cli/score_table.h"

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "base/status_macros.h"

namespace ks {
namespace {

struct Chunk {
  std::vector<Row> rows;
  std::vector<size_t> scored;  // which of the rows were submitted
  std::optional<absl::StatusOr<ClassifyResult>> result;
};

class Pipeline {
 public:
  explicit Pipeline(const SubmitTexts& submit) : submit_(submit) {}
  // The engine still writes into chunks it has.
  ~Pipeline() {
    while (!chunks_.empty()) PopFront();
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  size_t size() const { return chunks_.size(); }

  void Push(std::unique_ptr<Chunk> owned) {
    Chunk& chunk = *owned;
    chunks_.push_back(std::move(owned));
    std::vector<TextInput> texts;
    for (size_t i = 0; i < chunk.rows.size(); ++i) {
      if (!chunk.rows[i].error.empty()) continue;
      chunk.scored.push_back(i);
      texts.push_back({.text = chunk.rows[i].text});
    }
    if (texts.empty()) {
      chunk.result = ClassifyResult();
      return;
    }
    submit_(texts, [this, &chunk](absl::StatusOr<ClassifyResult> result) {
      const MutexLock lock(mutex_);
      chunk.result = std::move(result);
      answered_.NotifyOne();
    });
  }

  bool FrontIsAnswered() {
    const MutexLock lock(mutex_);
    return chunks_.front()->result.has_value();
  }

  // Waits for the oldest chunk and takes it out.
  std::unique_ptr<Chunk> PopFront() {
    {
      const MutexLock lock(mutex_);
      while (!chunks_.front()->result.has_value()) answered_.Wait(mutex_);
    }
    std::unique_ptr<Chunk> chunk = std::move(chunks_.front());
    chunks_.pop_front();
    return chunk;
  }

 private:
  const SubmitTexts& submit_;
  Mutex mutex_;
  CondVar answered_;
  std::deque<std::unique_ptr<Chunk>> chunks_;  // their results are guarded by mutex_
};

// The next rows; fewer than asked for, or none, at the end.
absl::StatusOr<std::unique_ptr<Chunk>> ReadChunk(TableReader& reader, const ScoreOptions& options) {
  auto chunk = std::make_unique<Chunk>();
  size_t bytes = 0;
  while (chunk->rows.size() < static_cast<size_t>(options.chunk_rows) && bytes <= options.chunk_bytes) {
    Row& row = chunk->rows.emplace_back();
    KS_ASSIGN_OR_RETURN(const bool more, reader.Next(row));
    if (!more) {
      chunk->rows.pop_back();
      break;
    }
    bytes += row.kept.size() + row.text.size();
  }
  return chunk;
}

RowScores ScoresOf(const Classification& classification) {
  RowScores scores;
  scores.label = classification.scores.front().label;
  scores.scores.resize(classification.scores.size());
  for (const LabelScore& s : classification.scores) scores.scores[static_cast<size_t>(s.label)] = s.score;
  return scores;
}

// Appends the rows of an answered chunk to `text`.
void WriteChunk(Chunk& chunk, const TableWriter& writer, const ScoreOptions& options, ScoreCounts& counts,
                std::string& text) {
  const absl::StatusOr<ClassifyResult>& result = *chunk.result;
  if (!result.ok()) {
    for (const size_t i : chunk.scored) chunk.rows[i].error = ToStd(result.status().message());
  }
  size_t next = 0;  // of the results
  for (const Row& row : chunk.rows) {
    ++counts.rows;
    if (row.error.empty()) {
      const RowScores scores = ScoresOf(result->results[next++]);
      writer.Append(row, &scores, text);
    } else {
      ++counts.bad_rows;
      writer.Append(row, nullptr, text);
      options.on_bad_row(row);
    }
  }
}

}  // namespace

absl::StatusOr<ScoreCounts> ScoreTable(TableReader& reader, const TableWriter& writer, const SubmitTexts& submit,
                                       OutputFile& output, const ScoreOptions& options) {
  KS_RETURN_IF_ERROR(output.Write(writer.Header()));
  ScoreCounts counts;
  Pipeline pipeline(submit);
  std::string text;
  bool more = true;
  while (more || pipeline.size() > 0) {
    if (options.interrupted()) return MakeStatus(absl::StatusCode::kCancelled, "interrupted");
    const bool full = pipeline.size() >= static_cast<size_t>(options.chunks_in_flight);
    if (more && !full && (pipeline.size() == 0 || !pipeline.FrontIsAnswered())) {
      KS_ASSIGN_OR_RETURN(auto chunk, ReadChunk(reader, options));
      more = !chunk->rows.empty();
      if (more) pipeline.Push(std::move(chunk));
      continue;
    }
    // Somebody at the other end of a pipe should not wait for us while we wait for the engine.
    if (!pipeline.FrontIsAnswered()) KS_RETURN_IF_ERROR(output.Flush());
    const std::unique_ptr<Chunk> chunk = pipeline.PopFront();
    text.clear();
    WriteChunk(*chunk, writer, options, counts, text);
    KS_RETURN_IF_ERROR(output.Write(text));
    options.on_progress(counts);
  }
  return counts;
}

}  // namespace ks
