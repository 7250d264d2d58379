// The tokeniser behind a pipe, for tests/tokenizer_parity.py.
//
//   tokenizer_driver TOKENIZER_JSON [compiled]
//
// Answers batches until stdin ends; all numbers are 32 bits, little-endian. With "compiled" it works from the compiled
// form.
//   request   flags, max_tokens, count, then for each text (in a pair: for both) its size and bytes
//   response  for each text: T, truncated, ids[T], type_ids[T], {begin, end}[T], special_mask[T], and if asked for the
//             decoded text with and without special tokens, each as size and bytes
#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "text/tokenizer.h"

namespace ks {
namespace {

constexpr uint32_t kLeft = 1, kNoSpecial = 2, kPair = 4, kDecode = 8;

bool ReadBytes(void* data, size_t size) { return std::fread(data, 1, size, stdin) == size; }

bool ReadText(std::string& text) {
  uint32_t size;
  if (!ReadBytes(&size, sizeof(size))) return false;
  text.resize(size);
  return ReadBytes(text.data(), size);
}

void Put(uint32_t value, std::string& out) { out.append(reinterpret_cast<const char*>(&value), sizeof(value)); }

void PutText(std::string_view text, std::string& out) {
  Put(static_cast<uint32_t>(text.size()), out);
  out += text;
}

void PutEncoding(const Encoding& encoding, std::string& out) {
  Put(static_cast<uint32_t>(encoding.ids.size()), out);
  Put(encoding.truncated, out);
  for (const auto* values : {&encoding.ids, &encoding.type_ids}) {
    for (const int32_t value : *values) Put(static_cast<uint32_t>(value), out);
  }
  for (const Offset& offset : encoding.offsets) {
    Put(offset.begin, out);
    Put(offset.end, out);
  }
  for (const uint8_t mask : encoding.special_mask) Put(mask, out);
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "tokenizer_driver: %s\n", std::string(status.message()).c_str());
  return 1;
}

int Run(const char* path, bool compiled) {
  absl::StatusOr<std::string> json = ReadFile(path, 64 << 20);
  if (!json.ok()) return Fail(json.status());
  absl::StatusOr<Tokenizer> tokenizer = Tokenizer::FromJson(*json, path);
  if (!tokenizer.ok()) return Fail(tokenizer.status());
  const std::string bytes = tokenizer->Compile();
  if (compiled) tokenizer = Tokenizer::FromCompiled(std::as_bytes(std::span(bytes)));
  if (!tokenizer.ok()) return Fail(tokenizer.status());

  std::array<uint32_t, 3> header;  // flags, max_tokens, count
  std::string a, b, out;
  Encoding encoding;
  while (ReadBytes(header.data(), sizeof(header))) {
    const uint32_t flags = header[0];
    const EncodeOptions options{.max_tokens = static_cast<int>(header[1]),
                                .side = (flags & kLeft) != 0 ? TruncationSide::kLeft : TruncationSide::kRight,
                                .add_special_tokens = (flags & kNoSpecial) == 0,
                                .with_offsets = true,
                                .with_special_mask = true};
    out.clear();
    for (uint32_t i = 0; i < header[2]; ++i) {
      const bool pair = (flags & kPair) != 0;
      if (!ReadText(a) || (pair && !ReadText(b))) return Fail(absl::DataLossError("a request was cut short"));
      const absl::Status status =
          pair ? tokenizer->EncodePair(a, b, options, encoding) : tokenizer->Encode(a, options, encoding);
      if (!status.ok()) return Fail(status);
      PutEncoding(encoding, out);
      if ((flags & kDecode) != 0) {
        for (const bool skip : {false, true}) PutText(tokenizer->Decode(encoding.ids, skip), out);
      }
    }
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace ks

int main(int argc, char** argv) {
  const bool compiled = argc == 3 && std::strcmp(argv[2], "compiled") == 0;
  if (argc != 2 && !compiled) {
    std::fprintf(stderr, "usage: tokenizer_driver TOKENIZER_JSON [compiled]\n");
    return 2;
  }
  return ks::Run(argv[1], compiled);
}
