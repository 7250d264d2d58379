// Logs: one JSON object a line on stderr. Never a text, a key or an Authorization value: of a text, position, type and
// length only.
//
//   log.Info("listening", {{"address", "127.0.0.1:8000"}, {"threads", 2}});
//   {"time":"2026-01-31T12:00:00.000Z","level":"info","message":"listening","address":"127.0.0.1:8000","threads":2}
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace ks {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// "debug", "info", "warning", "error", "off"; nothing for another name.
std::optional<LogLevel> ParseLogLevel(std::string_view name);

// A member of the line. Views: used before the call returns.
struct LogField {
  LogField(std::string_view key_in, std::string_view text) : key(key_in), value(text) {}
  LogField(std::string_view key_in, const char* text) : key(key_in), value(std::string_view(text)) {}
  LogField(std::string_view key_in, const std::string& text) : key(key_in), value(std::string_view(text)) {}
  LogField(std::string_view key_in, bool flag) : key(key_in), value(flag) {}
  LogField(std::string_view key_in, double number) : key(key_in), value(number) {}
  template <std::integral T>
  LogField(std::string_view key_in, T number) : key(key_in), value(static_cast<int64_t>(number)) {}

  std::string_view key;
  std::variant<std::string_view, int64_t, double, bool> value;
};

// All methods are safe from any thread; lines never mix.
class Log {
 public:
  // Receives each line, without its newline, before the call that logs returns; one call at a time.
  using Sink = std::function<void(std::string_view line)>;

  // To stderr, through a LineWriter: logging never waits. Where stderr is not read, lines are dropped and counted, and a
  // line tells of it once there is room again.
  explicit Log(LogLevel level);
  Log(LogLevel level, Sink sink);
  // Writes what waits, for half a second at most.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool enabled(LogLevel level) const;
  // Bytes in `message` or a field that are not UTF-8 become U+FFFD.
  void Write(LogLevel level, std::string_view message, std::span<const LogField> fields);

  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kDebug, message, fields);
  }
  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kInfo, message, fields);
  }
  void Warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kWarning, message, fields);
  }
  void Error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kError, message, fields);
  }

  // Lines that never reached stderr, over the log's life.
  int64_t dropped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ks
