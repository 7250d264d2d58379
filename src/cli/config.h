// The settings of `serve`: one table of options, from which the flags, the KS_ variables, the keys of the file,
// --print-config and the table in docs/cli.md come.
//
// One name, three spellings: `--max-queue-tokens`, `KS_MAX_QUEUE_TOKENS`, key `max-queue-tokens`. A flag beats the
// environment, the environment beats the file, the file beats the default.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"

namespace ks {

// The initialisers are the defaults.
struct ServeConfig {
  std::string model;  // empty: the model beside the program
  std::string listen = "127.0.0.1:8000";
  std::string backend = "onnx";
  std::string allowed_backends;  // separated by commas; `backend` always is one
  std::string canary_backend = "none";
  double canary_share = 0;
  std::string shadow_backend = "none";
  double shadow_share = 0;
  std::string precision = "auto";
  std::string isa = "auto";
  int64_t threads = 0;

  int64_t max_text_chars = 10000;
  int64_t max_batch_texts = 1000;
  int64_t max_batch_tokens = 65536;
  int64_t max_body_bytes = 8 << 20;
  int64_t max_header_bytes = 32 << 10;
  Duration header_timeout = std::chrono::seconds(10);
  Duration body_timeout = std::chrono::seconds(30);
  Duration idle_timeout = std::chrono::seconds(75);
  int64_t max_connections = 10000;

  int64_t max_queue_tokens = 131072;
  Duration default_deadline = std::chrono::seconds(10);
  Duration drain_delay = std::chrono::seconds(5);
  Duration drain_timeout = std::chrono::seconds(30);
  Duration stall_timeout = std::chrono::seconds(30);

  std::string api_key_file;
  bool protect_metrics = false;
  std::string log_level = "info";
  bool access_log = true;
  std::string otlp_endpoint;  // empty: no traces
  double trace_sample_ratio = 1;
  std::string trace_service_name = "kubesentiment";
  bool verify = false;
};

// What an option takes, and where its value goes.
struct TextOption {
  std::string ServeConfig::* value;
};
struct ChoiceOption {
  std::string ServeConfig::* value;
  std::vector<std::string_view> choices;
};
// Any of the choices, separated by commas; none is possible too.
struct NamesOption {
  std::string ServeConfig::* value;
  std::vector<std::string_view> choices;
};
// From 0 to 1.
struct ShareOption {
  double ServeConfig::* value;
};
struct CountOption {
  int64_t ServeConfig::* value;
  int64_t min, max;
};
struct BytesOption {
  int64_t ServeConfig::* value;
  int64_t min, max;
};
struct DurationOption {
  Duration ServeConfig::* value;
  Duration min, max;
};
struct SwitchOption {
  bool ServeConfig::* value;
};

struct ConfigOption {
  std::string_view name;
  std::variant<TextOption, ChoiceOption, NamesOption, ShareOption, CountOption, BytesOption, DurationOption,
               SwitchOption>
      kind;
  std::string_view meaning;

  // Whether the value is a number or a truth value in TOML, written without quotes.
  bool is_bare() const {
    return std::holds_alternative<CountOption>(kind) || std::holds_alternative<ShareOption>(kind) ||
           std::holds_alternative<SwitchOption>(kind);
  }
};

// Every option of `serve`, in the order in which people are shown them.
std::span<const ConfigOption> ConfigOptions();

// "an integer from 1 to 100000", "a duration from 1ms to 1h (such as 250ms or 5s)": what the messages expect.
std::string ExpectedValue(const ConfigOption& option);

// The value as a user would write it.
std::string FormatValue(const ConfigOption& option, const ServeConfig& config);

// Sets the option from text. kInvalidArgument "<where>: expected <ExpectedValue>, found "<text>"".
absl::Status SetFromText(const ConfigOption& option, std::string_view text, std::string_view where,
                         ServeConfig& config);

struct ConfigSources {
  std::optional<std::filesystem::path> file = {};               // TOML, flat
  std::vector<std::string> environment = {};                    // "NAME=value", as in environ
  std::vector<std::pair<std::string, std::string>> flags = {};  // option name, text
};

struct LoadedConfig {
  ServeConfig values;
  std::vector<std::string> sources;   // where each value came from, in the order of ConfigOptions()
  std::vector<std::string> warnings;  // for the log: unknown KS_ variables, by name only
};

// Puts `defaults` and the sources together.
//
// Variables of the shapes KS_PORT* and KS_SERVICE_* are what Kubernetes injects for a Service named ks: never options,
// ignored. Another unknown KS_ variable is a warning (it may be a typing error, or another program's).
// Errors: kInvalidArgument naming option, expected and found, and file and line where it came from one (an unknown key,
// a wrong type, TOML syntax); kNotFound and kPermissionDenied for the file itself.
absl::StatusOr<LoadedConfig> LoadConfig(const ServeConfig& defaults, const ConfigSources& sources);

// Whether every legal request can run, as far as that can be told without a model, and whether the settings can be used at
// all. kInvalidArgument naming the setting, or both.
absl::Status CheckConfig(const ServeConfig& config);

// The same with a model whose sequences hold `window` tokens, `special_tokens` of them its own: all windows of one text
// must fit into a batch.
absl::Status CheckConfigWithModel(const ServeConfig& config, int window, int special_tokens);

// Where the largest legal batch takes longer than a request has by default, at a rate that was measured, a warning
// naming both settings; otherwise nothing. Requires tokens_per_second > 0.
std::optional<std::string> RateWarning(const ServeConfig& config, double tokens_per_second);

// The effective values as a configuration file with their sources as comments.
std::string PrintConfig(const LoadedConfig& config);

// The rows of the table in docs/cli.md.
std::string ConfigMarkdown();

struct ListenAddress {
  std::string host;   // without the brackets of an IPv6 address
  uint16_t port = 0;  // 0: any free one
};
// "127.0.0.1:8000", "[::1]:8000", "localhost:0". kInvalidArgument naming `listen`.
absl::StatusOr<ListenAddress> ParseListen(std::string_view listen);

}  // namespace ks
