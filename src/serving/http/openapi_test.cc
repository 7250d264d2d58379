#include "serving/http/openapi.h"

#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serving/error_map.h"
#include "serving/http/router.h"
#include "serving/testing/world.h"

namespace ks {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OpenApiTest : public ::testing::Test {
 protected:
  // The member at a path of keys.
  JsonValue At(std::initializer_list<std::string_view> keys) {
    JsonValue value = document_->root();
    for (const std::string_view key : keys) value = *value.AsObject()->Require(key);
    return value;
  }
  static void CollectRefs(const JsonValue& value, std::set<std::string>& refs) {
    if (value.is_array()) {
      const std::vector<JsonValue> elements = *value.AsArray();
      for (const JsonValue& element : elements) CollectRefs(element, refs);
    }
    if (!value.is_object()) return;
    const JsonObject object = *value.AsObject();
    for (const auto& member : object.members()) {
      if (member.key == "$ref") refs.insert(std::string(*member.value.AsString()));
      CollectRefs(member.value, refs);
    }
  }

  std::string text_ = OpenApiJson(TinyModel(), {.max_text_chars = 321, .max_batch_texts = 7}, {.max_body_bytes = 4567});
  absl::StatusOr<JsonDocument> document_ = JsonDocument::Parse(text_, "openapi.json");
};

TEST_F(OpenApiTest, IsJsonWithoutWhiteSpaceOrUnfilledPlaces) {
  ASSERT_TRUE(document_.ok()) << document_.status();
  EXPECT_THAT(text_, Not(HasSubstr("@")));
  EXPECT_THAT(text_, Not(HasSubstr("\n")));
}

TEST_F(OpenApiTest, ListsEveryRouteWithItsMethod) {
  const JsonObject paths = *At({"paths"}).AsObject();
  EXPECT_EQ(paths.members().size(), Routes().size());
  for (const Route& route : Routes()) {
    const auto path = paths.Require(route.path);
    ASSERT_TRUE(path.ok()) << route.path;
    EXPECT_TRUE(path->AsObject()->Require(route.method == "GET" ? "get" : "post").ok()) << route.path;
  }
}

TEST_F(OpenApiTest, RefersToWhatIsThere) {
  std::set<std::string> refs;
  CollectRefs(document_->root(), refs);
  EXPECT_GT(refs.size(), 20u);
  for (const std::string& ref : refs) {
    const size_t slash = ref.rfind('/');
    const size_t kind = ref.rfind('/', slash - 1);
    ASSERT_EQ(ref.substr(0, kind), "#/components") << ref;
    EXPECT_TRUE(
        At({"components", ref.substr(kind + 1, slash - kind - 1)}).AsObject()->Require(ref.substr(slash + 1)).ok())
        << ref;
  }
}

TEST_F(OpenApiTest, CarriesTheRunningLimitsAndLabels) {
  EXPECT_EQ(*At({"components", "schemas", "Text", "maxLength"}).AsInt(), 321);
  EXPECT_EQ(*At({"components", "schemas", "BatchRequest", "properties", "texts", "maxItems"}).AsInt(), 7);
  EXPECT_EQ(*At({"components", "schemas", "TopK", "maximum"}).AsInt(), 3);
  EXPECT_THAT(text_, HasSubstr(R"("Label":{"type":"string","enum":["NEGATIVE","NEUTRAL","POSITIVE"]})"));
  EXPECT_THAT(text_, HasSubstr("at most 4567 bytes"));
}

TEST_F(OpenApiTest, NamesEveryErrorThatAnOperationMayAnswerWith) {
  const JsonObject responses = *At({"paths", "/api/v1/predict", "post", "responses"}).AsObject();
  std::set<std::string> statuses;
  for (const auto& member : responses.members()) statuses.insert(std::string(member.key));
  EXPECT_THAT(statuses, ::testing::ElementsAre("200", "400", "405", "408", "413", "415", "422", "429", "431", "500",
                                               "503", "504"));
  EXPECT_TRUE(At({"paths", "/api/v1/feedback", "post", "responses"}).AsObject()->Require("404").ok());
}

TEST_F(OpenApiTest, ClosesAnswersAndLeavesRequestsOpen) {
  const JsonObject schemas = *At({"components", "schemas"}).AsObject();
  for (const auto& member : schemas.members()) {
    const JsonObject schema = *member.value.AsObject();
    const JsonValue* type = schema.Find("type");
    if (type == nullptr || !type->is_string() || *type->AsString() != "object" || member.key == "Document") continue;
    EXPECT_EQ(schema.Find("additionalProperties") == nullptr, member.key.ends_with("Request")) << member.key;
  }
}

TEST_F(OpenApiTest, LinksAPredictionToItsFeedback) {
  EXPECT_EQ(*At({"paths", "/api/v1/predict", "post", "responses", "200", "links", "agree", "operationId"}).AsString(),
            "feedback");
}

TEST_F(OpenApiTest, AsksForAKeyWhereTheServerDoes) {
  EXPECT_THAT(text_, Not(HasSubstr("securitySchemes")));
  EXPECT_THAT(text_, Not(HasSubstr("\"401\"")));
  const std::string keyed = OpenApiJson(TinyModel(), {}, {.with_key = true});
  const auto document = JsonDocument::Parse(keyed, "openapi.json");
  ASSERT_TRUE(document.ok());
  const JsonObject paths = *document->root().AsObject()->Require("paths")->AsObject();
  const auto has_401 = [&](std::string_view path, std::string_view method) {
    return paths.Require(path)
               ->AsObject()
               ->Require(method)
               ->AsObject()
               ->Require("responses")
               ->AsObject()
               ->Find("401") != nullptr;
  };
  EXPECT_TRUE(has_401("/api/v1/predict", "post"));
  EXPECT_TRUE(has_401("/openapi.json", "get"));
  EXPECT_FALSE(has_401("/health/ready", "get"));
  EXPECT_FALSE(has_401("/metrics", "get"));
}

}  // namespace
}  // namespace ks
