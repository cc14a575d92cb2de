// Fixed-point helpers of GeneratePW. No floating point and no framework: TFLM's
// and CMSIS-NN's own rounding helpers depend on build macros, these do not.
//
// A rounding right shift, rounding_right_shift in integer.py, is done in two
// steps, so that the first is done once for many accumulators: HalfStep is
// added, then `>>` divides by 2^shift, rounding down; ties go towards
// +infinity. C++17 leaves `>>` of a negative value to the compiler; every
// compiler that TFLM supports shifts arithmetically.

#ifndef HYPERTINYPW_TFLM_OPS_FIXED_POINT_H_
#define HYPERTINYPW_TFLM_OPS_FIXED_POINT_H_

#include <cstdint>

#if defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>
#endif

namespace hypertinypw {

// Returns 2^(shift - 1); 1 <= shift <= 24.
inline int32_t HalfStep(int shift) { return int32_t{1} << (shift - 1); }

// Clamps to [0, 127].
inline int8_t ClampHidden(int32_t value) {
#if defined(__ARM_FEATURE_DSP)
  return static_cast<int8_t>(__usat(value, 7));
#else
  return static_cast<int8_t>(value < 0 ? 0 : value > 127 ? 127 : value);
#endif
}

// Adds 1 and clamps to [-127, 127]. That is two saturating instructions, while
// a symmetric range without the addition takes a comparison.
inline int8_t IncrementAndClamp(int32_t value) {
#if defined(__ARM_FEATURE_DSP)
  return static_cast<int8_t>(__qadd8(__ssat(value, 8), 1));
#else
  return static_cast<int8_t>(value < -128  ? -127
                             : value > 126 ? 127
                                           : value + 1);
#endif
}

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_FIXED_POINT_H_
