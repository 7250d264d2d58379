// Where values come from, and which of them contradict each other. The table itself is in config_options.cc. Tested by
// config_test.cc.
#include "cli/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/mapped_file.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "base/utf8.h"
#include "cli/config_backends.h"
#include "cli/config_file.h"
#include "telemetry/trace/otlp_http.h"

namespace ks {
namespace {

constexpr size_t kMaxConfigFileBytes = 1 << 20;
constexpr size_t kMaxServiceNameChars = 255;

// A character can become more than one token: a Hangul syllable decomposes into up to three letters.
constexpr int64_t kMaxTokensPerChar = 3;

// A pair of texts with every character escaped as a surrogate pair (\ud83d\ude00), and the rest of the JSON.
constexpr int64_t kBodyBytesPerChar = 2 * 12;
constexpr int64_t kBodyBytesAround = 1024;

std::string VariableName(std::string_view option) {
  std::string name = "KS_";
  for (const char c : option)
    name.push_back(c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  return name;
}

std::optional<size_t> FindOption(std::string_view name) {
  const auto options = ConfigOptions();
  for (size_t i = 0; i < options.size(); ++i) {
    if (options[i].name == name) return i;
  }
  return std::nullopt;
}

// Whether TOML's own type suits the option: a number is not given as a string, nor a switch as a number.
bool TypeFits(const ConfigOption& option, ConfigFileEntry::Type type) {
  using Type = ConfigFileEntry::Type;
  if (std::holds_alternative<CountOption>(option.kind)) return type == Type::kInteger;
  if (std::holds_alternative<ShareOption>(option.kind)) return type == Type::kInteger || type == Type::kFraction;
  if (std::holds_alternative<SwitchOption>(option.kind)) return type == Type::kBoolean;
  if (std::holds_alternative<BytesOption>(option.kind)) return type == Type::kInteger || type == Type::kString;
  return type == Type::kString;
}

std::string Describe(const ConfigFileEntry& entry) {
  switch (entry.type) {
    case ConfigFileEntry::Type::kString:
      return Cat("the string \"", entry.text, "\"");
    case ConfigFileEntry::Type::kInteger:
      return Cat("the integer ", entry.text);
    case ConfigFileEntry::Type::kFraction:
      return Cat("the fraction ", entry.text);
    case ConfigFileEntry::Type::kBoolean:
    case ConfigFileEntry::Type::kOther:
      break;
  }
  return entry.text;
}

absl::Status ApplyFile(const std::filesystem::path& path, LoadedConfig& config) {
  KS_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigFileBytes));
  KS_ASSIGN_OR_RETURN(const std::vector<ConfigFileEntry> entries, ParseConfigFile(text, path.string()));
  for (const ConfigFileEntry& entry : entries) {
    const std::string where = Cat(path.string(), ":", entry.line, ": ", entry.key);
    const auto index = FindOption(entry.key);
    if (!index) return InvalidArgument(where, ": unknown key (`kubesentiment serve --help` lists the options)");
    const ConfigOption& option = ConfigOptions()[*index];
    if (!TypeFits(option, entry.type)) {
      return InvalidArgument(where, ": expected ", ExpectedValue(option), ", found ", Describe(entry));
    }
    KS_RETURN_IF_ERROR(SetFromText(option, entry.text, where, config.values));
    config.sources[*index] = Cat("file ", path.string(), ":", entry.line);
  }
  return absl::OkStatus();
}

absl::Status ApplyEnvironment(const std::vector<std::string>& environment, LoadedConfig& config) {
  const auto options = ConfigOptions();
  for (const std::string_view variable : environment) {
    const std::string_view name = variable.substr(0, variable.find('='));
    if (name.size() == variable.size() || !name.starts_with("KS_")) continue;
    if (name.starts_with("KS_PORT") || name.starts_with("KS_SERVICE_")) continue;
    const auto option = std::find_if(options.begin(), options.end(),
                                     [&](const ConfigOption& o) { return VariableName(o.name) == name; });
    if (option == options.end()) {
      config.warnings.push_back(Cat("environment variable ", name, " is not an option and was ignored"));
      continue;
    }
    KS_RETURN_IF_ERROR(SetFromText(*option, variable.substr(name.size() + 1), name, config.values));
    config.sources[static_cast<size_t>(option - options.begin())] = Cat("environment ", name);
  }
  return absl::OkStatus();
}

absl::Status ApplyFlags(const std::vector<std::pair<std::string, std::string>>& flags, LoadedConfig& config) {
  for (const auto& [name, text] : flags) {
    const auto index = FindOption(name);
    if (!index) return Internal("flag --", name, " is not in the table of options");
    KS_RETURN_IF_ERROR(SetFromText(ConfigOptions()[*index], text, Cat("--", name), config.values));
    config.sources[*index] = "flag";
  }
  return absl::OkStatus();
}

// `name` as a TOML basic string.
std::string QuoteToml(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted += {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + '"';
}

absl::Status CheckTraces(const ServeConfig& config) {
  if (!config.otlp_endpoint.empty()) {
    KS_RETURN_IF_ERROR(WithContext(ParseOtlpEndpoint(config.otlp_endpoint).status(), "otlp-endpoint"));
  }
  const std::string& name = config.trace_service_name;
  if (name.empty() || name.size() > kMaxServiceNameChars || !IsPrintableAscii(name)) {
    return InvalidArgument("trace-service-name: expected 1 to ", kMaxServiceNameChars,
                           " printable ASCII characters, found \"", name, "\"");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LoadedConfig> LoadConfig(const ServeConfig& defaults, const ConfigSources& sources) {
  LoadedConfig config;
  config.values = defaults;
  config.sources.assign(ConfigOptions().size(), "default");
  if (sources.file) KS_RETURN_IF_ERROR(ApplyFile(*sources.file, config));
  KS_RETURN_IF_ERROR(ApplyEnvironment(sources.environment, config));
  KS_RETURN_IF_ERROR(ApplyFlags(sources.flags, config));
  return config;
}

absl::Status CheckConfig(const ServeConfig& config) {
  if (config.max_queue_tokens < config.max_batch_tokens) {
    return InvalidArgument("max-queue-tokens (", config.max_queue_tokens, ") is below max-batch-tokens (",
                           config.max_batch_tokens, "): a batch of that size could never be admitted");
  }
  const int64_t body_bytes = kBodyBytesPerChar * config.max_text_chars + kBodyBytesAround;
  if (config.max_body_bytes < body_bytes) {
    return InvalidArgument("max-body-bytes (", config.max_body_bytes, ") is below what max-text-chars (",
                           config.max_text_chars, ") may need: ", body_bytes,
                           " bytes for a pair of such texts with every character escaped");
  }
  if (config.protect_metrics && config.api_key_file.empty()) {
    return InvalidArgument("protect-metrics is true but api-key-file is not set: there is no key to ask for");
  }
  KS_RETURN_IF_ERROR(CheckTraces(config));
  KS_RETURN_IF_ERROR(CheckBackends(config));
  return ParseListen(config.listen).status();
}

absl::Status CheckConfigWithModel(const ServeConfig& config, int window, int special_tokens) {
  const int64_t content = window - special_tokens;  // of one window
  if (content < 1) {
    return DataLoss("the model's window is ", window, " tokens, ", special_tokens,
                    " of them special: no room for a text");
  }
  const int64_t text_tokens = kMaxTokensPerChar * config.max_text_chars;
  const int64_t windows = (text_tokens + content - 1) / content;
  const int64_t needed = text_tokens + windows * special_tokens;
  if (config.max_batch_tokens >= needed) return absl::OkStatus();
  return InvalidArgument("max-batch-tokens (", config.max_batch_tokens, ") is below what one text of max-text-chars (",
                         config.max_text_chars, ") may need: ", needed, " tokens in ", windows, " windows");
}

std::optional<std::string> RateWarning(const ServeConfig& config, double tokens_per_second) {
  const double seconds = static_cast<double>(config.max_batch_tokens) / tokens_per_second;
  if (seconds <= Seconds(config.default_deadline)) return std::nullopt;
  return Cat("a batch of max-batch-tokens (", config.max_batch_tokens, ") takes about ",
             static_cast<int64_t>(std::ceil(seconds)), " s at the measured ", static_cast<int64_t>(tokens_per_second),
             " tokens/s, longer than default-deadline (", FormatDuration(config.default_deadline), ")");
}

std::string PrintConfig(const LoadedConfig& config) {
  std::string text;
  const auto options = ConfigOptions();
  for (size_t i = 0; i < options.size(); ++i) {
    const std::string value = FormatValue(options[i], config.values);
    text +=
        Cat(options[i].name, " = ", options[i].is_bare() ? value : QuoteToml(value), "  # ", config.sources[i], "\n");
  }
  return text;
}

std::string ConfigMarkdown() {
  const ServeConfig defaults;
  std::string table = "| option | takes | default | meaning |\n|---|---|---|---|\n";
  for (const ConfigOption& option : ConfigOptions()) {
    const std::string value = FormatValue(option, defaults);
    const std::string shown = value.empty() ? "" : Cat("`", value, "`");
    table += Cat("| `", option.name, "` | ", ExpectedValue(option), " | ", shown, " | ", option.meaning, " |\n");
  }
  return table;
}

absl::StatusOr<ListenAddress> ParseListen(std::string_view listen) {
  const auto fail = [&] {
    return InvalidArgument("listen: expected ADDRESS:PORT, such as 127.0.0.1:8000 or [::1]:8000, found \"", listen,
                           "\"");
  };
  const size_t colon = listen.rfind(':');
  if (colon == std::string_view::npos) return fail();
  std::string_view host = listen.substr(0, colon);
  const std::string_view port_text = listen.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fail();  // an IPv6 address without brackets: which colon begins the port?
  }
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (host.empty() || error != std::errc() || end != port_text.data() + port_text.size()) return fail();
  return ListenAddress{std::string(host), port};
}

}  // namespace ks
