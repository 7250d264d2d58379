// The clock stands still, so every batch leaves because a test says so: by the clock and one span more, by size, or at the
// end.
#include "telemetry/trace/exporter.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// How long the tests wait for what the exporter's thread does; what is missing then fails them.
constexpr Duration kLimit = seconds(10);

// Takes batches, or does not.
class FakeCollector {
 public:
  SpanExporter::Send send() {
    return [this](std::string_view spans, Duration timeout) {
      MutexLock lock(mutex_);
      batches_.emplace_back(spans);
      timeouts_.push_back(timeout);
      changed_.NotifyAll();
      while (held_) changed_.Wait(mutex_);
      return failures_-- > 0 ? failure_ : absl::OkStatus();
    };
  }
  void FailWith(absl::Status failure, int times) {
    MutexLock lock(mutex_);
    failure_ = std::move(failure);
    failures_ = times;
  }
  void Hold() {
    MutexLock lock(mutex_);
    held_ = true;
  }
  void Release() {
    MutexLock lock(mutex_);
    held_ = false;
    changed_.NotifyAll();
  }
  // Blocks until so many have been sent, or the limit is over.
  std::vector<std::string> WaitForBatches(size_t count) {
    const TimePoint end = SystemClock().Now() + kLimit;
    MutexLock lock(mutex_);
    while (batches_.size() < count && SystemClock().Now() < end) changed_.WaitFor(mutex_, milliseconds(100));
    return batches_;
  }
  std::vector<std::string> batches() {
    MutexLock lock(mutex_);
    return batches_;
  }
  std::vector<Duration> timeouts() {
    MutexLock lock(mutex_);
    return timeouts_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  absl::Status failure_ KS_GUARDED_BY(mutex_);
  int failures_ KS_GUARDED_BY(mutex_) = 0;
  bool held_ KS_GUARDED_BY(mutex_) = false;
  std::vector<std::string> batches_ KS_GUARDED_BY(mutex_);
  std::vector<Duration> timeouts_ KS_GUARDED_BY(mutex_);
};

class SpanExporterTest : public ::testing::Test {
 protected:
  ~SpanExporterTest() override { collector_.Release(); }

  void Start(SpanExporter::Options options = {}) {
    exporter_ = std::make_unique<SpanExporter>(collector_.send(), options, log_, clock_);
  }
  std::vector<std::string> lines() {
    MutexLock lock(mutex_);
    return lines_;
  }
  // Until a batch that was sent is counted, which is a little later.
  void WaitForCounts(int64_t exported, int64_t dropped) {
    const TimePoint end = SystemClock().Now() + kLimit;
    while ((exporter_->exported() != exported || exporter_->dropped() != dropped) && SystemClock().Now() < end) {
      std::this_thread::yield();
    }
    EXPECT_EQ(exporter_->exported(), exported);
    EXPECT_EQ(exporter_->dropped(), dropped);
  }

