#include "telemetry/line_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/strings.h"
#include "base/testing/temp_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::Lt;

std::string Note(int64_t dropped) { return Cat("dropped ", dropped); }

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return lines;
}

class LineWriterTest : public ::testing::Test {
 protected:
  LineWriterTest() {
    int ends[2] = {};
    EXPECT_EQ(pipe(ends), 0);
    read_end_ = ends[0];
    write_end_ = ends[1];
  }
  ~LineWriterTest() override {
    CloseWriteEnd();
    CloseReadEnd();
  }
  void CloseWriteEnd() {
    if (write_end_ >= 0) close(write_end_);
    write_end_ = -1;
  }
  void CloseReadEnd() {
    if (read_end_ >= 0) close(read_end_);
    read_end_ = -1;
  }
  std::unique_ptr<LineWriter> MakeWriter(LineWriter::Options options = {}) {
    return std::make_unique<LineWriter>(write_end_, Note, options);
  }
  bool HasBytesWithin(int milliseconds) const {
    pollfd waited = {.fd = read_end_, .events = POLLIN, .revents = 0};
    return poll(&waited, 1, milliseconds) == 1;
  }
  // The next `size` bytes, which the caller knows to come.
  std::string Read(size_t size) const {
    std::string text(size, '\0');
    size_t filled = 0;
    for (ssize_t got = 0; filled < size && (got = read(read_end_, text.data() + filled, size - filled)) > 0;) {
      filled += static_cast<size_t>(got);
    }
    return text.substr(0, filled);
  }
  // All that is written until the last writer is gone.
  std::string ReadToEnd() {
    std::string text;
    char bytes[4096];
    for (ssize_t got = 0; (got = read(read_end_, bytes, sizeof bytes)) > 0;) {
      text.append(bytes, static_cast<size_t>(got));
    }
    return text;
  }

  int read_end_ = -1;
  int write_end_ = -1;
};

