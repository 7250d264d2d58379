// The sides of a validation, opened from a package.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/served_model.h"
#include "measure/validate.h"
#include "package/manifest.h"

namespace ks {

// "int8", "fp32" or "pytorch". What is empty is chosen: the candidate int8 where the package has it, the reference
// fp32, or pytorch for an fp32 candidate.
Sides<std::string> ChooseSides(const Manifest& manifest, Sides<std::string> wanted);

// Opens one side on `threads` cores (0: all there are). What cannot be opened is an error, never another precision.
// Errors: as LoadServedModel.
absl::StatusOr<std::shared_ptr<const ServedModel>> LoadSide(const std::filesystem::path& directory,
                                                            const std::string& side, int threads);

// The int8 side once for each instruction set that this CPU has, the best first, with room for the largest batch in a
// run. Errors: as LoadModel.
absl::StatusOr<std::vector<InvarianceSide>> LoadInvarianceSides(const std::filesystem::path& directory, int threads);

}  // namespace ks