  ManualClock clock_;
  FakeCollector collector_;
  Mutex mutex_;
  std::vector<std::string> lines_ KS_GUARDED_BY(mutex_);
  Log log_{LogLevel::kInfo, [this](std::string_view line) {
             MutexLock lock(mutex_);
             lines_.emplace_back(line);
           }};
  std::unique_ptr<SpanExporter> exporter_;  // last: gone before what it uses
};

TEST_F(SpanExporterTest, SendsABatchWhenItsTimeHasCome) {
  Start();
  exporter_->Add("a", 1);
  clock_.Advance(milliseconds(999));
  exporter_->Add("b", 2);
  exporter_->Add("c", 1);  // not later: the thread may be awake when the time comes
  EXPECT_THAT(collector_.batches(), IsEmpty());
  clock_.Advance(milliseconds(1));
  EXPECT_THAT(collector_.WaitForBatches(1), ElementsAre("abc"));
  WaitForCounts(4, 0);
  EXPECT_EQ(collector_.timeouts().front(), seconds(3));
}

TEST_F(SpanExporterTest, SendsWhatIsDueWhenMoreComes) {
  Start();
  exporter_->Add("a", 1);
  clock_.Advance(seconds(1));
  exporter_->Add("b", 1);  // goes along, unless the thread was awake when the time came
  const std::vector<std::string> batches = collector_.WaitForBatches(1);
  ASSERT_FALSE(batches.empty());
  EXPECT_THAT(batches.front(), StartsWith("a"));
}

TEST_F(SpanExporterTest, SendsABatchInRealTimeToo) {
  exporter_ = std::make_unique<SpanExporter>(
      collector_.send(), SpanExporter::Options{.batch_interval = milliseconds(1)}, log_, SystemClock());
  exporter_->Add("a", 1);
  EXPECT_THAT(collector_.WaitForBatches(1), ElementsAre("a"));
}

TEST_F(SpanExporterTest, SendsABatchWhenHalfTheQueueIsFull) {
  Start({.max_queue_bytes = 8});
  exporter_->Add("abc", 1);
  exporter_->Add("d", 1);
  EXPECT_THAT(collector_.WaitForBatches(1), ElementsAre("abcd"));
}

TEST_F(SpanExporterTest, DropsWhatDoesNotFitAsAWhole) {
  Start({.max_queue_bytes = 4});
  collector_.Hold();
  exporter_->Add("ab", 2);
  collector_.WaitForBatches(1);
  exporter_->Add("cde", 3);  // waits while the first is being sent
  exporter_->Add("fg", 2);
  exporter_->Add("h", 1);
  EXPECT_EQ(exporter_->dropped(), 2);
  collector_.Release();
  EXPECT_THAT(collector_.WaitForBatches(2), ElementsAre("ab", "cdeh"));
  WaitForCounts(6, 2);
}

TEST_F(SpanExporterTest, TriesAgainAfterPausesAndSaysSoOnce) {
  const TimePoint start = clock_.Now();
  Start();
  collector_.FailWith(absl::UnavailableError("nobody listens"), 5);
  exporter_->Add("a", 3);
  clock_.Advance(seconds(1));
  exporter_->Add("b", 1);
  collector_.WaitForBatches(1);
  exporter_->Add("c", 1);
  for (size_t tries = 2; tries <= 5; ++tries) {
    // A pause begins some time after the try before it: time passes until it is over.
    const TimePoint end = SystemClock().Now() + kLimit;
    while (collector_.batches().size() < tries && SystemClock().Now() < end) {
      clock_.Advance(milliseconds(100));
      exporter_->Add("", 0);
    }
  }
  EXPECT_THAT(collector_.WaitForBatches(6), ElementsAre("ab", "ab", "ab", "ab", "ab", "c"));
  WaitForCounts(1, 4);
  EXPECT_GE(clock_.Now() - start, seconds(1 + 1 + 2 + 4 + 8));
  exporter_.reset();
  EXPECT_THAT(lines(), ElementsAre(HasSubstr(R"("message":"traces are not taken","cause":"nobody listens")"),
                                   HasSubstr(R"("level":"info","message":"traces are taken again","dropped":4)")));
}

TEST_F(SpanExporterTest, DropsWhatIsRefusedForGood) {
  Start({.max_queue_bytes = 2});
  collector_.FailWith(absl::FailedPreconditionError("status 400"), 1);
  exporter_->Add("a", 2);
  WaitForCounts(0, 2);
  EXPECT_THAT(collector_.batches(), ElementsAre("a"));
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("status 400")));
}

TEST_F(SpanExporterTest, SendsWhatIsLeftAtTheEnd) {
  Start();
  exporter_->Add("a", 1);
  exporter_.reset();
  EXPECT_THAT(collector_.batches(), ElementsAre("a"));
}

TEST_F(SpanExporterTest, TriesOnceMoreAtTheEndAndNoLonger) {
  Start({.max_queue_bytes = 4});
  collector_.FailWith(absl::DeadlineExceededError("no answer within 3s"), 9);
  exporter_->Add("ab", 1);
  collector_.WaitForBatches(1);
  exporter_->Add("c", 1);
  exporter_.reset();  // in the pause after the first try, or before it
  const std::vector<std::string> batches = collector_.batches();
  EXPECT_EQ(batches.back(), "c");
  EXPECT_LE(batches.size(), 3u);
}

TEST_F(SpanExporterTest, SendsNothingAfterItsLastMoment) {
  Start({.max_queue_bytes = 4, .flush_limit = Duration(0)});
  exporter_->Add("a", 1);
  exporter_.reset();
  EXPECT_THAT(collector_.batches(), IsEmpty());
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("no time left to send them")));
}

}  // namespace
}  // namespace ks
