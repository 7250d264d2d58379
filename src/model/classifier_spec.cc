#include "model/classifier_spec.h"

namespace ks {

std::string_view ArchitectureName(Architecture architecture) {
  switch (architecture) {
    case Architecture::kBert:
      return "bert";
    case Architecture::kDistilBert:
      return "distilbert";
  }
  return "";
}

std::string_view ActivationName(Activation activation) {
  switch (activation) {
    case Activation::kSoftmax:
      return "softmax";
    case Activation::kSigmoid:
      return "sigmoid";
    case Activation::kNone:
      return "none";
  }
  return "";
}

}  // namespace ks
