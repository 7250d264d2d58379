#include "cli/score_table.h"

#include <deque>
#include <filesystem>

#include "base/mapped_file.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/testing/temp_directory.h"
#include "base/thread.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kLabels = {"SHORT", "LONG"};

// Every text of more than three characters is LONG.
ClassifyResult Answer(const std::vector<std::string>& texts) {
  ClassifyResult result;
  for (const std::string& text : texts) {
    Classification classification;
    classification.scores = {{text.size() > 3 ? 1 : 0, 0.75f}, {text.size() > 3 ? 0 : 1, 0.25f}};
    result.results.push_back(classification);
  }
  return result;
}

std::vector<std::string> Copy(std::span<const TextInput> inputs) {
  std::vector<std::string> texts;
  for (const TextInput& input : inputs) texts.emplace_back(input.text);
  return texts;
}

class ScoreTableTest : public testing::Test {
 protected:
  ~ScoreTableTest() override { std::filesystem::remove(path_); }

  // Scores `bytes` as plain text; what was written is in written_ then.
  absl::StatusOr<ScoreCounts> Score(const std::string& bytes, const SubmitTexts& submit, ScoreOptions options = {}) {
    auto reader = OpenTable(MemoryByteSource(bytes, "rows"), "rows", {});
    const auto writer = MakeTableWriter(TableFormat::kText, true, {}, kLabels);
    auto output = OutputFile::Open(path_);
    EXPECT_TRUE(reader.ok() && output.ok());
    options.on_bad_row = [&](const Row& row) { bad_lines_.push_back(row.line); };
    const auto counts = ScoreTable(**reader, *writer, submit, **output, options);
    EXPECT_TRUE((*output)->Commit().ok());
    written_ = ReadFile(path_, 1 << 26).value();
    return counts;
  }

  const TempDirectory directory_;
  const std::string path_ = (directory_ / "scored.txt").string();
  std::string written_;
  std::vector<int64_t> bad_lines_;
};

void AnswerAtOnce(std::span<const TextInput> inputs, const Engine::Done& done) { done(Answer(Copy(inputs))); }

TEST_F(ScoreTableTest, WritesEveryRowInItsPlace) {
  const auto counts = Score("ab\n\nabcd\n", &AnswerAtOnce);
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(written_, "SHORT\t0.75\tab\n\t\t\nLONG\t0.75\tabcd\n");
  EXPECT_EQ(counts->rows, 3);
  EXPECT_EQ(counts->bad_rows, 1);
  EXPECT_THAT(bad_lines_, ElementsAre(2));
}

TEST_F(ScoreTableTest, AnEmptyInputIsAnEmptyOutput) {
  const auto counts = Score("", &AnswerAtOnce);
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->rows, 0);
  EXPECT_EQ(written_, "");
}

// Answers late, on a thread of its own, the newest request first.
class LateEngine {
 public:
  LateEngine() : thread_("late", [this] { Work(); }) {}
  ~LateEngine() {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
      wake_.NotifyAll();
    }
    thread_.Join();
  }

  SubmitTexts Submit() {
    return [this](std::span<const TextInput> inputs, Engine::Done done) {
      const MutexLock lock(mutex_);
      waiting_.push_back({Copy(inputs), std::move(done)});
      most_waiting_ = std::max(most_waiting_, waiting_.size());
      largest_ = std::max(largest_, inputs.size());
      wake_.NotifyAll();
    };
  }
  size_t most_waiting() {
    const MutexLock lock(mutex_);
    return most_waiting_;
  }
  size_t largest() {
    const MutexLock lock(mutex_);
    return largest_;
  }

 private:
  struct Waiting {
    std::vector<std::string> texts;
    Engine::Done done;
  };

  void Work() {
    while (true) {
      Waiting next;
      {
        const MutexLock lock(mutex_);
        while (waiting_.empty() && !stopping_) wake_.Wait(mutex_);
        if (waiting_.empty()) return;
        next = std::move(waiting_.back());
        waiting_.pop_back();
      }
      next.done(Answer(next.texts));
    }
  }

  Mutex mutex_;
  CondVar wake_;
  std::deque<Waiting> waiting_ KS_GUARDED_BY(mutex_);
  size_t most_waiting_ KS_GUARDED_BY(mutex_) = 0;
  size_t largest_ KS_GUARDED_BY(mutex_) = 0;
  bool stopping_ KS_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

TEST_F(ScoreTableTest, KeepsTheOrderWhenAnswersComeInAnother) {
  std::string bytes, want;
  for (int i = 0; i < 5000; ++i) {
    const std::string text = std::to_string(i);
    bytes += text + "\n";
    want += (text.size() > 3 ? "LONG\t0.75\t" : "SHORT\t0.75\t") + text + "\n";
  }
  LateEngine engine;
  const auto counts = Score(bytes, engine.Submit(), {.chunk_rows = 7, .chunks_in_flight = 5});
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_TRUE(written_ == want);
  EXPECT_LE(engine.most_waiting(), 5u);
  EXPECT_EQ(engine.largest(), 7u);
}

TEST_F(ScoreTableTest, LongRowsMakeSmallChunks) {
  LateEngine engine;
  const std::string row = std::string(1000, 'x') + "\n";
  ASSERT_TRUE(Score(row + row + row + row + row + row, engine.Submit(), {.chunk_rows = 100, .chunk_bytes = 3000}).ok());
  EXPECT_EQ(engine.largest(), 2u);
}

TEST_F(ScoreTableTest, RowsThatTheEngineCouldNotAnswerAreBad) {
  const SubmitTexts submit = [](std::span<const TextInput> inputs, const Engine::Done& done) {
    if (inputs[0].text == "two") return done(Internal("the runtime failed"));
    done(Answer(Copy(inputs)));
  };
  const auto counts = Score("one\ntwo\nthree\n", submit, {.chunk_rows = 1});
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(written_, "SHORT\t0.75\tone\n\t\ttwo\nLONG\t0.75\tthree\n");
  EXPECT_EQ(counts->bad_rows, 1);
  EXPECT_THAT(bad_lines_, ElementsAre(2));
}

TEST_F(ScoreTableTest, AnInterruptEndsItBetweenChunksAndWaitsForTheEngine) {
  LateEngine engine;
  int asked = 0;
  ScoreOptions options;
  options.chunk_rows = 1;
  options.interrupted = [&] { return ++asked > 3; };
  const auto counts = Score("one\ntwo\nthree\nfour\nfive\nsix\n", engine.Submit(), options);
  EXPECT_EQ(counts.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ScoreTableTest, ErrorsOfTheSourceComeThrough) {
  auto reader = OpenTable(MemoryByteSource("not gzip at all", "rows.txt.gz"), "rows.txt.gz", {});
  ASSERT_TRUE(reader.ok());
  const auto writer = MakeTableWriter(TableFormat::kText, true, {}, kLabels);
  auto output = OutputFile::Open(path_);
  ASSERT_TRUE(output.ok());
  const auto counts = ScoreTable(**reader, *writer, &AnswerAtOnce, **output, {});
  EXPECT_EQ(counts.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(counts.status().message()), HasSubstr("rows.txt.gz"));
}

}  // namespace
}  // namespace ks
