// The expected bytes come from the official definitions: `SerializeToString()` of the same messages in Python's package
// opentelemetry-proto 1.45.2.
#include "telemetry/trace/otlp.h"

#include "gtest/gtest.h"
#include "telemetry/testing/otlp_reader.h"

namespace ks {
namespace {
using std::chrono::nanoseconds;

constexpr TraceId kTrace = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr SpanId kCaller = {0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38};
constexpr SpanId kFirst = {0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28};
constexpr SpanId kSecond = {0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48};

std::string ServerSpan() {
  std::string bytes;
  AppendSpan({.trace_id = kTrace, .id = kFirst, .parent = kCaller, .parent_is_remote = true, .state = "a=1"},
             {.name = "GET /x",
              .kind = SpanKind::kServer,
              .start = TimePoint(nanoseconds(1)),
              .end = TimePoint(nanoseconds(300'000)),
              .failed = true,
              .attributes = {{"http.route", "/x"}, {"http.response.status_code", int64_t{503}}, {"n", int64_t{-1}}}},
             nanoseconds(1'700'000'000'000'000'000), bytes);
  return bytes;
}

std::string InnerSpan() {
  std::string bytes;
  AppendSpan({.trace_id = kTrace, .id = kSecond},
             {.name = "run", .start = TimePoint(nanoseconds(1)), .end = TimePoint(nanoseconds(2))}, nanoseconds(0),
             bytes);
  return bytes;
}

constexpr char kServerHex[] =
    "0a100102030405060708090a0b0c0d0e0f10120821222324252627281a03613d31220831323334353637382a06474554202f7830023901002a"
    "36"
    "fe9c971741e0932e36fe9c97174a120a0a687474702e726f75746512040a022f784a200a19687474702e726573706f6e73652e737461747573"
    "5f"
    "636f6465120318f7034a100a016e120b18ffffffffffffffffff017a021802850101030000";
constexpr char kInnerHex[] =
    "0a100102030405060708090a0b0c0d0e0f10120841424344454647482a0372756e300139010000000000000041020000000000000085010101"
    "00"
    "00";

TEST(AppendSpan, WritesTheBytesOfTheOfficialLibrary) {
  EXPECT_EQ(ToHex(ServerSpan()), std::string("129901") + kServerHex);
  EXPECT_EQ(ToHex(InnerSpan()), std::string("123b") + kInnerHex);
}

TEST(AppendSpan, IsReadBackByTheTestsOwnReader) {
  const std::vector<ReadSpan> spans = ReadSpans(ServerSpan() + InnerSpan());
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].trace_id, ToHex({reinterpret_cast<const char*>(kTrace.data()), kTrace.size()}));
  EXPECT_EQ(spans[0].parent, "3132333435363738");
  EXPECT_EQ(spans[0].state, "a=1");
  EXPECT_EQ(spans[0].kind, 2u);
  EXPECT_EQ(spans[0].start, 1'700'000'000'000'000'001u);
  EXPECT_EQ(spans[0].end, 1'700'000'000'000'300'000u);
  EXPECT_EQ(spans[0].status, 2u);
  EXPECT_EQ(spans[0].flags, 0x301u);
  EXPECT_EQ(spans[0].attributes, (std::map<std::string, std::string>{
                                     {"http.route", "/x"}, {"http.response.status_code", "503"}, {"n", "-1"}}));
  EXPECT_EQ(spans[1].name, "run");
  EXPECT_EQ(spans[1].parent, "");
}

TEST(MakeTraceRequest, WritesTheBytesOfTheOfficialLibrary) {
  EXPECT_EQ(
      ToHex(MakeTraceRequest({{"service.name", "s"}}, "1.2", ServerSpan() + InnerSpan())),
      std::string("0a89020a150a130a0c736572766963652e6e616d6512030a017312ef010a140a0d6b75626573656e74696d656e74120331"
                  "2e32129901") +
          kServerHex + "123b" + kInnerHex);
}

}  // namespace
}  // namespace ks
