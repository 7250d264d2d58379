// The adapter over simdjson's DOM: its exceptions are off, its types stop here, its elements are carried as the two
// words they are made of. Tested by json_test.cc.
#include "base/json.h"

#include <bit>
#include <cstring>
#include <utility>

#include "base/status_macros.h"
#include "simdjson.h"

namespace ks {
namespace dom = simdjson::dom;

namespace {

constexpr size_t kIndexFrom = 16;  // members; below that a scan beats hashing

// An element is {document, tape index}, trivially copyable; JsonValue keeps the two words.
struct ElementWords {
  const void* tape;
  size_t index;
};
static_assert(sizeof(ElementWords) == sizeof(dom::element) && std::is_trivially_copyable_v<dom::element>);

dom::element ToElement(const void* tape, size_t index) {
  return std::bit_cast<dom::element>(ElementWords{tape, index});
}

std::string Prefix(const std::string& name, const std::string& path) {
  std::string prefix;
  for (const std::string* part : {&name, &path}) {
    if (!part->empty()) prefix += *part + ": ";
  }
  return prefix;
}

std::string Describe(const dom::element& element) {
  switch (element.type()) {
    case dom::element_type::NULL_VALUE:
      return "null";
    case dom::element_type::BOOL:
      return element.get_bool().value_unsafe() ? "true" : "false";
    case dom::element_type::INT64:
      return Cat("the integer ", element.get_int64().value_unsafe());
    case dom::element_type::UINT64:
      return Cat("the integer ", element.get_uint64().value_unsafe());
    case dom::element_type::DOUBLE:
      return Cat("the number ", element.get_double().value_unsafe());
    case dom::element_type::STRING:
      return Cat("a string of ", element.get_string_length().value_unsafe(), " bytes");
    case dom::element_type::ARRAY:
      return Cat("an array of ", element.get_array().value_unsafe().size());
    case dom::element_type::OBJECT:
      return "an object";
  }
  return "something else";
}

std::string ParseProblem(simdjson::error_code error, const JsonLimits& limits) {
  switch (error) {
    case simdjson::DEPTH_ERROR:
      return Cat("nested deeper than ", limits.max_depth);
    case simdjson::UTF8_ERROR:
      return "not valid UTF-8";
    case simdjson::STRING_ERROR:
      return "a string with an invalid escape or an unpaired surrogate";
    case simdjson::NUMBER_ERROR:
      return "a number that is malformed or out of range";
    case simdjson::EMPTY:
      return "empty where JSON was expected";
    case simdjson::MEMALLOC:
      return "too large for the memory at hand";
    default:
      return Cat("not JSON (", std::string_view(simdjson::error_message(error)), ")");
  }
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// simdjson refuses integers beyond 64 bits, which are JSON all the same (a field that nobody reads may hold one). Given
// an exponent they are doubles to it. Only integers of 19 digits and more are changed, none in strings; what is not
// JSON stays so.
std::string WithLargeIntegersAsDoubles(std::string_view text) {
  constexpr size_t kDigits = 19;  // of the largest int64
  std::string changed;
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (in_string || !IsDigit(c)) {
      if (c == '"') in_string = !in_string;
      const size_t length = in_string && c == '\\' ? 2 : 1;
      changed.append(text, i, length);
      i += length;
      continue;
    }
    const size_t begin = i;
    while (i < text.size() &&
           (IsDigit(text[i]) || text[i] == '.' || (text[i] | 0x20) == 'e' || text[i] == '+' || text[i] == '-')) {
      ++i;
    }
    const std::string_view number = text.substr(begin, i - begin);
    changed += number;
    if (number.size() >= kDigits && number.find_first_not_of("0123456789") == std::string_view::npos) changed += "e0";
  }
  return changed;
}

}  // namespace

JsonType JsonValue::type() const {
  switch (ToElement(tape_, index_).type()) {
    case dom::element_type::BOOL:
      return JsonType::kBool;
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
      return JsonType::kInt;
    case dom::element_type::DOUBLE:
      return JsonType::kDouble;
    case dom::element_type::STRING:
      return JsonType::kString;
    case dom::element_type::ARRAY:
      return JsonType::kArray;
    case dom::element_type::OBJECT:
      return JsonType::kObject;
    case dom::element_type::NULL_VALUE:
      break;
  }
  return JsonType::kNull;
}

size_t JsonValue::size() const {
  const dom::element element = ToElement(tape_, index_);
  dom::array array;
  if (!element.get_array().get(array)) return array.size();
  dom::object object;
  if (!element.get_object().get(object)) return object.size();
  return 0;
}

absl::Status JsonValue::Unexpected(std::string_view expected) const {
  return Problem(Cat("expected ", expected, ", found ", Describe(ToElement(tape_, index_))));
}

absl::Status JsonValue::Problem(std::string_view problem) const {
  return InvalidArgument(Prefix(*name_, path_), problem);
}

absl::StatusOr<bool> JsonValue::AsBool() const {
  bool value;
  if (ToElement(tape_, index_).get_bool().get(value)) return Unexpected("true or false");
  return value;
}

absl::StatusOr<int64_t> JsonValue::AsInt(int64_t min, int64_t max) const {
  int64_t value;
  const dom::element element = ToElement(tape_, index_);
  const bool is_integer = type() == JsonType::kInt && element.get_int64().get(value) == simdjson::SUCCESS;
  if (is_integer && value >= min && value <= max) return value;
  if (min == INT64_MIN && max == INT64_MAX) return Unexpected("an integer");
  if (max == INT64_MAX) return Unexpected(Cat("an integer of at least ", min));
  return Unexpected(Cat("an integer from ", min, " to ", max));
}

absl::StatusOr<double> JsonValue::AsDouble() const {
  double value;
  if (ToElement(tape_, index_).get_double().get(value)) return Unexpected("a number");
  return value;
}

absl::StatusOr<std::string_view> JsonValue::AsString() const {
  std::string_view value;
  if (ToElement(tape_, index_).get_string().get(value)) return Unexpected("a string");
  return value;
}

absl::StatusOr<std::vector<JsonValue>> JsonValue::AsArray() const {
  dom::array array;
  if (ToElement(tape_, index_).get_array().get(array)) return Unexpected("an array");
  std::vector<JsonValue> values;
  values.reserve(array.size());
  for (const dom::element element : array) {
    const auto words = std::bit_cast<ElementWords>(element);
    values.push_back(JsonValue(words.tape, words.index, Cat(path_, "[", values.size(), "]"), name_));
  }
  return values;
}

absl::StatusOr<JsonObject> JsonValue::AsObject() const {
  dom::object object;
  if (ToElement(tape_, index_).get_object().get(object)) return Unexpected("an object");
  JsonObject result;
  result.path_ = path_;
  result.name_ = name_;
  result.members_.reserve(object.size());
  const bool indexed = object.size() >= kIndexFrom;
  for (const dom::key_value_pair field : object) {
    const auto words = std::bit_cast<ElementWords>(field.value);
    std::string path = path_.empty() ? std::string(field.key) : Cat(path_, ".", field.key);
    JsonValue value(words.tape, words.index, std::move(path), name_);
    const bool fresh = indexed ? result.index_.try_emplace(field.key, result.members_.size()).second
                               : result.Find(field.key) == nullptr;
    if (!fresh) return value.Problem("the key is given twice");
    result.members_.push_back({field.key, std::move(value)});
  }
  return result;
}

const JsonValue* JsonObject::Find(std::string_view key) const {
  if (!index_.empty()) {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &members_[found->second].value;
  }
  for (const Member& member : members_) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

const JsonValue* JsonObject::FindNonNull(std::string_view key) const {
  const JsonValue* value = Find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

absl::StatusOr<JsonValue> JsonObject::Require(std::string_view key) const {
  if (const JsonValue* value = Find(key)) return *value;
  return InvalidArgument(Prefix(*name_, path_.empty() ? std::string(key) : Cat(path_, ".", key)), "missing");
}

absl::StatusOr<int64_t> JsonObject::RequireInt(std::string_view key, int64_t min, int64_t max) const {
  KS_ASSIGN_OR_RETURN(const JsonValue value, Require(key));
  return value.AsInt(min, max);
}

absl::StatusOr<std::string_view> JsonObject::RequireString(std::string_view key) const {
  KS_ASSIGN_OR_RETURN(const JsonValue value, Require(key));
  return value.AsString();
}

absl::StatusOr<int64_t> JsonObject::OptionalInt(std::string_view key, int64_t min, int64_t max,
                                                int64_t fallback) const {
  const JsonValue* value = FindNonNull(key);
  return value == nullptr ? fallback : value->AsInt(min, max);
}

absl::StatusOr<double> JsonObject::OptionalDouble(std::string_view key, double fallback) const {
  const JsonValue* value = FindNonNull(key);
  return value == nullptr ? fallback : value->AsDouble();
}

absl::StatusOr<bool> JsonObject::OptionalBool(std::string_view key, bool fallback) const {
  const JsonValue* value = FindNonNull(key);
  return value == nullptr ? fallback : value->AsBool();
}

struct JsonDocument::Impl {
  std::string name;
  dom::document document;
};

JsonDocument::JsonDocument(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

absl::StatusOr<JsonDocument> JsonDocument::Parse(std::string_view text, std::string name, const JsonLimits& limits) {
  const auto fail = [&](std::string_view problem) { return InvalidArgument(Prefix(name, ""), problem); };
  if (text.size() > limits.max_bytes) {
    return fail(Cat(text.size(), " bytes of JSON, the limit is ", limits.max_bytes));
  }
  // One parser a call: its buffers are a small multiple of the text, and nothing is shared between threads.
  dom::parser parser(limits.max_bytes);
  if (const auto error = parser.allocate(std::max<size_t>(text.size(), 64), static_cast<size_t>(limits.max_depth))) {
    return fail(ParseProblem(error, limits));
  }
  auto impl = std::make_unique<Impl>();
  dom::element root;
  simdjson::error_code error = parser.parse_into_document(impl->document, text.data(), text.size(), true).get(root);
  if (error == simdjson::NUMBER_ERROR) {
    const std::string changed = WithLargeIntegersAsDoubles(text);
    error = parser.parse_into_document(impl->document, changed.data(), changed.size(), true).get(root);
  }
  if (error) return fail(ParseProblem(error, limits));
  impl->name = std::move(name);
  return JsonDocument(std::move(impl));
}

JsonValue JsonDocument::root() const& {
  const auto words = std::bit_cast<ElementWords>(impl_->document.root());
  return JsonValue(words.tape, words.index, "", &impl_->name);
}

}  // namespace ks
