// `health`: asks a running server whether it is ready, for container runtimes and scripts without curl.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/http_client.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/status.h"
#include "base/units.h"
#include "cli/commands.h"

namespace ks {
namespace {

constexpr size_t kShownBytes = 300;
constexpr std::string_view kReady = "/health/ready";

struct Flags {
  std::string url = "http://127.0.0.1:8000";
  std::string timeout = "2s";
  bool json = false;
};

struct Finding {
  std::optional<int> status;  // none where no answer came
  std::string reason;         // empty where the server is healthy
  Duration time{0};

  bool healthy() const { return reason.empty(); }
};

// The start of what somebody sent, fit for a terminal and for JSON.
std::string Printable(std::string_view text) {
  std::string shown(text.substr(0, kShownBytes));
  std::ranges::replace_if(shown, [](char c) { return c < 0x20 || c > 0x7E; }, '?');
  return shown;
}

// "the package is damaged (E2001)" of our own errors, of any other answer the start of its first line.
std::string ReasonIn(const std::string& body) {
  if (const absl::StatusOr<JsonDocument> document = JsonDocument::Parse(body, ""); document.ok()) {
    const JsonValue root = document->root();
    if (const absl::StatusOr<JsonObject> object = root.AsObject(); object.ok()) {
      const absl::StatusOr<std::string_view> message = object->RequireString("error_message");
      const absl::StatusOr<std::string_view> code = object->RequireString("error_code");
      if (message.ok() && code.ok()) return Cat(Printable(*message), " (", Printable(*code), ")");
    }
  }
  const std::string line = Printable(std::string_view(body).substr(0, body.find_first_of("\r\n")));
  return line.empty() ? "without a reason" : line;
}

Finding Ask(const HttpUrl& url, Duration timeout) {
  const TimePoint asked = SystemClock().Now();
  const absl::StatusOr<HttpAnswer> answer = HttpGet(url, timeout);
  Finding finding;
  finding.time = SystemClock().Now() - asked;
  if (!answer.ok()) {
    finding.reason = ToStd(answer.status().message());
    return finding;
  }
  finding.status = answer->status;
  if (answer->status / 100 != 2) finding.reason = Cat("status ", answer->status, ": ", ReasonIn(answer->body));
  return finding;
}

std::string AsJson(const std::string& url, const Finding& finding) {
  JsonWriter json;
  json.BeginObject().Key("url").String(url).Key("healthy").Bool(finding.healthy()).Key("status");
  if (finding.status) {
    json.Int(*finding.status);
  } else {
    json.Null();
  }
  json.Key("reason").String(finding.reason).Key("time_ms").Fixed(Milliseconds(finding.time), 3).EndObject();
  return std::move(json).Take();
}

int RunHealth(Flags flags) {
  absl::StatusOr<HttpUrl> url = ParseHttpUrl(flags.url);
  if (!url.ok()) return Fail(WithContext(url.status(), "--url"));
  if (url->target == "/") {  // a server's address alone
    url->target = kReady;
    flags.url = Cat("http://", url->authority(), kReady);
  }
  const std::optional<Duration> timeout = ParseDuration(flags.timeout);
  if (!timeout || *timeout < std::chrono::milliseconds(1) || *timeout > std::chrono::hours(1)) {
    return Fail(InvalidArgument("--timeout: expected a duration from 1ms to 1h (such as 500ms or 2s), found \"",
                                flags.timeout, "\""));
  }
  const Finding finding = Ask(*url, *timeout);
  if (flags.json) {
    std::printf("%s\n", AsJson(flags.url, finding).c_str());
  } else if (finding.healthy()) {
    std::printf("%s: status %d\n", flags.url.c_str(), *finding.status);
  }
  if (finding.healthy()) return kExitDone;
  return Fail(absl::UnavailableError(Cat(flags.url, ": ", finding.reason)), kExitFailed);
}

}  // namespace

Command HealthCommand() {
  auto flags = std::make_shared<Flags>();
  return {.name = "health",
          .summary = "Asks a running server whether it is ready: exit code 0 if so, otherwise 1 and the reason",
          .flags = {{"--url", &flags->url, "URL", "what to ask, by itself /health/ready (http://127.0.0.1:8000)"},
                    {"--timeout", &flags->timeout, "DURATION", "for the whole answer (2s)"},
                    {"--json", &flags->json, "", "as one JSON object"}},
          .run = [flags] { return RunHealth(*flags); }};
}

}  // namespace ks
