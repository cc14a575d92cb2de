#include "generate_pw.h"

#include "fixed_point.h"
#include "generate_pw_lanes.h"

namespace hypertinypw {
namespace {

// Returns field `index` of packed codes as the level it stands for, in
// [-128, 127]. Mirrors decode_levels in spec.py.
int8_t DecodeLevel(const uint8_t* codes, int code_bits, int32_t index) {
  if (code_bits == 8) return static_cast<int8_t>(codes[index]);
  const int32_t per_byte = 8 / code_bits;
  const int32_t mask = (1 << code_bits) - 1;
  const int32_t shift = index % per_byte * code_bits;
  const int32_t field = codes[index / per_byte] >> shift & mask;
  return static_cast<int8_t>(2 * field - mask);
}

int32_t DotS8(const int8_t* inputs, const int8_t* weights, int32_t num_in) {
  int32_t sum = 0;
  do {  // The format has no layer without inputs.
    sum += *inputs++ * *weights++;
  } while (--num_in != 0);
  return sum;
}

// Returns the accumulator of one output, |acc| <= 2^23 + 2^22.
int32_t Accumulate(const int8_t* inputs, const DenseLayer& layer,
                   int32_t output) {
  const int8_t* row = layer.weights + output * Padded(layer.num_in);
  // A product, since C++17 does not define `<<` of a negative bias.
  const int32_t bias = layer.bias[output] * (int32_t{1} << layer.bias_shift);
  return bias + DotS8(inputs, row, layer.num_in);
}

// Dense layer with ReLU. The outputs are in [0, 127].
void DenseS8(const int8_t* inputs, const DenseLayer& layer, int8_t* outputs) {
  for (int32_t o = 0; o < layer.num_out; ++o) {
    const int32_t acc = Accumulate(inputs, layer, o);
    outputs[o] = Requantize(acc, layer.shift, kHiddenLow);
  }
}

// The last layer, with the linear skip from the code if there is one, cut off
// after `count` outputs. The outputs are in [-127, 127].
void DenseWithSkipS8(const int8_t* inputs, const int8_t* code,
                     const Generator& generator, int32_t count,
                     int8_t* outputs) {
  const DenseLayer& layer = generator.layers[generator.num_layers - 1];
  const int32_t skip_factor = int32_t{1} << generator.skip_shift;
  const int8_t* skip_row = generator.skip_weights;
  for (int32_t o = 0; o < count; ++o) {
    int32_t acc = Accumulate(inputs, layer, o);
    if (skip_row != nullptr) {
      acc += skip_factor * DotS8(code, skip_row, generator.code_dim);
      skip_row += Padded(generator.code_dim);
    }
    outputs[o] = Requantize(acc, layer.shift, kKernelLow);
  }
}

// Runs the generator on one code and keeps the first `count` weights.
void GenerateBlock(const int8_t* code, const Generator& generator,
                   int32_t count, int8_t* weights) {
  int8_t hidden[2][kMaxHiddenUnits];
  const int8_t* inputs = code;
  for (int32_t i = 0; i < generator.num_layers - 1; ++i) {
    int8_t* outputs = hidden[i % 2];
    DenseS8(inputs, generator.layers[i], outputs);
    inputs = outputs;
  }
  DenseWithSkipS8(inputs, code, generator, count, weights);
}

// Runs the generator on one code after the other.
void GenerateBlocks(const GeneratePwParams& params, const Generator& generator,
                    const uint8_t* codes, int8_t* weights) {
  int8_t code[kMaxCodeDim];
  int32_t index = 0;
  int32_t done = 0;
  while (done < params.num_weights) {
    for (int32_t i = 0; i < generator.code_dim; ++i) {
      code[i] = DecodeLevel(codes, params.code_bits, index++);
    }
    const int32_t left = params.num_weights - done;
    const int32_t count =
        left < generator.block_size ? left : generator.block_size;
    GenerateBlock(code, generator, count, weights + done);
    done += count;
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

#if HYPERTINYPW_LANES
bool FitsLanes(const Generator& generator) {
  int32_t width = generator.code_dim;
  for (int32_t i = 0; i < generator.num_layers - 1; ++i) {
    const int32_t num_out = generator.layers[i].num_out;
    if (num_out > width) width = num_out;
  }
  return width <= kMaxLaneWidth;
}
#endif

}  // namespace

void GeneratePwWeights(const GeneratePwParams& params,
                       const Generator& generator, const uint8_t* codes,
                       int8_t* weights) {
#if HYPERTINYPW_LANES
  if (FitsLanes(generator)) {
    GenerateBlocksInLanes(params, generator, codes, weights);
  } else {
    GenerateBlocks(params, generator, codes, weights);
  }
#else
  GenerateBlocks(params, generator, codes, weights);
#endif
  if (params.has_row_signs) {
    ApplyRowSigns(codes + PackedCodesSize(params, generator), params.rows,
                  params.num_weights / params.rows, weights);
  }
}

}  // namespace hypertinypw
