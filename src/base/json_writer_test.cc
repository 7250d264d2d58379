#include "base/json_writer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"

namespace ks {
namespace {

TEST(JsonWriter, PlacesCommasAndColons) {
  JsonWriter json;
  json.BeginObject().Key("a").Int(1).Key("b").BeginArray().Bool(true).Null().BeginObject().EndObject().EndArray();
  json.Key("c").BeginObject().Key("d").String("x").EndObject().EndObject();
  EXPECT_EQ(json.text(), R"({"a":1,"b":[true,null,{}],"c":{"d":"x"}})");
}

TEST(JsonWriter, EscapesWhatJsonRequires) {
  std::string out;
  AppendJsonString("a\"b\\c\n\t\x01\x7f\xC3\xA9", out);
  EXPECT_EQ(out, "\"a\\\"b\\\\c\\n\\t\\u0001\\u007f\xC3\xA9\"");
}

TEST(JsonWriter, WritesNumbersThatReadBackToTheSameBits) {
  for (const float value : {0.1f, 1e-38f, 3.4028235e38f, 0.9998f, -0.0f}) {
    JsonWriter json;
    json.BeginArray().Float(value).EndArray();
    const auto document = JsonDocument::Parse(json.text(), "");
    EXPECT_EQ(static_cast<float>(*(*document->root().AsArray())[0].AsDouble()), value);
  }
}

TEST(JsonWriter, WritesNullForWhatJsonLacks) {
  JsonWriter json;
  json.BeginArray().Float(NAN).Double(INFINITY).Fixed(-INFINITY, 2).Fixed(1.005, 2).EndArray();
  EXPECT_EQ(json.text(), "[null,null,null,1.00]");
}

TEST(IndentJson, PutsOneMemberALineAndFlatArraysOnOne) {
  EXPECT_EQ(IndentJson(R"({"a":1,"b":["x,[\"]y",2],"c":[[],{}],"d":{"e":null}})"),
            R"({
  "a": 1,
  "b": ["x,[\"]y", 2],
  "c": [
    [],
    {}
  ],
  "d": {
    "e": null
  }
})");
  EXPECT_EQ(IndentJson("[]"), "[]");
  EXPECT_EQ(IndentJson("12"), "12");
}

}  // namespace
}  // namespace ks
