// The JSON is ours; spdlog filters by level and writes whole lines. Tested by log_test.cc.
#include "telemetry/log.h"

#include <array>
#include <chrono>
#include <mutex>
#include <utility>

#include "base/json_writer.h"
#include "base/utc_time.h"
#include "base/utf8.h"
#include "spdlog/logger.h"
#include "spdlog/sinks/base_sink.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace ks {
namespace {

struct LevelName {
  LogLevel level;
  std::string_view name;
  spdlog::level::level_enum of_spdlog;
};
constexpr std::array<LevelName, 5> kLevels = {{{LogLevel::kDebug, "debug", spdlog::level::debug},
                                               {LogLevel::kInfo, "info", spdlog::level::info},
                                               {LogLevel::kWarning, "warning", spdlog::level::warn},
                                               {LogLevel::kError, "error", spdlog::level::err},
                                               {LogLevel::kOff, "off", spdlog::level::off}}};

const LevelName& Of(LogLevel level) { return kLevels[static_cast<size_t>(level)]; }

class CallbackSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit CallbackSink(Log::Sink write) : write_(std::move(write)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    write_(std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}
  Log::Sink write_;
};

// File names, header values and runtimes' messages may hold any bytes; a line must stay JSON.
std::string ToValidUtf8(std::string_view text) {
  std::string valid;
  while (const std::optional<size_t> bad = FindInvalidUtf8(text)) {
    valid.append(text, 0, *bad);
    AppendUtf8(U'\uFFFD', valid);
    text.remove_prefix(*bad + 1);
  }
  valid.append(text);
  return valid;
}

std::string Line(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  JsonWriter json;
  json.BeginObject();
  json.Key("time").String(FormatUtc(std::chrono::system_clock::now()));
  json.Key("level").String(Of(level).name);
  json.Key("message").String(ToValidUtf8(message));
  for (const LogField& field : fields) {
    json.Key(field.key);
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      json.String(ToValidUtf8(*text));
    } else if (const auto* integer = std::get_if<int64_t>(&field.value)) {
      json.Int(*integer);
    } else if (const auto* number = std::get_if<double>(&field.value)) {
      json.Double(*number);
    } else {
      json.Bool(std::get<bool>(field.value));
    }
  }
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (const LevelName& level : kLevels) {
    if (level.name == name) return level.level;
  }
  return std::nullopt;
}

struct Log::Impl {
  Impl(LogLevel level, spdlog::sink_ptr sink) : logger("kubesentiment", std::move(sink)) {
    logger.set_pattern("%v");
    logger.set_level(Of(level).of_spdlog);
    logger.flush_on(spdlog::level::trace);
  }
  spdlog::logger logger;
};

Log::Log(LogLevel level) : impl_(std::make_unique<Impl>(level, std::make_shared<spdlog::sinks::stderr_sink_mt>())) {}

Log::Log(LogLevel level, Sink sink)
    : impl_(std::make_unique<Impl>(level, std::make_shared<CallbackSink>(std::move(sink)))) {}

Log::~Log() = default;

bool Log::enabled(LogLevel level) const { return impl_->logger.should_log(Of(level).of_spdlog); }

void Log::Write(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  if (!enabled(level)) return;
  const std::string line = Line(level, message, fields);
  impl_->logger.log(Of(level).of_spdlog, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace ks
