#include "cli/config.h"

#include <filesystem>
#include <fstream>

#include "base/mapped_file.h"
#include "base/testing/temp_directory.h"
#include "cli/config_backends.h"
#include "cli/config_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/dispatch.h"

namespace ks {
namespace {
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A file that is removed at the end.
class TempFile {
 public:
  explicit TempFile(std::string_view content) { std::ofstream(path_, std::ios::binary) << content; }
  const std::filesystem::path& path() const { return path_; }

 private:
  const TempDirectory directory_;
  const std::filesystem::path path_ = directory_ / "serve.toml";
};

absl::StatusOr<LoadedConfig> LoadFile(std::string_view content) {
  const TempFile file(content);
  return LoadConfig({}, {.file = file.path()});
}

absl::StatusOr<LoadedConfig> LoadEnvironment(std::vector<std::string> environment) {
  return LoadConfig({}, {.environment = std::move(environment)});
}

void ExpectError(const absl::Status& status, absl::StatusCode code, std::vector<std::string> parts) {
  EXPECT_EQ(status.code(), code) << status;
  for (const std::string& part : parts) EXPECT_THAT(std::string(status.message()), HasSubstr(part));
}

std::string SourceOf(const LoadedConfig& config, std::string_view name) {
  const auto options = ConfigOptions();
  for (size_t i = 0; i < options.size(); ++i) {
    if (options[i].name == name) return config.sources[i];
  }
  return "no such option";
}

TEST(Config, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  const TempFile file("threads = 1\nmax-connections = 11\nmax-batch-texts = 12\n");
  const auto config = LoadConfig(
      {}, {.file = file.path(), .environment = {"KS_THREADS=2", "KS_MAX_CONNECTIONS=21"}, .flags = {{"threads", "3"}}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->values.threads, 3);
  EXPECT_EQ(config->values.max_connections, 21);
  EXPECT_EQ(config->values.max_batch_texts, 12);
  EXPECT_EQ(config->values.max_text_chars, 10000);
  EXPECT_EQ(SourceOf(*config, "threads"), "flag");
  EXPECT_EQ(SourceOf(*config, "max-connections"), "environment KS_MAX_CONNECTIONS");
  EXPECT_EQ(SourceOf(*config, "max-batch-texts"), "file " + file.path().string() + ":3");
  EXPECT_EQ(SourceOf(*config, "max-text-chars"), "default");
}

TEST(Config, EveryOptionHasThreeSpellings) {
  const ServeConfig defaults;
  for (const ConfigOption& option : ConfigOptions()) {
    const std::string value = FormatValue(option, defaults);
    std::string variable = "KS_";
    for (const char c : option.name) variable += c == '-' ? '_' : static_cast<char>(std::toupper(c));
    const std::string quoted = option.is_bare() ? value : '"' + value + '"';
    const auto from_file = LoadFile(std::string(option.name) + " = " + quoted + "\n");
    EXPECT_TRUE(from_file.ok()) << from_file.status();
    const auto from_environment = LoadEnvironment({variable + "=" + value});
    ASSERT_TRUE(from_environment.ok()) << from_environment.status();
    EXPECT_EQ(SourceOf(*from_environment, option.name), "environment " + variable);
    const auto from_flag = LoadConfig({}, {.flags = {{std::string(option.name), value}}});
    EXPECT_TRUE(from_flag.ok()) << from_flag.status();
  }
}

TEST(Config, ReadsEveryKindOfValueFromTheFile) {
  const auto config = LoadFile(
      "listen = \"[::1]:9000\"  # a comment\n"
      "max-body-bytes = 1048576\nmax-header-bytes = \"64KiB\"\n"
      "drain-delay = \"250ms\"\ncanary-share = 0.25\nshadow-share = 1\n"
      "allowed-backends = \"pytorch,onnx\"\nprotect-metrics = true\nlog-level = \"debug\"\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->values.listen, "[::1]:9000");
  EXPECT_EQ(config->values.max_body_bytes, 1 << 20);
  EXPECT_EQ(config->values.max_header_bytes, 64 << 10);
  EXPECT_EQ(config->values.drain_delay, std::chrono::milliseconds(250));
  EXPECT_EQ(config->values.canary_share, 0.25);
  EXPECT_EQ(config->values.shadow_share, 1);
  EXPECT_EQ(config->values.allowed_backends, "pytorch,onnx");
  EXPECT_TRUE(config->values.protect_metrics);
  EXPECT_EQ(config->values.log_level, "debug");
}

TEST(Config, UnknownKeyIsAnErrorWithFileAndLine) {
  ExpectError(LoadFile("threads = 1\nmax-queue-tokns = 5\n").status(), absl::StatusCode::kInvalidArgument,
              {".toml:2: max-queue-tokns", "unknown key"});
  ExpectError(LoadFile("[server]\nthreads = 1\n").status(), absl::StatusCode::kInvalidArgument,
              {":1: server", "unknown key"});
}

TEST(Config, WrongTypeNamesKeyExpectedAndFound) {
  ExpectError(LoadFile("threads = \"2\"\n").status(), absl::StatusCode::kInvalidArgument,
              {".toml:1: threads: expected an integer from 0 to 1024, found the string \"2\""});
  ExpectError(LoadFile("verify = 1\n").status(), absl::StatusCode::kInvalidArgument,
              {"verify: expected true or false, found the integer 1"});
  ExpectError(LoadFile("drain-delay = 5\n").status(), absl::StatusCode::kInvalidArgument,
              {"drain-delay: expected a duration", "found the integer 5"});
  ExpectError(LoadFile("threads = [1]\n").status(), absl::StatusCode::kInvalidArgument, {"threads", "found an array"});
  ExpectError(LoadFile("threads = 1.5\n").status(), absl::StatusCode::kInvalidArgument,
              {"threads", "found the fraction 1.5"});
  ExpectError(LoadFile("canary-share = \"0.5\"\n").status(), absl::StatusCode::kInvalidArgument,
              {"canary-share: expected a number from 0 to 1, found the string \"0.5\""});
  ExpectError(LoadFile("listen.port = 1\n").status(), absl::StatusCode::kInvalidArgument, {"listen", "found a table"});
}

TEST(Config, ValueOutOfRangeNamesWhereExpectedAndFound) {
  ExpectError(LoadFile("threads = 1025\n").status(), absl::StatusCode::kInvalidArgument,
              {":1: threads: expected an integer from 0 to 1024, found \"1025\""});
  ExpectError(LoadEnvironment({"KS_MAX_CONNECTIONS=0"}).status(), absl::StatusCode::kInvalidArgument,
              {"KS_MAX_CONNECTIONS: expected an integer from 1 to 1000000, found \"0\""});
  ExpectError(LoadConfig({}, {.flags = {{"drain-delay", "5"}}}).status(), absl::StatusCode::kInvalidArgument,
              {"--drain-delay: expected a duration", "found \"5\""});
  ExpectError(LoadConfig({}, {.flags = {{"backend", "tensorflow"}}}).status(), absl::StatusCode::kInvalidArgument,
              {"--backend: expected onnx or pytorch, found \"tensorflow\""});
  for (const char* share : {"-0.1", "1.01", "nan", "10%", ""}) {
    ExpectError(LoadConfig({}, {.flags = {{"shadow-share", share}}}).status(), absl::StatusCode::kInvalidArgument,
                {"--shadow-share: expected a number from 0 to 1, found \"" + std::string(share) + "\""});
  }
  for (const char* names : {"onnx,", ",onnx", "onnx pytorch", "tensorflow", "onnx,tensorflow"}) {
    ExpectError(LoadConfig({}, {.flags = {{"allowed-backends", names}}}).status(), absl::StatusCode::kInvalidArgument,
                {"--allowed-backends: expected any of onnx or pytorch, separated by commas"});
  }
  ExpectError(LoadConfig({}, {.flags = {{"verify", "yes"}}}).status(), absl::StatusCode::kInvalidArgument,
              {"--verify: expected true or false, found \"yes\""});
}

TEST(Config, FileErrorsNameTheFile) {
  ExpectError(LoadConfig({}, {.file = "/nonexistent/ks.toml"}).status(), absl::StatusCode::kNotFound,
              {"/nonexistent/ks.toml"});
  ExpectError(LoadFile("threads = \n").status(), absl::StatusCode::kInvalidArgument, {".toml:1:"});
  ExpectError(LoadFile("threads = 1\nthreads = 2\n").status(), absl::StatusCode::kInvalidArgument,
              {".toml:2:", "threads"});
}

TEST(Config, KubernetesVariablesAreIgnored) {
  const auto config =
      LoadEnvironment({"KS_PORT=tcp://10.0.0.1:8000", "KS_PORT_8000_TCP_ADDR=10.0.0.1", "KS_SERVICE_HOST=10.0.0.1",
                       "KS_SERVICE_PORT=8000", "PATH=/bin", "KSX=1", "KS_"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings, IsEmpty());
}

TEST(Config, UnknownVariableIsAWarningWithoutItsValue) {
  const auto config = LoadEnvironment({"KS_MAX_QUEUE_TOKNES=1", "KS_API_KEY=hunter2"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings,
              ElementsAre(HasSubstr("KS_MAX_QUEUE_TOKNES"), AllOf(HasSubstr("KS_API_KEY"), Not(HasSubstr("hunter2")))));
}

TEST(Config, DefaultsAreConsistent) {
  EXPECT_EQ(CheckConfig({}), absl::OkStatus());
  EXPECT_EQ(CheckConfigWithModel({}, 256, 2), absl::OkStatus());
}

TEST(Config, RefusesSettingsUnderWhichALegalRequestCouldNeverRun) {
  ServeConfig config;
  config.max_queue_tokens = config.max_batch_tokens - 1;
  ExpectError(CheckConfig(config), absl::StatusCode::kInvalidArgument,
              {"max-queue-tokens (65535)", "max-batch-tokens (65536)"});
  config.max_queue_tokens = config.max_batch_tokens;
  EXPECT_EQ(CheckConfig(config), absl::OkStatus());

  config = {};
  config.max_body_bytes = 24 * config.max_text_chars + 1024 - 1;
  ExpectError(CheckConfig(config), absl::StatusCode::kInvalidArgument,
              {"max-body-bytes (241023)", "max-text-chars (10000)", "241024"});
  ++config.max_body_bytes;
  EXPECT_EQ(CheckConfig(config), absl::OkStatus());

  config = {};
  config.protect_metrics = true;
  ExpectError(CheckConfig(config), absl::StatusCode::kInvalidArgument, {"protect-metrics", "api-key-file"});
}

TEST(Config, RefusesBackendsThatContradictEachOther) {
  const auto refuses = [](const ServeConfig& config, const std::string& message) {
    ExpectError(CheckConfig(config), absl::StatusCode::kInvalidArgument, {message});
  };
  ServeConfig config;
  config.canary_backend = "onnx";
  refuses(config, "canary-backend is onnx, as backend is: expected another one");
  config = {};
  config.shadow_backend = "pytorch";
  config.backend = "pytorch";
  refuses(config, "shadow-backend is pytorch, as backend is: expected another one");
  config = {};
  config.canary_share = 0.1;
  refuses(config, "canary-share is 0.1 but canary-backend is none");
  config = {};
  config.shadow_share = 1;
  refuses(config, "shadow-share is 1 but shadow-backend is none");
  config = {};
  config.backend = "pytorch";
  config.precision = "int8";
  refuses(config, "precision is int8 but backend is pytorch, which has fp32 alone");
  config.canary_backend = "onnx";
  EXPECT_EQ(CheckConfig(config), absl::OkStatus()) << "the canary has int8";
}

TEST(Config, RefusesAnInstructionSetThatTheCpuLacks) {
  ServeConfig config;
  for (const char* name : {"auto", "scalar"}) {
    config.isa = name;
    EXPECT_EQ(CheckConfig(config), absl::OkStatus());
  }
  config.isa = "avx512vnni";
  if (IsSupported(IsaLevel::kAvx512Vnni)) {
    EXPECT_EQ(CheckConfig(config), absl::OkStatus());
  } else {
    ExpectError(CheckConfig(config), absl::StatusCode::kInvalidArgument,
                {"isa is avx512vnni, which this CPU lacks; it has scalar"});
  }
}

TEST(Config, SaysWhatToLoadAndWhoAnswers) {
  ServeConfig config;
  EXPECT_EQ(LoadOptionsOf(config).backend, "onnx");
  EXPECT_THAT(LoadOptionsOf(config).more_backends, IsEmpty());
  EXPECT_EQ(LoadOptionsOf(config).shadow_backend, "");
  EXPECT_EQ(RoutingOf(config).canary, "");
  EXPECT_EQ(RoutingOf(config).shadow, "");

  config.backend = "pytorch";
  config.allowed_backends = "pytorch,onnx";
  config.canary_backend = "onnx";
  config.canary_share = 0.05;
  config.shadow_backend = "onnx";
  config.shadow_share = 0.5;
  const LoadOptions load = LoadOptionsOf(config);
  EXPECT_EQ(load.backend, "pytorch");
  EXPECT_THAT(load.more_backends, ElementsAre("pytorch", "onnx", "onnx"));
  EXPECT_EQ(load.shadow_backend, "onnx");
  const RoutingOptions routing = RoutingOf(config);
  EXPECT_THAT(routing.allowed, ElementsAre("pytorch", "onnx"));
  EXPECT_EQ(routing.canary, "onnx");
  EXPECT_EQ(routing.canary_share, 0.05);
  EXPECT_EQ(routing.shadow, "onnx");
  EXPECT_EQ(routing.shadow_share, 0.5);
}

TEST(Config, RefusesABatchThatCannotHoldOneText) {
  ServeConfig config;
  config.max_text_chars = 100;  // at most 300 tokens, in 3 windows of 126 and 2 special tokens each
  config.max_batch_tokens = 305;
  ExpectError(CheckConfigWithModel(config, 128, 2), absl::StatusCode::kInvalidArgument,
              {"max-batch-tokens (305)", "max-text-chars (100)", "306 tokens in 3 windows"});
  config.max_batch_tokens = 306;
  EXPECT_EQ(CheckConfigWithModel(config, 128, 2), absl::OkStatus());
  ExpectError(CheckConfigWithModel(config, 2, 2), absl::StatusCode::kDataLoss, {"window is 2 tokens"});
}

TEST(Config, WarnsWhereTheLargestBatchMissesTheDefaultDeadline) {
  ServeConfig config;
  config.max_batch_tokens = 60000;
  config.default_deadline = std::chrono::seconds(10);
  EXPECT_EQ(RateWarning(config, 6000), std::nullopt);
  EXPECT_THAT(RateWarning(config, 5999).value_or(""),
              AllOf(HasSubstr("max-batch-tokens (60000)"), HasSubstr("11 s"), HasSubstr("5999 tokens/s"),
                    HasSubstr("default-deadline (10s)")));
}

TEST(Config, RefusesTracesThatCouldNotBeSent) {
  ServeConfig config;
  config.otlp_endpoint = "http://collector:4318";
  EXPECT_TRUE(CheckConfig(config).ok());
  config.otlp_endpoint = "https://collector:4318";
  ExpectError(CheckConfig(config), absl::StatusCode::kInvalidArgument, {"otlp-endpoint: https is not supported"});
  config.otlp_endpoint = "collector:4318";
  ExpectError(CheckConfig(config), absl::StatusCode::kInvalidArgument, {"otlp-endpoint: expected http://HOST"});
  config.otlp_endpoint = "";
  for (const std::string& name : {std::string(), std::string(256, 'x'), std::string("a\n"), std::string("\xC3\xA4")}) {
    config.trace_service_name = name;
    ExpectError(CheckConfig(config), absl::StatusCode::kInvalidArgument, {"trace-service-name: expected 1 to 255"});
  }
}

TEST(Config, ReadsAddresses) {
  const auto v4 = ParseListen("127.0.0.1:8000");
  ASSERT_TRUE(v4.ok());
  EXPECT_EQ(v4->host, "127.0.0.1");
  EXPECT_EQ(v4->port, 8000);
  const auto v6 = ParseListen("[::1]:0");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 0);
  for (const char* text :
       {"", "8000", ":8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http", "::1:8000", "[]:1"}) {
    ExpectError(ParseListen(text).status(), absl::StatusCode::kInvalidArgument,
                {"listen: expected ADDRESS:PORT", text});
  }
}

TEST(Config, WhatIsPrintedReadsBackToTheSame) {
  const auto config =
      LoadConfig({}, {.environment = {"KS_API_KEY_FILE=/run/\"k\"\\\n", "KS_DRAIN_DELAY=1500ms"},
                      .flags = {{"verify", "true"}, {"max-body-bytes", "9MiB"}, {"canary-share", "0.123456789"}}});
  ASSERT_TRUE(config.ok()) << config.status();
  const std::string printed = PrintConfig(*config);
  EXPECT_THAT(printed, HasSubstr("drain-delay = \"1500ms\"  # environment KS_DRAIN_DELAY\n"));
  EXPECT_THAT(printed, HasSubstr("verify = true  # flag\n"));
  EXPECT_THAT(printed, HasSubstr("threads = 0  # default\n"));
  const auto again = LoadFile(printed);
  ASSERT_TRUE(again.ok()) << again.status();
  for (const ConfigOption& option : ConfigOptions()) {
    EXPECT_EQ(FormatValue(option, again->values), FormatValue(option, config->values)) << option.name;
  }
}

TEST(Config, DocumentedTableIsTheTableInTheProgram) {
  const auto page = ReadFile(KS_SOURCE_DIR "/docs/cli.md", 1 << 20);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_NE(page->find(ConfigMarkdown()), std::string::npos) << "docs/cli.md should hold this table:\n"
                                                             << ConfigMarkdown();
}

}  // namespace
}  // namespace ks
