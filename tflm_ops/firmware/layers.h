// The ops of an int8 network on CMSIS-NN's kernels, each with what TFLM's
// Prepare would have computed. CMSIS-NN has no mean over two axes and no
// padding: those two are here, the mean as slow as TFLM's own.

#ifndef HYPERTINYPW_TFLM_OPS_FIRMWARE_LAYERS_H_
#define HYPERTINYPW_TFLM_OPS_FIRMWARE_LAYERS_H_

#include <cstdint>

#include "input_file.h"

namespace hypertinypw {
namespace firmware {

// In the order of LAYER_KINDS in benchmarks/board_network.py.
enum class LayerKind : int32_t {
  kConvolution,
  kDepthwise,
  kFullyConnected,
  kAveragePool,
  kMean,
  kPad,
  kReshape,
  kGeneratePw,
};

struct Extent {
  int32_t height;
  int32_t width;
};

// The fields have the order of LayerRecord in benchmarks/board_network.py.
struct LayerRecord {
  int32_t input;  // Indices of tensors; -1 if there is none.
  int32_t filter;
  int32_t bias;
  int32_t output;
  Extent input_size;
  int32_t input_channels;
  Extent filter_size;
  Extent output_size;
  int32_t output_channels;
  Extent stride;
  Extent padding;  // Before the input; what is behind follows.
  Extent dilation;
  int32_t channel_multiplier;
  int32_t input_zero_point;
  int32_t output_zero_point;
  int32_t activation_min;
  int32_t activation_max;
};

struct Layer {
  LayerKind kind;
  LayerRecord record;
  // Per output channel, or one for all.
  Array<int32_t> multipliers;
  Array<int32_t> shifts;
};

// Runs any kind but kGeneratePw; returns false if CMSIS-NN refuses. The tensors
// that the record does not have are null.
bool RunLayer(const Layer& layer, const int8_t* input, const int8_t* filter,
              const int32_t* bias, int8_t* output);

}  // namespace firmware
}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_FIRMWARE_LAYERS_H_
