// The table of options, and one value: its text, its range, how it is set and shown. Tested by config_test.cc.
#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cmath>

#include "base/status.h"
#include "base/units.h"
#include "cli/config.h"

namespace ks {
namespace {
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

std::optional<int64_t> ParseCount(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> ParseShare(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || std::isnan(number)) return std::nullopt;
  return number;
}

std::string FormatShare(double share) {
  std::array<char, 32> text;
  return std::string(text.data(), std::to_chars(text.data(), text.data() + text.size(), share).ptr);
}

bool AreNames(std::string_view text, const std::vector<std::string_view>& choices) {
  if (text.empty()) return true;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (std::ranges::find(choices, text.substr(begin, end - begin)) == choices.end()) return false;
    begin = end + 1;
  }
  return true;
}

std::string JoinChoices(const std::vector<std::string_view>& choices) {
  std::string joined;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) joined += i + 1 == choices.size() ? " or " : ", ";
    joined += choices[i];
  }
  return joined;
}

// Stores a parsed value if there is one and it lies in the range.
template <typename Value>
bool Store(const std::optional<Value>& parsed, Value min, Value max, Value& target) {
  if (!parsed || *parsed < min || *parsed > max) return false;
  target = *parsed;
  return true;
}

}  // namespace

std::span<const ConfigOption> ConfigOptions() {
  using C = ServeConfig;
  constexpr int64_t kMaxBytes = int64_t{1} << 40;
  static const std::vector<ConfigOption> options = {
      {"model", TextOption{&C::model}, "package to serve, a directory made by `convert`"},
      {"listen", TextOption{&C::listen}, "address and port; port 0 takes any free one"},
      {"backend", ChoiceOption{&C::backend, {"onnx", "pytorch"}},
       "what runs the model unless a request says otherwise"},
      {"allowed-backends", NamesOption{&C::allowed_backends, {"onnx", "pytorch"}},
       "whom a request may name (`?backend=`); `backend` always"},
      {"canary-backend", ChoiceOption{&C::canary_backend, {"none", "onnx", "pytorch"}},
       "answers `canary-share` of the requests that name no backend"},
      {"canary-share", ShareOption{&C::canary_share}, "of the requests, for `canary-backend`"},
      {"shadow-backend", ChoiceOption{&C::shadow_backend, {"none", "onnx", "pytorch"}},
       "runs `shadow-share` of what `backend` has answered once more, at idle priority, and counts where they differ"},
      {"shadow-share", ShareOption{&C::shadow_share}, "of the requests, for `shadow-backend`"},
      {"precision", ChoiceOption{&C::precision, {"auto", "int8", "fp32"}},
       "numbers the model runs in; `auto` is int8 where the package has it. pytorch has fp32 alone"},
      {"isa", ChoiceOption{&C::isa, {"auto", "scalar", "avx2", "avx512", "avx512vnni", "amx"}},
       "instruction set of our own kernels; `auto` is the best that the CPU has. All give the same answers"},
      {"threads", CountOption{&C::threads, 0, 1024},
       "cores to use in all; 0 takes those that affinity and cgroup quota leave"},
      {"max-text-chars", CountOption{&C::max_text_chars, 1, 100000000}, "characters of one text"},
      {"max-batch-texts", CountOption{&C::max_batch_texts, 1, 1000000}, "texts of one request"},
      {"max-batch-tokens", CountOption{&C::max_batch_tokens, 1, INT_MAX}, "tokens of one request"},
      {"max-body-bytes", BytesOption{&C::max_body_bytes, 1, kMaxBytes}, "size of a request's body"},
      {"max-header-bytes", BytesOption{&C::max_header_bytes, 1024, 16 << 20}, "size of a request's header"},
      {"header-timeout", DurationOption{&C::header_timeout, milliseconds(1), hours(24)},
       "for a request's header to arrive"},
      {"body-timeout", DurationOption{&C::body_timeout, milliseconds(1), hours(24)}, "for a request's body to arrive"},
      {"idle-timeout", DurationOption{&C::idle_timeout, milliseconds(1), hours(24)},
       "for the next request on a connection"},
      {"max-connections", CountOption{&C::max_connections, 1, 1000000}, "open at the same time"},
      {"max-queue-tokens", CountOption{&C::max_queue_tokens, 1, int64_t{1} << 40},
       "admitted and not yet answered, all requests together; more is refused with 429"},
      {"default-deadline", DurationOption{&C::default_deadline, milliseconds(1), hours(24)},
       "of a request that names none"},
      {"drain-delay", DurationOption{&C::drain_delay, seconds(0), hours(1)},
       "after SIGTERM: not ready, but still accepting, for so long"},
      {"drain-timeout", DurationOption{&C::drain_timeout, seconds(0), hours(1)},
       "for admitted requests to finish after that"},
      {"stall-timeout", DurationOption{&C::stall_timeout, milliseconds(1), hours(24)},
       "a worker inside one run for longer fails liveness"},
      {"api-key-file", TextOption{&C::api_key_file},
       "file with the key that requests must show; without it none is asked for"},
      {"protect-metrics", SwitchOption{&C::protect_metrics}, "ask for the key on `/metrics` too"},
      {"log-level", ChoiceOption{&C::log_level, {"debug", "info", "warning", "error"}}, "least severe lines to log"},
      {"access-log", SwitchOption{&C::access_log}, "log a line for each request"},
      {"otlp-endpoint", TextOption{&C::otlp_endpoint},
       "collector that takes traces by OTLP/HTTP, such as `http://localhost:4318`; without it there are none"},
      {"trace-sample-ratio", ShareOption{&C::trace_sample_ratio},
       "of the requests whose caller has not decided (`traceparent`), to trace"},
      {"trace-service-name", TextOption{&C::trace_service_name}, "`service.name` of the traces"},
      {"verify", SwitchOption{&C::verify}, "check all hashes of the package before ready, not after"},
  };
  return options;
}

