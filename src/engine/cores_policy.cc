#include "engine/cores_policy.h"

#include <algorithm>

namespace ks {

CoresChoice ChooseCores(const CoresView& view, const CoresLimits& limits) {
  using enum CoresChoice::Cores;
  if (view.wide_run) return {kNone, 0};
  const bool is_one_text = view.waiting_parts == 1;
  if (view.has_wide && view.runs == 0 && view.came_alone && is_one_text &&
      view.waiting_tokens >= limits.least_wide_tokens) {
    return {kAll, limits.run_tokens};
  }
  const int64_t runs = view.workers > 1 ? 2 * view.workers : 1;
  const int64_t share = (view.waiting_tokens + runs - 1) / runs;
  const int64_t goal = std::max<int64_t>(share, limits.least_part_tokens);
  return {kOne, static_cast<int>(std::min<int64_t>(goal, limits.run_tokens))};
}

}  // namespace ks
