#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2")
#endif
#include "generate_pw.h"

#include "dot_s8.h"
#include "fixed_point.h"

namespace hypertinypw {
namespace {

// Blocks that are made together, if the generator is narrow enough.
constexpr int kLanesAtOnce = 4;
// int16 values in a buffer of inputs. One lane always fits, several up to a
// width of kMaxInputs / kLanesAtOnce.
constexpr int32_t kMaxInputs = kMaxHiddenUnits;
static_assert(kMaxInputs >= kMaxCodeDim, "One lane must fit.");

int32_t NumGroups(int32_t num_in) { return Padded(num_in) / kGroup; }

// Sets every lane's accumulator of one output to its bias.
template <int kLanes>
void SetToBias(int32_t bias, int bias_shift, int32_t rounding, int32_t* acc) {
  // A product, since C++17 does not define `<<` of a negative bias.
  const int32_t start = bias * (int32_t{1} << bias_shift) + rounding;
#pragma GCC unroll 4
  for (int lane = 0; lane < kLanes; ++lane) acc[lane] = start;
}

// Dense layer with ReLU. The outputs are in [0, 127], laid out as inputs.
template <int kLanes>
void DenseS8(const int16_t* inputs, const DenseLayer& dense, int16_t* outputs) {
  const DenseLayer layer = dense;  // A copy, which no store can change.
  const int32_t rounding = HalfStep(layer.shift);
  const int32_t num_groups = NumGroups(layer.num_in);
  const int8_t* row = layer.weights;
  const int8_t* bias = layer.bias;
  for (int32_t o = 0; o < layer.num_out; ++o) {
    int32_t acc[kLanes];
    SetToBias<kLanes>(*bias++, layer.bias_shift, rounding, acc);
    row = DotS8<kLanes>(inputs, row, num_groups, acc);
#pragma GCC unroll 4
    for (int lane = 0; lane < kLanes; ++lane) {
      outputs[lane * kGroup] = ClampHidden(acc[lane] >> layer.shift);
    }
    outputs += ToNext<kLanes>(o);
  }
  // Inputs go up to a whole group.
  for (int32_t o = layer.num_out; o < Padded(layer.num_out); ++o) {
    for (int lane = 0; lane < kLanes; ++lane) outputs[lane * kGroup] = 0;
    outputs += ToNext<kLanes>(o);
  }
}

// Which outputs of the last layer are made, and where the lanes' blocks start.
template <int kLanes>
struct Outputs {
  int32_t begin;
  int32_t end;
  int32_t offsets[kLanes];
};

// Outputs of the last layer, with the linear skip from the codes if there is
// one. They are in [-127, 127].
template <int kLanes>
void DenseWithSkipS8(const int16_t* inputs, const int16_t* scaled_codes,
                     const Generator& generator, const Outputs<kLanes>& which,
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
    SetToBias<kLanes>(*bias++, layer.bias_shift, rounding, acc);
    row = DotS8<kLanes>(inputs, row, num_groups, acc);
    if (skip_row != nullptr) {
      skip_row = DotS8<kLanes>(scaled_codes, skip_row, num_code_groups, acc);
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
template <int kLanes>
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
    lane += ToNext<kLanes>(i);
  }
}

// Synthesizes all weights, kLanes blocks at a time. A lane without a block of
// its own does what lane 0 does.
template <int kLanes>
void GenerateBlocks(const GeneratePwParams& params, const Generator& generator,
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
    Outputs<kLanes> which = {0, block_size, {}};
    for (int lane = 0; lane < kLanes; ++lane) {
      const int32_t own = block + lane < num_blocks ? lane : 0;
      which.offsets[lane] = own * block_size;
      DecodeBlock<kLanes>(packed_codes, params.code_bits, block + own,
                          generator.code_dim, codes + lane * kGroup);
    }
    const int16_t* inputs = codes;
    for (int32_t i = 0; i < num_hidden; ++i) {
      DenseS8<kLanes>(inputs, generator.layers[i], hidden[i % 2]);
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
      DenseWithSkipS8<kLanes>(inputs, scaled_codes, generator, which, first);
      if (left < block_size) return;
      which.begin = which.end;
      which.end = block_size;
      which.offsets[(left - 1) / block_size] = 0;
    }
    DenseWithSkipS8<kLanes>(inputs, scaled_codes, generator, which, first);
  }
}

// Negates the rows whose bit is set; no weight is -128.
void ApplyRowSigns(const uint8_t* row_signs, int32_t rows, int32_t row_size,
                   int8_t* weights) {
  for (int32_t r = 0; r < rows; ++r, weights += row_size) {
    if ((row_signs[r / 8] >> r % 8 & 1) == 0) continue;
    for (int32_t i = 0; i < row_size; ++i) {
      weights[i] = static_cast<int8_t>(-weights[i]);
    }
  }
}

}  // namespace

void GeneratePwWeights(const GeneratePwParams& params,
                       const Generator& generator, const uint8_t* codes,
                       int8_t* weights) {
  int32_t width = generator.code_dim;
  for (int32_t i = 0; i < generator.num_layers - 1; ++i) {
    const int32_t num_out = generator.layers[i].num_out;
    if (num_out > width) width = num_out;
  }
  if (Padded(width) * kLanesAtOnce <= kMaxInputs) {
    GenerateBlocks<kLanesAtOnce>(params, generator, codes, weights);
  } else {
    GenerateBlocks<1>(params, generator, codes, weights);
  }
  if (params.has_row_signs) {
    ApplyRowSigns(codes + PackedCodesSize(params, generator), params.rows,
                  params.num_weights / params.rows, weights);
  }
}

}  // namespace hypertinypw
