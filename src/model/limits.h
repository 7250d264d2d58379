// Sizes of a model that are believed. Larger numbers in a file are damage or hostility, and would only fail later, in
// an allocation.
#pragma once

namespace ks {

inline constexpr int kMaxVocabSize = 1 << 22;
inline constexpr int kMaxHiddenSize = 1 << 15;
inline constexpr int kMaxIntermediateSize = 1 << 17;
inline constexpr int kMaxLayers = 512;
inline constexpr int kMaxPositions = 1 << 20;
inline constexpr int kMaxTypeVocabSize = 1024;
inline constexpr int kMaxLabels = 1 << 16;
inline constexpr int kMaxLabelBytes = 256;

}  // namespace ks
