// Puts a whole directory in place at once: at every moment, also after a crash, the target is what it was before or
// what was written, never a part of it.
//
//   KS_ASSIGN_OR_RETURN(StagedDirectory staged, StagedDirectory::Create("models/x", {.replace = true}));
//   KS_ASSIGN_OR_RETURN(StagedFile file, staged.CreateFile("manifest.json"));
//   KS_RETURN_IF_ERROR(file.Write(bytes));
//   KS_RETURN_IF_ERROR(file.Finish());
//   KS_RETURN_IF_ERROR(staged.Publish());
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ks {

// Told of each step that changes the disk: "before" or "after", and which ("write a.bin", "sync a.bin", "rename", ...).
using StepObserver = std::function<void(std::string_view when, std::string_view step)>;

// renameat2 of two absolute paths: 0, or -1 with errno.
using RenameFunction = std::function<int(const char* from, const char* to, unsigned flags)>;

struct StagingOptions {
  bool replace = false;        // an existing directory at the target is exchanged for the new one and removed
  StepObserver on_step = {};   // may be empty
  RenameFunction rename = {};  // empty: the system's; a file system's refusals are tested through it
};

// A file inside a staged directory. Movable. Not finished, it is just left in the directory, which is then not
// published.
class StagedFile {
 public:
  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;
  ~StagedFile();

  // Appends. Error: kResourceExhausted where the disk is full, otherwise as ErrnoStatus; the message names the file.
  absl::Status Write(std::span<const std::byte> bytes);
  // Flushes the file to disk and closes it. Errors: as Write.
  absl::Status Finish();

 private:
  friend class StagedDirectory;
  StagedFile(int fd, std::string name, std::filesystem::path path, const StepObserver& on_step);

  int fd_;
  std::string name_;
  std::filesystem::path path_;
  StepObserver on_step_;
};

// A directory beside its target, locked as long as the object lives; removed unless it is published. Movable.
class StagedDirectory {
 public:
  // Makes the staging directory `.<target's name>.staging-XXXXXX` beside `target`; a link at `target` is followed. What
  // earlier writers of the same target left there when they were killed is removed: whatever has such a name, belongs
  // to this user and is not locked.
  //
  // Errors: kAlreadyExists where the target exists and options.replace is false, or is not a directory; kNotFound where
  // its parent is missing; kPermissionDenied (also for a read-only file system), naming the parent.
  static absl::StatusOr<StagedDirectory> Create(const std::filesystem::path& target, StagingOptions options);

  StagedDirectory(StagedDirectory&& other) noexcept;
  StagedDirectory& operator=(StagedDirectory&&) = delete;
  ~StagedDirectory();

  // Where the files are until they are published.
  const std::filesystem::path& path() const { return path_; }
  // The target with all links followed.
  const std::filesystem::path& target() const { return target_; }

  // Errors: as ErrnoStatus, naming the file.
  absl::StatusOr<StagedFile> CreateFile(std::string_view name);

  // Flushes the directory, puts it at the target in one step and flushes the parent. A directory that was there is
  // removed afterwards; readers that have its files open or mapped keep them. Call once, last.
  //
  // Errors: kAlreadyExists where the target appeared meanwhile; kFailedPrecondition where the file system cannot
  // exchange two directories (some network and overlay ones): remove the target or write elsewhere. The target is then
  // unchanged. As ErrnoStatus where the last flush failed: the new directory is in place, but a power failure may undo
  // that.
  absl::Status Publish();

 private:
  StagedDirectory(std::filesystem::path target, StagingOptions options);
  absl::Status MakeLocked();
  absl::Status Rename();
  void Step(std::string_view when, std::string_view step) const;

  std::filesystem::path target_;
  std::filesystem::path path_;  // empty once moved from or published
  StagingOptions options_;
  int lock_fd_ = -1;
};

}  // namespace ks
