#include "generate_pw_lanes.h"

#if HYPERTINYPW_LANES

#include <cstring>

#if defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>
#endif

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__) && !defined(__clang__)
// Arduino builds with -Os, which would keep the accumulators in memory.
#pragma GCC optimize("O2")
#endif

namespace hypertinypw {
namespace {

constexpr int kLanes = 4;
// int16 values in a buffer of inputs of all lanes.
constexpr int32_t kMaxInputs = kMaxLaneWidth * kLanes;

// Inputs are int16 and stand in groups of 4, one lane's after the other's.
// Within a group the order is 0, 2, 1, 3: so SXTB16 unpacks a word of weights.
constexpr int32_t kGroup = 4;

// Returns how far it is from input `index` of a lane to the next one.
inline int32_t ToNext(int32_t index) {
  static constexpr int8_t kDistances[kGroup] = {2, -1, 2, kLanes * kGroup - 3};
  return kDistances[index & (kGroup - 1)];
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

// Adds to each lane's accumulator the products of its inputs and the row, which
// has `num_groups` groups, at least one. Returns the end of the row.
[[gnu::always_inline]] inline const int8_t* DotS8(const int16_t* inputs,
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

#else  // For tests on the host.

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

#endif  // defined(__ARM_FEATURE_DSP)

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

int32_t NumGroups(int32_t num_in) { return Padded(num_in) / kGroup; }

// Sets every lane's accumulator of one output to its bias.
void SetToBias(int32_t bias, int bias_shift, int32_t rounding, int32_t* acc) {
  // A product, since C++17 does not define `<<` of a negative bias.
  const int32_t start = bias * (int32_t{1} << bias_shift) + rounding;
#pragma GCC unroll 4
  for (int lane = 0; lane < kLanes; ++lane) acc[lane] = start;
}

// Dense layer with ReLU. The outputs are in [0, 127], laid out as inputs.
void DenseS8(const int16_t* inputs, const DenseLayer& dense, int16_t* outputs) {
  const DenseLayer layer = dense;  // A copy, which no store can change.
  const int32_t rounding = HalfStep(layer.shift);
  const int32_t num_groups = NumGroups(layer.num_in);
  const int8_t* row = layer.weights;
  const int8_t* bias = layer.bias;
  for (int32_t o = 0; o < layer.num_out; ++o) {
    int32_t acc[kLanes];
    SetToBias(*bias++, layer.bias_shift, rounding, acc);
    row = DotS8(inputs, row, num_groups, acc);
#pragma GCC unroll 4
    for (int lane = 0; lane < kLanes; ++lane) {
      outputs[lane * kGroup] = ClampHidden(acc[lane] >> layer.shift);
    }
    outputs += ToNext(o);
  }
  // Inputs go up to a whole group.
  for (int32_t o = layer.num_out; o < Padded(layer.num_out); ++o) {
    for (int lane = 0; lane < kLanes; ++lane) outputs[lane * kGroup] = 0;
    outputs += ToNext(o);
  }
}

// Which outputs of the last layer are made, and where the lanes' blocks start.
struct Outputs {
  int32_t begin;
  int32_t end;
  int32_t offsets[kLanes];
};

// Outputs of the last layer, with the linear skip from the codes if there is
// one. They are in [-127, 127].
void DenseWithSkipS8(const int16_t* inputs, const int16_t* scaled_codes,
                     const Generator& generator, const Outputs& which,
                     int8_t* weights) {
  const DenseLayer layer = generator.layers[generator.num_layers - 1];
  // The half step, less the whole one that is added at the end.
  const int32_t rounding = -HalfStep(layer.shift);
  const int32_t num_groups = NumGroups(layer.num_in);
  const int32_t num_code_groups = NumGroups(generator.code_dim);
  const int8_t* row = layer.weights + which.begin * num_groups * kGroup;
  const int8_t* skip_row = generator.skip_weights;
  if (skip_row != nullptr) skip_row += which.begin * num_code_groups * kGroup;
  const int8_t* bias = layer.bias + which.begin;
  const int8_t* const end = weights + which.end;
  for (weights += which.begin; weights != end; ++weights) {
    int32_t acc[kLanes];
    SetToBias(*bias++, layer.bias_shift, rounding, acc);
    row = DotS8(inputs, row, num_groups, acc);
    if (skip_row != nullptr) {
      skip_row = DotS8(scaled_codes, skip_row, num_code_groups, acc);
    }
    // Downwards: lanes without a block of their own have that of lane 0.
#pragma GCC unroll 4
    for (int lane = kLanes - 1; lane >= 0; --lane) {
      weights[which.offsets[lane]] =
          IncrementAndClamp(acc[lane] >> layer.shift);
    }
  }
}

// Decodes the codes of one block into a lane: fields as the levels they stand
// for, in [-128, 127]. Mirrors decode_levels in spec.py.
void DecodeBlock(const uint8_t* codes, int code_bits, int32_t block,
                 int32_t code_dim, int16_t* lane) {
  const int32_t mask = (1 << code_bits) - 1;
  // An 8-bit field is a two's complement integer, the others are odd levels.
  const int32_t sign_bit = code_bits == 8 ? 128 : 0;
  const int32_t step = code_bits == 8 ? 1 : 2;
  const int32_t lowest = code_bits == 8 ? -128 : -mask;
  const int32_t per_byte = 8 / code_bits;
  const int32_t first = block * code_dim;
  codes += first / per_byte;
  int32_t bit = first % per_byte * code_bits;
  for (int32_t i = 0; i < code_dim; ++i) {
    const int32_t field = codes[bit >> 3] >> (bit & 7) & mask;
    *lane = static_cast<int16_t>((field ^ sign_bit) * step + lowest);
    bit += code_bits;
    lane += ToNext(i);
  }
}

}  // namespace

// A lane without a block of its own does what lane 0 does.
void GenerateBlocksInLanes(const GeneratePwParams& params,
                           const Generator& generator,
                           const uint8_t* packed_codes, int8_t* weights) {
  // Zeros, since inputs go up to a whole group.
  alignas(4) int16_t codes[kMaxInputs] = {};
  alignas(4) int16_t hidden[2][kMaxInputs];
  const int32_t num_hidden = generator.num_layers - 1;
  // Of the two buffers the one that the last layer does not read.
  int16_t* const scaled_codes = hidden[num_hidden % 2];
  const int32_t block_size = generator.block_size;
  const int32_t num_blocks = NumBlocks(params, generator);
  for (int32_t block = 0; block < num_blocks; block += kLanes) {
    Outputs which = {0, block_size, {}};
    for (int lane = 0; lane < kLanes; ++lane) {
      const int32_t own = block + lane < num_blocks ? lane : 0;
      which.offsets[lane] = own * block_size;
      DecodeBlock(packed_codes, params.code_bits, block + own,
                  generator.code_dim, codes + lane * kGroup);
    }
    const int16_t* inputs = codes;
    for (int32_t i = 0; i < num_hidden; ++i) {
      DenseS8(inputs, generator.layers[i], hidden[i % 2]);
      inputs = hidden[i % 2];
    }
    if (generator.skip_weights != nullptr) {
      const int32_t size = Padded(generator.code_dim) * kLanes;
      for (int32_t i = 0; i < size; ++i) {
        scaled_codes[i] =
            static_cast<int16_t>(codes[i] * (1 << generator.skip_shift));
      }
    }
    int8_t* const first = weights + block * block_size;
    // Weights that are left; the last block may be cut off.
    const int32_t left = params.num_weights - block * block_size;
    if (left < kLanes * block_size) {
      which.end = (left - 1) % block_size + 1;
      DenseWithSkipS8(inputs, scaled_codes, generator, which, first);
      if (left < block_size) return;
      which.begin = which.end;
      which.end = block_size;
      which.offsets[(left - 1) / block_size] = 0;
    }
    DenseWithSkipS8(inputs, scaled_codes, generator, which, first);
  }
}

}  // namespace hypertinypw

#endif  // HYPERTINYPW_LANES
