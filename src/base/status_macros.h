// Early return for Status and StatusOr. For .cc files only: no header of ours includes this one.
#pragma once

#include <utility>

#include "base/status.h"

#define KS_RETURN_IF_ERROR(expression)                            \
  do {                                                            \
    if (absl::Status ks_status = (expression); !ks_status.ok()) { \
      return ks_status;                                           \
    }                                                             \
  } while (false)

#define KS_CONCAT_INNER(a, b) a##b
#define KS_CONCAT(a, b) KS_CONCAT_INNER(a, b)

// KS_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
#define KS_ASSIGN_OR_RETURN(declaration, expression) \
  KS_ASSIGN_OR_RETURN_IMPL(KS_CONCAT(ks_result_, __LINE__), declaration, expression)

#define KS_ASSIGN_OR_RETURN_IMPL(result, declaration, expression) \
  auto result = (expression);                                     \
  if (!result.ok()) return std::move(result).status();            \
  declaration = *std::move(result)
