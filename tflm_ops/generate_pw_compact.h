// The arithmetic of GeneratePW in the least code, from the bytes of a file as
// they stand: what generate_pw_format.cc and generate_pw.cc do, bit for bit,
// without a check. Only for bytes that README.md allows, of codes below 256 MB,
// and no reference to a shared generator.

#ifndef HYPERTINYPW_TFLM_OPS_GENERATE_PW_COMPACT_H_
#define HYPERTINYPW_TFLM_OPS_GENERATE_PW_COMPACT_H_

#include <cstdint>

#include "fixed_point.h"
#include "generate_pw_format.h"

namespace hypertinypw {
namespace compact {

inline int32_t ReadU16(const uint8_t* bytes) {
  return bytes[0] | bytes[1] << 8;
}

// What is inlined here, what is not, and `static` are what takes the least
// flash with GCC 12.2.
[[gnu::noinline]] static int32_t DotS8(const int8_t* inputs,
                                       const int8_t* weights, int32_t num_in) {
  int32_t sum = 0;
  int32_t i = num_in - 1;  // At least 0. Downwards: no comparison with -Os.
  do {
    sum += inputs[i] * weights[i];
  } while (--i >= 0);
  return sum;
}

// Runs the generator on one code and keeps at most `left` weights.
[[gnu::always_inline]] inline void MakeBlock(const uint8_t* blob,
                                             const int8_t* code, int32_t left,
                                             int8_t* weights) {
  int8_t hidden[2][kMaxHiddenUnits];
  const uint8_t* descriptor = blob + kHeaderSize;
  int32_t num_left = blob[2];
  const auto* bias =
      reinterpret_cast<const int8_t*>(descriptor + kDescriptorSize * num_left);
  const int8_t* inputs = code;
  int32_t num_in = blob[3];
  do {
    --num_left;
    const int32_t num_out = ReadU16(descriptor);
    const int8_t* row = bias + Padded(num_out);
    const int8_t* skip_row = row + num_out * Padded(num_in);
    int8_t* outputs = num_left == 0 ? weights : hidden[num_left & 1];
    for (int32_t o = 0; o < num_out; ++o) {
      // A product, since C++17 does not define `<<` of a negative value.
      int32_t acc =
          bias[o] * (int32_t{1} << descriptor[3]) + DotS8(inputs, row, num_in);
      row += Padded(num_in);
      if (num_left == 0) {
        if (o == left) return;
        if ((blob[6] & kFlagSkip) != 0) {
          acc += DotS8(code, skip_row, blob[3]) * (int32_t{1} << blob[7]);
          skip_row += Padded(blob[3]);
        }
      }
      outputs[o] = Requantize(acc, descriptor[2],
                              num_left == 0 ? kKernelLow : kHiddenLow);
    }
    bias = row;
    inputs = outputs;
    num_in = num_out;
    descriptor += kDescriptorSize;
  } while (num_left != 0);
}

// Writes a kernel's `size` weights; `dims` are its dimensions, rows first.
[[gnu::always_inline]] inline void GenerateWeights(
    const uint8_t* options, const uint8_t* codes, const uint8_t* blob,
    const int* dims, int32_t size, int8_t* weights) {
  const int32_t code_bits = options[1];
  const int32_t mask = (1 << code_bits) - 1;
  int32_t bit = 0;
  for (int32_t left = size; left > 0; left -= ReadU16(blob + 4)) {
    int8_t code[kMaxCodeDim];
    for (int32_t i = 0; i < blob[3]; ++i) {
      const int32_t field = codes[bit >> 3] >> (bit & 7) & mask;
      code[i] = static_cast<int8_t>(code_bits == 8 ? field : 2 * field - mask);
      bit += code_bits;
    }
    MakeBlock(blob, code, left, weights + size - left);
  }
  if ((options[4] & kFlagRowSigns) != 0) {
    const uint8_t* signs = codes + ((bit + 7) >> 3);
    const int32_t row_size = size / dims[0];
    for (int32_t i = 0; i < size; ++i) {
      const int32_t row = i / row_size;
      if ((signs[row >> 3] >> (row & 7) & 1) != 0) {
        weights[i] = static_cast<int8_t>(-weights[i]);
      }
    }
  }
}

}  // namespace compact
}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_GENERATE_PW_COMPACT_H_
