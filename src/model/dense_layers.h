// The dense layers of the encoder that int8 quantises, under names that do not depend on the architecture: those of
// graphs, of int8.bin and of `convert --keep-fp32`.
#pragma once

#include <string>
#include <vector>

#include "model/weights.h"

namespace ks {

// Query, key and value are one layer: they share an input, and their rows lie one below the other.
struct DenseLayer {
  std::string name;                // "layer.0.qkv", "layer.0.attention.output", "layer.0.ffn.in", "layer.0.ffn.out"
  std::vector<LinearNames> parts;  // of the checkpoint, in the order of the rows
  int inputs = 0;                  // K
  int outputs = 0;                 // N, of all parts
};

// Of a layer's dense layers, in the order of the computation.
enum DenseIndex : int { kQkv, kAttentionOutput, kFfnIn, kFfnOut, kDensePerLayer };

// All of them: that of layer i at kDensePerLayer * i + DenseIndex. The pooler and the classifier are not among them:
// they take one row a text and stay in fp32.
std::vector<DenseLayer> DenseLayers(const ClassifierSpec& spec);

}  // namespace ks
