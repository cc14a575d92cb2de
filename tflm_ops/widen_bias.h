// The arithmetic and the byte format of WidenBias, version 1: widen_bias.md
// is the definition.

#ifndef HYPERTINYPW_TFLM_OPS_WIDEN_BIAS_H_
#define HYPERTINYPW_TFLM_OPS_WIDEN_BIAS_H_

#include <cstddef>
#include <cstdint>

namespace hypertinypw {

constexpr int kWidenBiasVersion = 1;
constexpr int kWidenBiasHeaderSize = 2;
constexpr int kMaxWidenBiasShift = 24;

// Custom options: version, number of outputs, a shift for each output.
inline bool IsWidenBiasOptions(const uint8_t* options, size_t size) {
  if (size <= kWidenBiasHeaderSize || options[0] != kWidenBiasVersion ||
      size != kWidenBiasHeaderSize + size_t{options[1]}) {
    return false;
  }
  for (size_t i = kWidenBiasHeaderSize; i < size; ++i) {
    if (options[i] > kMaxWidenBiasShift) return false;
  }
  return true;
}

// Writes `values[i] * 2^shift`, `size` of them. Requires a shift in [0, 24].
inline void WidenBias(const int8_t* values, int32_t size, int shift,
                      int32_t* biases) {
  const int32_t unit = int32_t{1} << shift;
  for (int32_t i = 0; i < size; ++i) biases[i] = values[i] * unit;
}

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_WIDEN_BIAS_H_
