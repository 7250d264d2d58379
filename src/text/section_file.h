// The container of tokenizer.bin: typed, versioned sections of plain little-endian data, each beginning at a multiple
// of 8. A new kind of tokeniser adds sections; it does not change the container.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"

namespace ks {

static_assert(std::endian::native == std::endian::little, "sections are used in place");

enum class SectionId : uint32_t {
  kNormalizer = 1,
  kCharMap = 2,
  kVocabulary = 3,
  kWordPiece = 4,
  kAddedTokens = 5,
  kPostProcessor = 6,
  kDecoder = 7,
};

// "vocabulary", for messages.
std::string_view SectionName(SectionId id);

// The version of each section's layout. A reader takes exactly these.
constexpr uint32_t kTokenizerFormatVersion = 1;

// Appends values and arrays to one section.
class SectionWriter {
 public:
  template <typename T>
  SectionWriter& Value(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return Bytes(&value, sizeof(value), alignof(T));
  }
  // The count as uint64, then the elements.
  template <typename T>
  SectionWriter& Array(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    Value<uint64_t>(values.size());
    return Bytes(values.data(), values.size_bytes(), alignof(T));
  }
  SectionWriter& Text(std::string_view text) { return Array(std::span<const char>(text)); }

  const std::string& bytes() const { return bytes_; }

 private:
  SectionWriter& Bytes(const void* data, size_t size, size_t alignment);
  std::string bytes_;
};

// Reads one section in the order in which it was written. Everything is checked against the section's end; after a
// failure all further reads give nothing, and Finish tells what went wrong, so that a reader checks once.
class SectionReader {
 public:
  SectionReader(SectionId id, std::span<const std::byte> bytes) : id_(id), bytes_(bytes) {}

  template <typename T>
  T Value() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (const std::byte* at = Take(sizeof(T), 1, alignof(T))) std::memcpy(&value, at, sizeof(T));
    return value;
  }
  template <typename T>
  std::span<const T> Array() {
    static_assert(std::is_trivially_copyable_v<T>);
    const uint64_t count = Value<uint64_t>();
    const std::byte* at = Take(sizeof(T), count, alignof(T));
    return at == nullptr ? std::span<const T>() : std::span(reinterpret_cast<const T*>(at), count);
  }
  std::string_view Text() {
    const auto chars = Array<char>();
    return {chars.data(), chars.size()};
  }

  // kDataLoss "tokenizer.bin: <section>: <problem>".
  absl::Status Damaged(std::string_view problem) const;
  // OK if all was there and nothing is left over.
  absl::Status Finish() const;

 private:
  const std::byte* Take(size_t size, uint64_t count, size_t alignment);

  SectionId id_;
  std::span<const std::byte> bytes_;
  size_t pos_ = 0;
  bool failed_ = false;
};

// Joins sections into the file.
class SectionFileWriter {
 public:
  void Add(SectionId id, const SectionWriter& section) { sections_.push_back({id, section.bytes()}); }
  std::string Finish() const;

 private:
  struct Section {
    SectionId id;
    std::string bytes;
  };
  std::vector<Section> sections_;
};

// A view of the file. Copyable; the bytes must outlive it.
class SectionFile {
 public:
  // Errors: kDataLoss (not such a file, cut short, a section out of range), kFailedPrecondition (another version).
  static absl::StatusOr<SectionFile> Open(std::span<const std::byte> bytes);

  // Errors: kDataLoss if there is no such section.
  absl::StatusOr<SectionReader> Find(SectionId id) const;

 private:
  struct Entry {
    uint32_t id;
    uint32_t version;
    uint64_t offset;
    uint64_t size;
  };
  friend class SectionFileWriter;
  std::span<const std::byte> bytes_;
  std::span<const Entry> entries_;
};

}  // namespace ks
