// Reads JSON from outside, with limits, and says where a wrong value stands.
//
//   KS_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(text, "config.json", {}));
//   KS_ASSIGN_OR_RETURN(JsonObject config, document.root().AsObject());
//   KS_ASSIGN_OR_RETURN(int64_t layers, config.RequireInt("num_hidden_layers", 1, 1000));
//
// Every error of a value names it: `config.json: num_hidden_layers: expected an integer from 1 to 1000, found "six"`
// (of a string only its length is told: it may be a user's text). RFC 8259, parsed by simdjson.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

namespace ks {

struct JsonLimits {
  size_t max_bytes = 64 << 20;
  int max_depth = 64;
};

class JsonObject;

enum class JsonType { kNull, kBool, kInt, kDouble, kString, kArray, kObject };

// A value inside a JsonDocument, which must outlive it and every view got from it. Cheap to copy but for the path.
class JsonValue {
 public:
  JsonType type() const;
  bool is_null() const { return type() == JsonType::kNull; }
  bool is_string() const { return type() == JsonType::kString; }
  bool is_array() const { return type() == JsonType::kArray; }
  bool is_object() const { return type() == JsonType::kObject; }

  // Elements of an array, members of an object, otherwise 0: for refusing a large one before AsArray makes its values.
  size_t size() const;

  // Where the value stands: "texts[3]", "vocab.hello"; empty for the root.
  const std::string& path() const& { return path_; }
  const std::string& path() const&& = delete;

  // Each fails with kInvalidArgument naming the path, what was expected and what was found.
  absl::StatusOr<bool> AsBool() const;
  // Integers written as such (1, not 1.0), in [min, max]. Those beyond 64 bits are doubles.
  absl::StatusOr<int64_t> AsInt(int64_t min = INT64_MIN, int64_t max = INT64_MAX) const;
  // Any number; finite by the grammar (an overflowing literal is an error of Parse).
  absl::StatusOr<double> AsDouble() const;
  // The decoded string: valid UTF-8, which may hold NUL.
  absl::StatusOr<std::string_view> AsString() const;
  // Give the array a name before a loop over it: `for (v : *f().AsArray())` would walk a vector that is gone.
  absl::StatusOr<std::vector<JsonValue>> AsArray() const;
  // Fails also if a key stands there twice: `text: the key is given twice`.
  absl::StatusOr<JsonObject> AsObject() const;

  // "file: path: expected <expected>, found <what is there>", for checks that the caller makes itself.
  absl::Status Unexpected(std::string_view expected) const;
  // "file: path: <problem>".
  absl::Status Problem(std::string_view problem) const;

 private:
  friend class JsonDocument;
  friend class JsonObject;
  JsonValue(const void* tape, size_t index, std::string path, const std::string* name)
      : tape_(tape), index_(index), path_(std::move(path)), name_(name) {}
  const void* tape_;  // simdjson's document
  size_t index_;      // of the element on its tape
  std::string path_;
  const std::string* name_;  // the document's, for messages
};

// The members of an object, keys unique, in the order of the file.
class JsonObject {
 public:
  // nullptr where the key is absent. A member whose value is null is present.
  const JsonValue* Find(std::string_view key) const;
  // nullptr where the key is absent or null: "not given" in most of the formats read here.
  const JsonValue* FindNonNull(std::string_view key) const;

  // kInvalidArgument "file: path.key: missing" where absent, otherwise as JsonValue.
  absl::StatusOr<JsonValue> Require(std::string_view key) const;
  absl::StatusOr<int64_t> RequireInt(std::string_view key, int64_t min, int64_t max) const;
  absl::StatusOr<std::string_view> RequireString(std::string_view key) const;
  // `fallback` where absent or null.
  absl::StatusOr<int64_t> OptionalInt(std::string_view key, int64_t min, int64_t max, int64_t fallback) const;
  absl::StatusOr<double> OptionalDouble(std::string_view key, double fallback) const;
  absl::StatusOr<bool> OptionalBool(std::string_view key, bool fallback) const;

  struct Member {
    std::string_view key;
    JsonValue value;
  };
  const std::vector<Member>& members() const& { return members_; }
  const std::vector<Member>& members() const&& = delete;
  const std::string& path() const& { return path_; }
  const std::string& path() const&& = delete;

 private:
  friend class JsonValue;
  std::vector<Member> members_;
  absl::flat_hash_map<std::string_view, size_t> index_;  // only for large objects; small ones are scanned
  std::string path_;
  const std::string* name_ = nullptr;
};

// A parsed text. Movable; values and views point into it and stay valid when it is moved.
class JsonDocument {
 public:
  // Parses `text`, which is copied and not needed afterwards. `name` begins every message (a file name; empty for
  // none). Linear in the text, no recursion. Errors (kInvalidArgument, with the reason): more than max_bytes, deeper
  // than max_depth, not JSON, invalid UTF-8, an unpaired surrogate escape, a number out of range, anything after the
  // value.
  static absl::StatusOr<JsonDocument> Parse(std::string_view text, std::string name, const JsonLimits& limits = {});

  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  JsonValue root() const&;
  JsonValue root() const&& = delete;

 private:
  struct Impl;
  explicit JsonDocument(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ks
