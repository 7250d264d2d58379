// The reader trusts nothing: every offset is checked before a view is made of it, and sizes are computed with overflow
// in mind. Tested by safetensors_test.cc and fuzz/safetensors_fuzz.cc.
#include "checkpoint/safetensors.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/status_macros.h"

namespace ks {
namespace {

constexpr size_t kPrefixBytes = 8;
constexpr size_t kAlignment = 64;
constexpr size_t kPageBytes = 4096;  // the cores' prefetchers end at its boundaries, and work by its parts
constexpr std::string_view kMetadataKey = "__metadata__";

// Bytes of a tensor; nullopt where the product overflows or does not end at a whole byte.
std::optional<uint64_t> BytesOf(DType dtype, std::span<const int64_t> shape) {
  uint64_t bits = static_cast<uint64_t>(DTypeBits(dtype));
  for (const int64_t dimension : shape) {
    if (__builtin_mul_overflow(bits, static_cast<uint64_t>(dimension), &bits)) return std::nullopt;
  }
  if (bits % 8 != 0) return std::nullopt;
  return bits / 8;
}

struct Entry {
  TensorView view;
  uint64_t begin = 0;  // in the data section
  uint64_t end = 0;
};

absl::StatusOr<Entry> ReadEntry(const JsonObject::Member& member, std::string_view file_name) {
  Entry entry;
  entry.view.name = std::string(member.key);
  entry.view.file = std::string(file_name);
  KS_ASSIGN_OR_RETURN(const JsonObject object, member.value.AsObject());

  KS_ASSIGN_OR_RETURN(const JsonValue dtype_value, object.Require("dtype"));
  KS_ASSIGN_OR_RETURN(const std::string_view dtype_name, dtype_value.AsString());
  const std::optional<DType> dtype = DTypeFromName(dtype_name);
  if (!dtype) return dtype_value.Unexpected("a dtype of the format (F32, F16, BF16, ...)");
  entry.view.dtype = *dtype;

  KS_ASSIGN_OR_RETURN(const JsonValue shape_value, object.Require("shape"));
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> dimensions, shape_value.AsArray());
  for (const JsonValue& dimension : dimensions) {
    KS_ASSIGN_OR_RETURN(const int64_t value, dimension.AsInt(0));
    entry.view.shape.push_back(value);
  }

  KS_ASSIGN_OR_RETURN(const JsonValue offsets_value, object.Require("data_offsets"));
  KS_ASSIGN_OR_RETURN(const std::vector<JsonValue> offsets, offsets_value.AsArray());
  if (offsets.size() != 2)
    return offsets_value.Problem(Cat("expected [begin, end], found ", offsets.size(), " numbers"));
  KS_ASSIGN_OR_RETURN(const int64_t begin, offsets[0].AsInt(0));
  KS_ASSIGN_OR_RETURN(const int64_t end, offsets[1].AsInt(begin));
  entry.begin = static_cast<uint64_t>(begin);
  entry.end = static_cast<uint64_t>(end);

  const std::optional<uint64_t> bytes = BytesOf(*dtype, entry.view.shape);
  if (!bytes || *bytes != entry.end - entry.begin) {
    return DataLoss(file_name, ": ", entry.view.name, ": shape ", ShapeText(entry.view.shape), " of ",
                    DTypeName(*dtype), " needs ", bytes ? Cat(*bytes, " bytes") : "more bytes than can be counted",
                    ", data_offsets hold ", entry.end - entry.begin);
  }
  return entry;
}

// `entries` lie in the order of their bytes: each must begin where the one before it ends, the last end with the file.
absl::Status CheckCoverage(std::span<const Entry> entries, uint64_t data_bytes, std::string_view file_name) {
  uint64_t position = 0;
  std::string_view before = "the header";
  for (const Entry& entry : entries) {
    if (entry.begin < position) {
      return DataLoss(file_name, ": ", entry.view.name, ": begins at byte ", entry.begin, " of the data and overlaps ",
                      before, ", which ends at ", position);
    }
    if (entry.begin > position) {
      return DataLoss(file_name, ": ", entry.view.name, ": begins at byte ", entry.begin, " of the data, expected ",
                      position, ", where ", before, " ends");
    }
    if (entry.end > data_bytes) {
      return DataLoss(file_name, ": ", entry.view.name, ": ends at byte ", entry.end, " of the data, the file holds ",
                      data_bytes, ": it is truncated or damaged");
    }
    position = entry.end;
    before = entry.view.name;
  }
  if (position != data_bytes) {
    return DataLoss(file_name, ": ", data_bytes - position, " bytes after the last tensor, expected none");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Entry>> ReadHeader(std::string_view header, std::string_view name) {
  KS_ASSIGN_OR_RETURN(const JsonDocument document,
                      JsonDocument::Parse(header, std::string(name), {.max_bytes = kMaxSafetensorsHeaderBytes}));
  KS_ASSIGN_OR_RETURN(const JsonObject object, document.root().AsObject());
  std::vector<Entry> entries;
  entries.reserve(object.members().size());
  for (const JsonObject::Member& member : object.members()) {
    if (member.key == kMetadataKey) continue;
    KS_ASSIGN_OR_RETURN(entries.emplace_back(), ReadEntry(member, name));
  }
  return entries;
}

// The JSON at the start of a file.
absl::StatusOr<std::string_view> FindHeader(std::span<const std::byte> file, std::string_view name) {
  if (file.size() < kPrefixBytes) {
    return DataLoss(name, ": ", file.size(), " bytes, a safetensors file begins with 8 bytes of header length");
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), kPrefixBytes);
  if (header_bytes > kMaxSafetensorsHeaderBytes) {
    return DataLoss(name, ": header of ", header_bytes, " bytes, at most ", kMaxSafetensorsHeaderBytes,
                    " are legal: not a safetensors file");
  }
  if (header_bytes > file.size() - kPrefixBytes) {
    return DataLoss(name, ": header of ", header_bytes, " bytes in a file of ", file.size(),
                    ": it is truncated or damaged");
  }
  return std::string_view(reinterpret_cast<const char*>(file.data()) + kPrefixBytes, header_bytes);
}

}  // namespace

absl::StatusOr<std::vector<TensorView>> ReadSafetensors(std::span<const std::byte> file, std::string_view name) {
  KS_ASSIGN_OR_RETURN(const std::string_view header, FindHeader(file, name));
  const std::span<const std::byte> data = file.subspan(kPrefixBytes + header.size());

  absl::StatusOr<std::vector<Entry>> entries = ReadHeader(header, name);
  if (!entries.ok()) return WithCode(entries.status(), absl::StatusCode::kDataLoss);
  std::sort(entries->begin(), entries->end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.view.name) < std::tie(b.begin, b.end, b.view.name);
  });
  KS_RETURN_IF_ERROR(CheckCoverage(*entries, data.size(), name));

  std::vector<TensorView> tensors;
  tensors.reserve(entries->size());
  for (Entry& entry : *entries) {
    entry.view.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    tensors.push_back(std::move(entry.view));
  }
  return tensors;
}

