// Tested by progress_test.cc.
#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/strings.h"

namespace ks {
namespace {

constexpr Duration kFirstDrawn = std::chrono::seconds(1);
constexpr Duration kRedrawn = std::chrono::milliseconds(200);
constexpr int kWidth = 24;

}  // namespace

std::string ProgressLine(int64_t bytes, int64_t total_bytes, int64_t rows, Duration elapsed) {
  std::string line;
  if (total_bytes > 0) {
    const double share = std::clamp(static_cast<double>(bytes) / static_cast<double>(total_bytes), 0.0, 1.0);
    const int filled = static_cast<int>(share * kWidth);
    char percent[8];
    std::snprintf(percent, sizeof(percent), "%3d%%", static_cast<int>(share * 100));
    line = Cat(percent, " [", std::string(static_cast<size_t>(filled), '#'),
               std::string(static_cast<size_t>(kWidth - filled), ' '), "] ");
  }
  const double rate = elapsed > Duration(0) ? static_cast<double>(rows) / Seconds(elapsed) : 0;
  return Cat(line, rows, " rows, ", static_cast<int64_t>(rate), " texts/s");
}

bool ProgressBar::StderrIsTerminal() { return isatty(STDERR_FILENO) == 1; }

void ProgressBar::Update(int64_t bytes, int64_t total_bytes, int64_t rows) {
  const TimePoint now = clock_.Now();
  if (!enabled_ || now - started_ < kFirstDrawn || (drawn_ && now - drawn_at_ < kRedrawn)) return;
  drawn_ = true;
  drawn_at_ = now;
  // \033[K clears what a longer line before this one left.
  std::fprintf(stderr, "\r%s\033[K", ProgressLine(bytes, total_bytes, rows, now - started_).c_str());
}

void ProgressBar::Clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace ks
