// What goes into the engine and what comes out: plain values, the same for every protocol.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/classifier_spec.h"

namespace ks {

// Views: the caller keeps the characters alive and unchanged until Submit returns. Valid UTF-8 of any length; the
// limits on a text's length belong to serving.
struct TextInput {
  std::string_view text;
  std::optional<std::string_view> pair = std::nullopt;
};

// What happens to a text that is longer than the model's window.
enum class LongText {
  kTruncate,  // the head of the text answers; Classification::truncated says so. Pairs are cut longest first.
  kWindows,   // consecutive windows without overlap answer together: the mean of their probabilities (of their logits
              // with activation kNone), weighted by tokens. Not for pairs.
};

// Where the time of one request went, in points of the engine's clock. What never happened stays at TimePoint().
struct Timeline {
  struct Run {
    TimePoint start, end;
    int sequences = 0;  // of all requests in it, and their tokens
    int64_t tokens = 0;
    int cores = 1;
    bool ok = true;
  };
  static constexpr size_t kMostRuns = 32;  // that are listed

  std::string backend;  // name of the group
  TimePoint tokenize_start = {}, tokenize_end = {};
  int64_t tokens = 0;
  TimePoint queued = {}, unqueued = {};  // from admission until nothing of it waits any more
  std::vector<Run> runs = {};            // that held a part, in the order of their ends: the first of them
};

struct ClassifyOptions {
  int top_k = 0;                                        // so many scores, highest first; 0 = all
  std::optional<Activation> activation = std::nullopt;  // instead of the model's
  LongText long_text = LongText::kTruncate;
  TimePoint deadline = TimePoint::max();  // of the engine's clock; max(): EngineOptions::default_deadline from now
  std::string backend = {};               // name of a backend group; empty: the default one
  std::shared_ptr<Timeline> timeline = nullptr;  // filled in until `done` is called, and not touched after; null: none
};

struct LabelScore {
  int label;  // index into the model's labels
  float score;
  bool operator==(const LabelScore&) const = default;
};

struct Classification {
  std::vector<LabelScore> scores;  // highest first, ties by label index; top_k of them
  std::vector<float> logits;       // [C], before temperature; with windows their weighted mean
  int tokens = 0;                  // that ran, special ones included
  int windows = 1;
  bool truncated = false;
  Duration infer{0};  // the Backend::Run that held the text; with windows in several runs the sum of them
};

struct StageTimes {
  Duration tokenize{0};
  Duration queue{0};  // the longest wait of a part
  Duration infer{0};  // Backend::Run: the sum over the runs that held a part
};

struct ClassifyResult {
  std::vector<Classification> results;  // one for each input, in order
  std::string backend;                  // name of the group that answered
  StageTimes times;
};

}  // namespace ks
