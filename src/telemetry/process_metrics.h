// What the kernel says of this process, under the names that Prometheus' client libraries share (process_*).
#pragma once

#include <optional>
#include <string_view>

namespace ks {

struct ProcessStats {
  double cpu_seconds = 0;         // user and system
  double start_time_seconds = 0;  // since the epoch
  double virtual_bytes = 0;
  double resident_bytes = 0;
  double open_fds = 0;
  double max_fds = 0;
  double threads = 0;
};

// Reads /proc/self; fields that cannot be read stay 0. Some tens of microseconds.
ProcessStats ReadProcessStats();

// Descriptors that are open: the size of /proc/self/fd, which Linux tells since 6.2 (nothing before), or its entries, which
// takes a microsecond each and does not count its own. For tests but for ReadProcessStats.
std::optional<int> OpenFdsBySize();
int OpenFdsByListing();

// The fields of one line of /proc/PID/stat, or nothing if it is not such a line. The start time is relative to boot
// here.
std::optional<ProcessStats> ParseProcStat(std::string_view line, double ticks_per_second, double page_bytes);

}  // namespace ks
