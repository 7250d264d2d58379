// The models that the tests of the graphs emit.
#pragma once

#include "model/classifier_spec.h"

namespace ks {

inline ClassifierSpec SmallBert() {
  ClassifierSpec spec;
  spec.encoder = {.architecture = Architecture::kBert,
                  .vocab_size = 11,
                  .hidden_size = 8,
                  .intermediate_size = 16,
                  .layers = 2,
                  .heads = 2,
                  .max_positions = 6,
                  .type_vocab_size = 2,
                  .pooling = Pooling::kTanh};
  spec.labels = {"A", "B", "C"};
  return spec;
}

inline ClassifierSpec SmallDistilBert() {
  ClassifierSpec spec = SmallBert();
  spec.encoder.architecture = Architecture::kDistilBert;
  spec.encoder.type_vocab_size = 0;
  spec.encoder.pooling = Pooling::kRelu;
  return spec;
}

}  // namespace ks
