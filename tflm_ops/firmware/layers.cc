#include "layers.h"

#include <arm_nnfunctions.h>
#include <arm_nnsupportfunctions.h>

#include <algorithm>
#include <cstring>

namespace hypertinypw {
namespace firmware {
namespace {

// Shared by all layers, as TFLM's planner shares it.
alignas(16) int8_t scratch[1 << 18];

cmsis_nn_dims Dims(const Extent& size, int32_t channels) {
  return {1, size.height, size.width, channels};
}

cmsis_nn_tile Tile(const Extent& extent) {
  return {extent.width, extent.height};
}

// CMSIS-NN takes pointers to non-constant values and only reads them.
int32_t* Mutable(const Array<int32_t>& array) {
  return const_cast<int32_t*>(array.data);
}

// Returns false if the scratch is too small.
bool Reserve(int32_t size, cmsis_nn_context* context) {
  *context = {scratch, size};
  return size <= static_cast<int32_t>(sizeof(scratch));
}

bool Convolution(const Layer& layer, const int8_t* input, const int8_t* filter,
                 const int32_t* bias, int8_t* output) {
  const LayerRecord& r = layer.record;
  const cmsis_nn_conv_params params = {
      -r.input_zero_point, r.output_zero_point,
      Tile(r.stride),      Tile(r.padding),
      Tile(r.dilation),    {r.activation_min, r.activation_max}};
  const cmsis_nn_per_channel_quant_params quantization = {
      Mutable(layer.multipliers), Mutable(layer.shifts)};
  const cmsis_nn_dims inputs = Dims(r.input_size, r.input_channels);
  const cmsis_nn_dims outputs = Dims(r.output_size, r.output_channels);
  const cmsis_nn_dims filters = {r.output_channels, r.filter_size.height,
                                 r.filter_size.width, r.input_channels};
  const cmsis_nn_dims biases = {1, 1, 1, r.output_channels};
  cmsis_nn_context context;
  return Reserve(arm_convolve_wrapper_s8_get_buffer_size(&params, &inputs,
                                                         &filters, &outputs),
                 &context) &&
         arm_convolve_wrapper_s8(&context, &params, &quantization, &inputs,
                                 input, &filters, filter, &biases, bias,
                                 &outputs, output) == ARM_CMSIS_NN_SUCCESS;
}

bool Depthwise(const Layer& layer, const int8_t* input, const int8_t* filter,
               const int32_t* bias, int8_t* output) {
  const LayerRecord& r = layer.record;
  const cmsis_nn_dw_conv_params params = {-r.input_zero_point,
                                          r.output_zero_point,
                                          r.channel_multiplier,
                                          Tile(r.stride),
                                          Tile(r.padding),
                                          Tile(r.dilation),
                                          {r.activation_min, r.activation_max}};
  const cmsis_nn_per_channel_quant_params quantization = {
      Mutable(layer.multipliers), Mutable(layer.shifts)};
  const cmsis_nn_dims inputs = Dims(r.input_size, r.input_channels);
  const cmsis_nn_dims outputs = Dims(r.output_size, r.output_channels);
  const cmsis_nn_dims filters = Dims(r.filter_size, r.output_channels);
  const cmsis_nn_dims biases = {1, 1, 1, r.output_channels};
  cmsis_nn_context context;
  return Reserve(arm_depthwise_conv_wrapper_s8_get_buffer_size(
                     &params, &inputs, &filters, &outputs),
                 &context) &&
         arm_depthwise_conv_wrapper_s8(
             &context, &params, &quantization, &inputs, input, &filters, filter,
             &biases, bias, &outputs, output) == ARM_CMSIS_NN_SUCCESS;
}

bool FullyConnected(const Layer& layer, const int8_t* input,
                    const int8_t* filter, const int32_t* bias, int8_t* output) {
  const LayerRecord& r = layer.record;
  const cmsis_nn_fc_params params = {-r.input_zero_point,
                                     0,
                                     r.output_zero_point,
                                     {r.activation_min, r.activation_max}};
  const cmsis_nn_per_tensor_quant_params quantization = {
      layer.multipliers.data[0], layer.shifts.data[0]};
  const cmsis_nn_dims inputs = {1, 1, 1, r.input_channels};
  const cmsis_nn_dims filters = {r.input_channels, 1, 1, r.output_channels};
  const cmsis_nn_dims outputs = {1, 1, 1, r.output_channels};
  cmsis_nn_context context;
  return Reserve(arm_fully_connected_s8_get_buffer_size(&filters), &context) &&
         arm_fully_connected_s8(&context, &params, &quantization, &inputs,
                                input, &filters, filter, &outputs, bias,
                                &outputs, output) == ARM_CMSIS_NN_SUCCESS;
}

bool AveragePool(const Layer& layer, const int8_t* input, int8_t* output) {
  const LayerRecord& r = layer.record;
  const cmsis_nn_pool_params params = {
      Tile(r.stride), Tile(r.padding), {r.activation_min, r.activation_max}};
  const cmsis_nn_dims inputs = Dims(r.input_size, r.input_channels);
  const cmsis_nn_dims filters = Dims(r.filter_size, 1);
  const cmsis_nn_dims outputs = Dims(r.output_size, r.output_channels);
  cmsis_nn_context context;
  return Reserve(arm_avgpool_s8_get_buffer_size(r.output_size.width,
                                                r.input_channels),
                 &context) &&
         arm_avgpool_s8(&context, &params, &inputs, input, &filters, &outputs,
                        output) == ARM_CMSIS_NN_SUCCESS;
}

// Where the value at an index lies if `axes`, which may be null, are left out.
int32_t Offset(int num_dims, const int32_t* dims, const int32_t* index,
               int num_axes, const int32_t* axes) {
  int32_t offset = 0;
  for (int dim = 0; dim < num_dims; ++dim) {
    bool is_left_out = false;
    for (int i = 0; axes != nullptr && i < num_axes && !is_left_out; ++i) {
      is_left_out = axes[i] == dim;
    }
    if (!is_left_out) offset = offset * dims[dim] + index[dim];
  }
  return offset;
}

// Moves on to the next value; returns false behind the last.
bool NextIndex(int num_dims, const int32_t* dims, int32_t* index) {
  for (int dim = num_dims - 1; dim >= 0; --dim) {
    if (++index[dim] < dims[dim]) return true;
    index[dim] = 0;
  }
  return false;
}

// Adds up what `axes` lead through. CMSIS-NN has no such kernel, and TFLM's
// works out every value's place from its index, for any shape: so does this,
// for an honest count, and `noipa` keeps the shape from the compiler.
[[gnu::noipa]] void Sum(const int8_t* input, int num_dims, const int32_t* dims,
                        int num_axes, const int32_t* axes, int32_t* index,
                        int32_t* sums) {
  do {
    sums[Offset(num_dims, dims, index, num_axes, axes)] +=
        input[Offset(num_dims, dims, index, 0, nullptr)];
  } while (NextIndex(num_dims, dims, index));
}

// Over height and width. The division is part of the multiplier.
bool Mean(const Layer& layer, const int8_t* input, int8_t* output) {
  const LayerRecord& r = layer.record;
  const int32_t dims[] = {1, r.input_size.height, r.input_size.width,
                          r.input_channels};
  const int32_t axes[] = {1, 2};
  int32_t index[] = {0, 0, 0, 0};
  cmsis_nn_context context;
  if (!Reserve(r.input_channels * 4, &context)) return false;
  auto* sums = static_cast<int32_t*>(context.buf);
  std::fill_n(sums, r.input_channels, 0);
  Sum(input, 4, dims, 2, axes, index, sums);
  const int32_t count = r.input_size.height * r.input_size.width;
  for (int32_t channel = 0; channel < r.input_channels; ++channel) {
    const int32_t mean =
        arm_nn_requantize(sums[channel] - r.input_zero_point * count,
                          layer.multipliers.data[0], layer.shifts.data[0]) +
        r.output_zero_point;
    output[channel] = static_cast<int8_t>(
        std::clamp(mean, r.activation_min, r.activation_max));
  }
  return true;
}

void Pad(const LayerRecord& r, const int8_t* input, int8_t* output) {
  const size_t pixel = static_cast<size_t>(r.input_channels);
  const size_t input_row = pixel * static_cast<size_t>(r.input_size.width);
  const size_t output_row = pixel * static_cast<size_t>(r.output_size.width);
  std::memset(output, r.output_zero_point,
              output_row * static_cast<size_t>(r.output_size.height));
  output += output_row * static_cast<size_t>(r.padding.height) +
            pixel * static_cast<size_t>(r.padding.width);
  for (int32_t y = 0; y < r.input_size.height; ++y) {
    std::memcpy(output, input, input_row);
    input += input_row;
    output += output_row;
  }
}

}  // namespace

bool RunLayer(const Layer& layer, const int8_t* input, const int8_t* filter,
              const int32_t* bias, int8_t* output) {
  switch (layer.kind) {
    case LayerKind::kConvolution:
      return Convolution(layer, input, filter, bias, output);
    case LayerKind::kDepthwise:
      return Depthwise(layer, input, filter, bias, output);
    case LayerKind::kFullyConnected:
      return FullyConnected(layer, input, filter, bias, output);
    case LayerKind::kAveragePool:
      return AveragePool(layer, input, output);
    case LayerKind::kMean:
      return Mean(layer, input, output);
    case LayerKind::kPad:
      Pad(layer.record, input, output);
      return true;
    case LayerKind::kReshape:  // Input and output are one tensor.
      return true;
    case LayerKind::kGeneratePw:
      return false;
  }
  return false;
}

}  // namespace firmware
}  // namespace hypertinypw
