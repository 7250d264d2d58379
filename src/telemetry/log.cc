// Makes the JSON; line_writer.h brings it to stderr. Tested by log_test.cc.
#include "telemetry/log.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <utility>

#include "base/json_writer.h"
#include "base/mutex.h"
#include "base/utc_time.h"
#include "base/utf8.h"
#include "telemetry/line_writer.h"

namespace ks {
namespace {

struct LevelName {
  LogLevel level;
  std::string_view name;
};
constexpr std::array<LevelName, 5> kLevels = {{{LogLevel::kDebug, "debug"},
                                               {LogLevel::kInfo, "info"},
                                               {LogLevel::kWarning, "warning"},
                                               {LogLevel::kError, "error"},
                                               {LogLevel::kOff, "off"}}};

std::string_view NameOf(LogLevel level) { return kLevels[static_cast<size_t>(level)].name; }

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
  json.Key("level").String(NameOf(level));
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
  const LogLevel level;
  std::unique_ptr<LineWriter> writer;  // or
  Sink sink;
  Mutex sink_mutex{};
};

Log::Log(LogLevel level)
    : impl_(new Impl{.level = level,
                     .writer = std::make_unique<LineWriter>(
                         STDERR_FILENO,
                         [](int64_t dropped) {
                           const LogField count("lines", dropped);
                           return Line(LogLevel::kWarning, "log lines dropped: stderr was not read fast enough",
                                       {&count, 1});
                         },
                         LineWriter::Options()),
                     .sink = nullptr}) {}

Log::Log(LogLevel level, Sink sink) : impl_(new Impl{.level = level, .writer = nullptr, .sink = std::move(sink)}) {}

Log::~Log() = default;

bool Log::enabled(LogLevel level) const { return level != LogLevel::kOff && level >= impl_->level; }

void Log::Write(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  if (!enabled(level)) return;
  const std::string line = Line(level, message, fields);
  if (impl_->writer != nullptr) return impl_->writer->Write(line);
  MutexLock lock(impl_->sink_mutex);
  impl_->sink(line);
}

int64_t Log::dropped() const { return impl_->writer == nullptr ? 0 : impl_->writer->dropped(); }

}  // namespace ks
