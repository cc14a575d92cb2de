// Fixed-point helpers of GeneratePW. No floating point and no framework: TFLM's
// and CMSIS-NN's own rounding helpers depend on build macros, these do not.

#ifndef HYPERTINYPW_TFLM_OPS_FIXED_POINT_H_
#define HYPERTINYPW_TFLM_OPS_FIXED_POINT_H_

#include <cstdint>

namespace hypertinypw {

// Hidden outputs are clamped here (ReLU), weights of the kernel there.
constexpr int32_t kHiddenLow = 0;
constexpr int32_t kKernelLow = -127;

// Divides by 2^shift, rounding to nearest, ties towards +infinity.
// Requires |value| < 2^30 and 1 <= shift <= 24. Mirrors integer.py.
// C++17 leaves `>>` of a negative value to the compiler; every compiler that
// TFLM supports shifts arithmetically.
inline int32_t RoundingRightShift(int32_t value, int shift) {
  return (value + (int32_t{1} << (shift - 1))) >> shift;
}

// Shifts an accumulator down and clamps it to [low, 127]; low is in
// [-127, 0]. Mirrors integer.py.
inline int8_t Requantize(int32_t acc, int shift, int32_t low) {
  const int32_t value = RoundingRightShift(acc, shift);
  if (value < low) return static_cast<int8_t>(low);
  if (value > 127) return 127;
  return static_cast<int8_t>(value);
}

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_FIXED_POINT_H_
