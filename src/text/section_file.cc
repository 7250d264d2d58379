// Tested by section_file_test.cc.
#include "text/section_file.h"

#include <algorithm>

#include "base/status.h"

namespace ks {
namespace {

constexpr char kMagic[8] = {'K', 'S', 'T', 'O', 'K', 'E', 'N', '\0'};
constexpr size_t kAlignment = 8;

struct FileHeader {
  char magic[8];
  uint32_t version;
  uint32_t sections;
  uint64_t size;  // of the whole file
};

size_t AlignUp(size_t n, size_t alignment) { return (n + alignment - 1) / alignment * alignment; }

absl::Status DamagedFile(std::string_view problem) { return DataLoss("tokenizer.bin: ", problem); }

}  // namespace

std::string_view SectionName(SectionId id) {
  switch (id) {
    case SectionId::kNormalizer:
      return "normalizer";
    case SectionId::kCharMap:
      return "char map";
    case SectionId::kVocabulary:
      return "vocabulary";
    case SectionId::kWordPiece:
      return "wordpiece";
    case SectionId::kAddedTokens:
      return "added tokens";
    case SectionId::kPostProcessor:
      return "post-processor";
    case SectionId::kDecoder:
      return "decoder";
  }
  return "unknown section";
}

SectionWriter& SectionWriter::Bytes(const void* data, size_t size, size_t alignment) {
  bytes_.resize(AlignUp(bytes_.size(), alignment));
  if (size > 0) bytes_.append(static_cast<const char*>(data), size);
  return *this;
}

const std::byte* SectionReader::Take(size_t size, uint64_t count, size_t alignment) {
  const size_t at = AlignUp(pos_, alignment);
  if (failed_ || at > bytes_.size() || count > (bytes_.size() - at) / size) {
    failed_ = true;
    return nullptr;
  }
  pos_ = at + size * count;
  return bytes_.data() + at;
}

absl::Status SectionReader::Damaged(std::string_view problem) const {
  return DamagedFile(Cat(SectionName(id_), ": ", problem));
}

absl::Status SectionReader::Finish() const {
  if (failed_) return Damaged(Cat("ends early, after ", bytes_.size(), " bytes"));
  if (pos_ != bytes_.size()) return Damaged(Cat(bytes_.size() - pos_, " bytes too many"));
  return absl::OkStatus();
}

std::string SectionFileWriter::Finish() const {
  std::vector<SectionFile::Entry> entries;
  size_t end = AlignUp(sizeof(FileHeader) + sections_.size() * sizeof(SectionFile::Entry), kAlignment);
  for (const Section& section : sections_) {
    entries.push_back({static_cast<uint32_t>(section.id), kTokenizerFormatVersion, end, section.bytes.size()});
    end = AlignUp(end + section.bytes.size(), kAlignment);
  }
  FileHeader header{{}, kTokenizerFormatVersion, static_cast<uint32_t>(sections_.size()), end};
  std::copy(std::begin(kMagic), std::end(kMagic), header.magic);

  std::string file(end, '\0');
  std::memcpy(file.data(), &header, sizeof(header));
  if (!entries.empty()) std::memcpy(file.data() + sizeof(header), entries.data(), entries.size() * sizeof(entries[0]));
  for (size_t i = 0; i < sections_.size(); ++i) {
    std::copy(sections_[i].bytes.begin(), sections_[i].bytes.end(),
              file.begin() + static_cast<ptrdiff_t>(entries[i].offset));
  }
  return file;
}

absl::StatusOr<SectionFile> SectionFile::Open(std::span<const std::byte> bytes) {
  FileHeader header;
  if (bytes.size() < sizeof(header)) return DamagedFile(Cat("only ", bytes.size(), " bytes"));
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment != 0) {
    return InvalidArgument("tokenizer.bin: has to lie at a multiple of ", kAlignment, " in memory");
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (!std::equal(std::begin(kMagic), std::end(kMagic), header.magic)) {
    return DamagedFile("does not begin as a compiled tokeniser");
  }
  if (header.version != kTokenizerFormatVersion) {
    return FailedPrecondition("tokenizer.bin: format version ", header.version, ", this program reads ",
                              kTokenizerFormatVersion);
  }
  if (header.size != bytes.size()) {
    return DamagedFile(Cat("has ", bytes.size(), " bytes, its header says ", header.size));
  }
  if (header.sections > (bytes.size() - sizeof(header)) / sizeof(Entry))
    return DamagedFile("the section table is cut short");

  SectionFile file;
  file.bytes_ = bytes;
  file.entries_ = {reinterpret_cast<const Entry*>(bytes.data() + sizeof(header)), header.sections};
  for (const Entry& entry : file.entries_) {
    if (entry.offset % kAlignment != 0 || entry.offset > bytes.size() || entry.size > bytes.size() - entry.offset) {
      return DamagedFile(Cat(SectionName(SectionId{entry.id}), ": lies outside the file"));
    }
  }
  return file;
}

absl::StatusOr<SectionReader> SectionFile::Find(SectionId id) const {
  for (const Entry& entry : entries_) {
    if (entry.id != static_cast<uint32_t>(id)) continue;
    if (entry.version != kTokenizerFormatVersion) {
      return FailedPrecondition("tokenizer.bin: ", SectionName(id), ": version ", entry.version,
                                ", this program reads ", kTokenizerFormatVersion);
    }
    return SectionReader(id, bytes_.subspan(entry.offset, entry.size));
  }
  return DamagedFile(Cat(SectionName(id), ": missing"));
}

}  // namespace ks