std::string ExpectedValue(const ConfigOption& option) {
  return std::visit(
      Overloaded{
          [](const TextOption&) -> std::string { return "a string"; },
          [](const ChoiceOption& o) { return JoinChoices(o.choices); },
          [](const NamesOption& o) { return Cat("any of ", JoinChoices(o.choices), ", separated by commas"); },
          [](const ShareOption&) -> std::string { return "a number from 0 to 1"; },
          [](const CountOption& o) { return Cat("an integer from ", o.min, " to ", o.max); },
          [](const BytesOption& o) {
            return Cat("a size from ", FormatBytes(o.min), " to ", FormatBytes(o.max), " (such as 8MiB)");
          },
          [](const DurationOption& o) {
            return Cat("a duration from ", FormatDuration(o.min), " to ", FormatDuration(o.max),
                       " (such as 250ms or 5s)");
          },
          [](const SwitchOption&) -> std::string { return "true or false"; },
      },
      option.kind);
}

std::string FormatValue(const ConfigOption& option, const ServeConfig& config) {
  return std::visit(Overloaded{
                        [&](const TextOption& o) { return config.*o.value; },
                        [&](const ChoiceOption& o) { return config.*o.value; },
                        [&](const NamesOption& o) { return config.*o.value; },
                        [&](const ShareOption& o) { return FormatShare(config.*o.value); },
                        [&](const CountOption& o) { return Cat(config.*o.value); },
                        [&](const BytesOption& o) { return FormatBytes(config.*o.value); },
                        [&](const DurationOption& o) { return FormatDuration(config.*o.value); },
                        [&](const SwitchOption& o) -> std::string { return config.*o.value ? "true" : "false"; },
                    },
                    option.kind);
}

absl::Status SetFromText(const ConfigOption& option, std::string_view text, std::string_view where,
                         ServeConfig& config) {
  const bool stored =
      std::visit(Overloaded{
                     [&](const TextOption& o) {
                       config.*o.value = text;
                       return true;
                     },
                     [&](const ChoiceOption& o) {
                       const bool known = std::find(o.choices.begin(), o.choices.end(), text) != o.choices.end();
                       if (known) config.*o.value = text;
                       return known;
                     },
                     [&](const NamesOption& o) {
                       const bool known = AreNames(text, o.choices);
                       if (known) config.*o.value = text;
                       return known;
                     },
                     [&](const ShareOption& o) { return Store(ParseShare(text), 0.0, 1.0, config.*o.value); },
                     [&](const CountOption& o) { return Store(ParseCount(text), o.min, o.max, config.*o.value); },
                     [&](const BytesOption& o) { return Store(ParseBytes(text), o.min, o.max, config.*o.value); },
                     [&](const DurationOption& o) { return Store(ParseDuration(text), o.min, o.max, config.*o.value); },
                     [&](const SwitchOption& o) {
                       const bool on = text == "true" || text == "1";
                       if (!on && text != "false" && text != "0") return false;
                       config.*o.value = on;
                       return true;
                     },
                 },
                 option.kind);
  if (stored) return absl::OkStatus();
  return InvalidArgument(where, ": expected ", ExpectedValue(option), ", found \"", text, "\"");
}

}  // namespace ks
