// How many cores the next run takes; batch_policy.h says what goes into it. As pure as that.
#pragma once

#include <cstdint>

namespace ks {

// What a worker sees that is free. "Its group" is the workers that share its queue.
struct CoresView {
  int runs = 0;                // in progress, of all groups
  bool wide_run = false;       // one of them holds all cores
  bool has_wide = false;       // its group has a backend for all cores
  int workers = 0;             // of its group, idle or not, itself among them
  int64_t waiting_tokens = 0;  // for its group; more than 0
  int waiting_parts = 0;       // of the request at the head of the queue, if it waits alone; otherwise 0
  bool came_alone = false;     // that request was admitted while nothing waited and nothing ran
};

struct CoresLimits {
  int run_tokens = 0;         // of one run
  int least_wide_tokens = 0;  // below, one core is as fast
  int least_part_tokens = 0;  // a run that could have so many is no smaller
};

struct CoresChoice {
  enum class Cores { kNone, kOne, kAll };
  Cores cores = Cores::kNone;
  int goal_tokens = 0;  // RunLimits::goal_tokens
  bool operator==(const CoresChoice&) const = default;
};

// While a run holds all cores nothing else starts: kNone, until it ends.
//
// All cores for one text that came to an idle server and still waits alone. One that came while another was being
// answered is not followed by silence as a rule: two clients in turn would make a row of wide runs, each waiting for the
// other's, where two cores side by side get through more.
//
// Otherwise one core: runs side by side have nothing to wait for, so texts are divided among the cores before a run is. A
// run takes half of an equal share of what waits, as guided self-scheduling does (Polychronopoulos & Kuck 1987): a worker
// that took all would leave nothing to the others, busy now and free a moment later, and every text in a run waits for the
// run's end. A worker that has no others takes all.
CoresChoice ChooseCores(const CoresView& view, const CoresLimits& limits);

}  // namespace ks