absl::StatusOr<SafetensorsMetadata> ReadSafetensorsMetadata(std::span<const std::byte> file, std::string_view name) {
  KS_ASSIGN_OR_RETURN(const std::string_view header, FindHeader(file, name));
  const auto read = [&]() -> absl::StatusOr<SafetensorsMetadata> {
    KS_ASSIGN_OR_RETURN(const JsonDocument document,
                        JsonDocument::Parse(header, std::string(name), {.max_bytes = kMaxSafetensorsHeaderBytes}));
    KS_ASSIGN_OR_RETURN(const JsonObject object, document.root().AsObject());
    SafetensorsMetadata metadata;
    for (const JsonObject::Member& member : object.members()) {
      if (member.key != kMetadataKey) continue;
      KS_ASSIGN_OR_RETURN(const JsonObject texts, member.value.AsObject());
      for (const JsonObject::Member& text : texts.members()) {
        KS_ASSIGN_OR_RETURN(const std::string_view value, text.value.AsString());
        metadata[std::string(text.key)] = std::string(value);
      }
    }
    return metadata;
  };
  absl::StatusOr<SafetensorsMetadata> metadata = read();
  if (!metadata.ok()) return WithCode(metadata.status(), absl::StatusCode::kDataLoss);
  return metadata;
}

SafetensorsPlan PlanSafetensors(std::span<const TensorDescription> tensors, const SafetensorsMetadata& metadata) {
  SafetensorsPlan plan;
  for (size_t i = 0; i < tensors.size(); ++i) {
    plan.places.push_back({i, 0, BytesOf(tensors[i].dtype, tensors[i].shape).value_or(0)});
  }
  const auto first_with = [&plan](size_t boundary) {
    std::stable_partition(plan.places.begin(), plan.places.end(),
                          [boundary](const TensorPlace& place) { return place.bytes % boundary == 0; });
  };
  first_with(kAlignment);
  first_with(kPageBytes);

  JsonWriter json;
  json.BeginObject();
  if (!metadata.empty()) {
    json.Key(kMetadataKey).BeginObject();
    for (const auto& [key, value] : metadata) json.Key(key).String(value);
    json.EndObject();
  }
  uint64_t offset = 0;
  for (TensorPlace& place : plan.places) {
    const TensorDescription& tensor = tensors[place.index];
    json.Key(tensor.name).BeginObject().Key("dtype").String(DTypeName(tensor.dtype)).Key("shape").BeginArray();
    for (const int64_t dimension : tensor.shape) json.Int(dimension);
    json.EndArray().Key("data_offsets").BeginArray();
    json.Int(static_cast<int64_t>(offset)).Int(static_cast<int64_t>(offset + place.bytes)).EndArray().EndObject();
    place.file_offset = offset;
    offset += place.bytes;
  }
  std::string header = std::move(json.EndObject()).Take();
  // Spaces after the JSON are part of the format, meant for this.
  const size_t data_begin = (kPrefixBytes + header.size() + kPageBytes - 1) / kPageBytes * kPageBytes;
  header.resize(data_begin - kPrefixBytes, ' ');

  const uint64_t header_bytes = header.size();
  plan.header.assign(reinterpret_cast<const char*>(&header_bytes), kPrefixBytes);
  plan.header += header;
  for (TensorPlace& place : plan.places) place.file_offset += data_begin;
  plan.file_bytes = data_begin + offset;
  return plan;
}

}  // namespace ks
