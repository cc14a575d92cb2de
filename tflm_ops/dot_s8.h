// Dot products of rows of int8 weights with the inputs of several codes at
// once, so that each weight is loaded and unpacked once for all of them.

#ifndef HYPERTINYPW_TFLM_OPS_DOT_S8_H_
#define HYPERTINYPW_TFLM_OPS_DOT_S8_H_

#include <cstdint>
#include <cstring>

#if defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>
#endif

namespace hypertinypw {

// Inputs are int16 and stand in groups of 4, one lane's after the other's.
// Within a group the order is 0, 2, 1, 3: so SXTB16 unpacks a word of weights.
constexpr int32_t kGroup = 4;

// Returns how far it is from input `index` of a lane to the next one.
template <int kLanes>
inline int32_t ToNext(int32_t index) {
  static constexpr int8_t kDistances[kGroup] = {2, -1, 2, kLanes * kGroup - 3};
  return kDistances[index & (kGroup - 1)];
}

// Adds to each lane's accumulator the products of its inputs and the row, which
// has `num_groups` groups, at least one. Returns the end of the row.
template <int kLanes>
inline const int8_t* DotS8(const int16_t* inputs, const int8_t* row,
                           int32_t num_groups, int32_t* acc) {
  for (; num_groups != 0; --num_groups, row += kGroup) {
    for (int lane = 0; lane < kLanes; ++lane, inputs += kGroup) {
      acc[lane] += inputs[0] * row[0] + inputs[1] * row[2] +
                   inputs[2] * row[1] + inputs[3] * row[3];
    }
  }
  return row;
}

#if defined(__ARM_FEATURE_DSP)

// Adds a group's products to two lanes. Returns the inputs behind them.
[[gnu::always_inline]] inline const int16_t* AddTwoLanes(const int16_t* inputs,
                                                         int16x2_t even,
                                                         int16x2_t odd,
                                                         int32_t* acc) {
  // One load for both, which the compiler does not find.
  asm("ldmia %[inputs]!, {r8, r9, r10, r11}\n\t"
      "smlad %[first], r8, %[even], %[first]\n\t"
      "smlad %[first], r9, %[odd], %[first]\n\t"
      "smlad %[second], r10, %[even], %[second]\n\t"
      "smlad %[second], r11, %[odd], %[second]"
      : [inputs] "+r"(inputs), [first] "+r"(acc[0]), [second] "+r"(acc[1])
      : [even] "r"(even), [odd] "r"(odd),
        "m"(*reinterpret_cast<const int16_t (*)[2 * kGroup]>(inputs))
      : "r8", "r9", "r10", "r11");
  return inputs;
}

template <>
[[gnu::always_inline]] inline const int8_t* DotS8<4>(const int16_t* inputs,
                                                     const int8_t* row,
                                                     int32_t num_groups,
                                                     int32_t* acc) {
  do {
    int8x4_t weights;
    std::memcpy(&weights, row, sizeof(weights));
    const int16x2_t even = __sxtb16(weights);
    int16x2_t odd;
    asm("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(weights));
    inputs = AddTwoLanes(inputs, even, odd, acc);
    inputs = AddTwoLanes(inputs, even, odd, acc + 2);
    row += kGroup;
  } while (--num_groups != 0);
  return row;
}

#endif  // defined(__ARM_FEATURE_DSP)

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_DOT_S8_H_
