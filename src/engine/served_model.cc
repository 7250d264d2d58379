#include "engine/served_model.h"

#include <utility>

namespace ks {

ServedModel::ServedModel(std::shared_ptr<const Package> package, Manifest manifest, Tokenizer tokenizer,
                         std::vector<BackendGroup> groups)
    : package_(std::move(package)),
      manifest_(std::move(manifest)),
      tokenizer_(std::move(tokenizer)),
      groups_(std::move(groups)) {}

}  // namespace ks