TEST_F(LineWriterTest, WritesWholeLinesInOrderBeforeItEnds) {
  auto writer = MakeWriter();
  const std::string long_line(10'000, 'x');
  writer->Write("one");
  writer->Write(long_line);
  writer->Write("");
  writer.reset();
  CloseWriteEnd();
  EXPECT_THAT(LinesOf(ReadToEnd()), ElementsAre("one", long_line, ""));
}

TEST_F(LineWriterTest, WritesALineWithoutWaitingForMore) {
  auto writer = MakeWriter();
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the thread waits for a line
    writer->Write("one");
    ASSERT_TRUE(HasBytesWithin(10'000));
    EXPECT_EQ(Read(4), "one\n");
  }
}

TEST_F(LineWriterTest, RestsBetweenWrites) {
  auto writer = MakeWriter({.rest = std::chrono::hours(1)});
  writer->Write("one");
  EXPECT_EQ(Read(4), "one\n");
  for (int i = 0; i < 3; ++i) {
    writer->Write("more");
    EXPECT_FALSE(HasBytesWithin(5));
  }
  writer.reset();  // ends the rest
  EXPECT_EQ(Read(15), "more\nmore\nmore\n");
}

TEST_F(LineWriterTest, DoesNotRestOnAQueueThatFills) {
  auto writer = MakeWriter({.max_bytes = 100, .rest = std::chrono::hours(1)});
  writer->Write("one");
  EXPECT_EQ(Read(4), "one\n");
  writer->Write(std::string(49, 'x'));
  writer->Write("y");
  EXPECT_EQ(Read(52), std::string(49, 'x') + "\ny\n");
}

TEST_F(LineWriterTest, NeverWaitsForAPipeThatNobodyReads) {
  constexpr int kLines = 100'000;
  auto writer = MakeWriter();
  const std::string padding(100, 'x');
  for (int i = 0; i < kLines; ++i) writer->Write(Cat(i, " ", padding));
  const int64_t dropped = writer->dropped();
  EXPECT_THAT(dropped, Gt(kLines / 2));

  // Somebody reads at last: what was kept comes in order, and each gap has one line that tells how many are missing.
  std::string text;
  std::thread reader([&] { text = ReadToEnd(); });
  writer.reset();
  CloseWriteEnd();
  reader.join();
  int64_t next = 0;
  int64_t missing = 0;
  for (const std::string& line : LinesOf(text)) {
    if (line.starts_with("dropped ")) {
      const int64_t gap = std::stoll(line.substr(8));
      missing += gap;
      next += gap;
    } else {
      ASSERT_EQ(line, Cat(next++, " ", padding));
    }
  }
  EXPECT_EQ(next, kLines);
  EXPECT_EQ(missing, dropped);
}

TEST_F(LineWriterTest, GivesUpAPipeThatNobodyReadsAtItsLimit) {
  auto writer = MakeWriter({.flush_limit = std::chrono::milliseconds(10)});
  constexpr int kLines = 1000;
  for (int i = 0; i < kLines; ++i) writer->Write(std::string(200, 'x'));
  const TimePoint began = SystemClock().Now();
  writer.reset();
  EXPECT_THAT(Seconds(SystemClock().Now() - began), Lt(5));
}

TEST_F(LineWriterTest, LeavesTheModeOfTheCallersDescriptorAlone) {
  const auto writer = MakeWriter();
  EXPECT_EQ(fcntl(write_end_, F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(LineWriterTest, CountsWhatADescriptorThatFailsDoesNotTake) {
  CloseReadEnd();
  signal(SIGPIPE, SIG_IGN);
  auto writer = MakeWriter();
  for (int i = 0; i < 3; ++i) writer->Write("nobody is there");
  const TimePoint limit = SystemClock().Now() + std::chrono::seconds(10);
  while (writer->dropped() < 3 && SystemClock().Now() < limit) std::this_thread::yield();
  EXPECT_EQ(writer->dropped(), 3);
}

TEST_F(LineWriterTest, CountsEverythingWithoutADescriptor) {
  LineWriter writer(-1, Note, {});
  writer.Write("nowhere");
  const TimePoint limit = SystemClock().Now() + std::chrono::seconds(10);
  while (writer.dropped() < 1 && SystemClock().Now() < limit) std::this_thread::yield();
  EXPECT_EQ(writer.dropped(), 1);
}

TEST_F(LineWriterTest, DropsALineLargerThanTheQueue) {
  auto writer = MakeWriter({.max_bytes = 10});
  writer->Write(std::string(10, 'x'));
  writer.reset();
  CloseWriteEnd();
  EXPECT_THAT(LinesOf(ReadToEnd()), ElementsAre("dropped 1"));
}

TEST(LineWriter, AppendsToAFile) {
  const TempDirectory directory;
  const std::string path = directory / "log";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  ASSERT_EQ(write(fd, "before\n", 7), 7);
  {
    LineWriter writer(fd, Note, {});
    writer.Write("line");
  }
  char bytes[64];
  const ssize_t size = pread(fd, bytes, sizeof bytes, 0);
  ASSERT_THAT(size, Gt(0));
  EXPECT_EQ(std::string(bytes, static_cast<size_t>(size)), "before\nline\n");
  close(fd);
}

TEST_F(LineWriterTest, KeepsEachThreadsOrder) {
  auto writer = MakeWriter();
  std::string text;
  std::thread reader([&] { text = ReadToEnd(); });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&writer, t] {
      for (int i = 0; i < 200; ++i) writer->Write(Cat(t, " ", i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  writer.reset();
  CloseWriteEnd();
  reader.join();
  std::vector<int> next(4, 0);
  for (const std::string& line : LinesOf(text)) {
    const auto thread = static_cast<size_t>(line[0] - '0');
    EXPECT_EQ(line, Cat(thread, " ", next[thread]++));
  }
  EXPECT_THAT(next, ElementsAre(200, 200, 200, 200));
}

}  // namespace
}  // namespace ks
