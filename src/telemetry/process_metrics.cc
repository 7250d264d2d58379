// Tested by process_metrics_test.cc.
#include "telemetry/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace ks {
namespace {

std::string ReadWhole(const char* path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  return std::move(content).str();
}

std::vector<std::string_view> SplitAtSpaces(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" \n"), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

double ToDouble(std::string_view word) {
  double value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

// "btime 1769860800" in /proc/stat: when the machine started.
double BootTimeSeconds() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) return ToDouble(std::string_view(line).substr(6));
  }
  return 0;
}

}  // namespace

std::optional<int> OpenFdsBySize() {
  struct stat status = {};
  if (stat("/proc/self/fd", &status) != 0 || status.st_size == 0) return std::nullopt;
  return static_cast<int>(status.st_size);
}

int OpenFdsByListing() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  int entries = 0;
  while (readdir(directory) != nullptr) ++entries;
  closedir(directory);
  return entries - 3;  // ".", ".." and the descriptor of this very listing
}

std::optional<ProcessStats> ParseProcStat(std::string_view line, double ticks_per_second, double page_bytes) {
  // The name, in parentheses, may hold spaces and parentheses: fields count from behind the last one.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  const std::vector<std::string_view> fields = SplitAtSpaces(line.substr(name_end + 1));
  constexpr size_t kThird = 3;  // fields[0] is the third field of proc(5)
  if (fields.size() <= 24 - kThird) return std::nullopt;
  const auto field = [&](size_t number) { return ToDouble(fields[number - kThird]); };
  ProcessStats stats;
  stats.cpu_seconds = (field(14) + field(15)) / ticks_per_second;
  stats.threads = field(20);
  stats.start_time_seconds = field(22) / ticks_per_second;
  stats.virtual_bytes = field(23);
  stats.resident_bytes = field(24) * page_bytes;
  return stats;
}

ProcessStats ReadProcessStats() {
  static const double boot_time = BootTimeSeconds();
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  ProcessStats stats =
      ParseProcStat(ReadWhole("/proc/self/stat"), ticks_per_second, page_bytes).value_or(ProcessStats{});
  stats.start_time_seconds += boot_time;
  const std::optional<int> open_fds = OpenFdsBySize();
  stats.open_fds = open_fds.has_value() ? *open_fds : OpenFdsByListing();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = static_cast<double>(limit.rlim_cur);
  return stats;
}

}  // namespace ks
