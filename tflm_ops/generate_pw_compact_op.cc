#include "generate_pw_compact_op.h"

#include <cstddef>
#include <cstdint>

#include "fixed_point.h"
#include "generate_pw_format.h"
#include "make_registration.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/kernels/op_macros.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"
#include "tensorflow/lite/micro/micro_context.h"

namespace hypertinypw {
namespace {

constexpr int kCodesTensor = 0;
constexpr int kGeneratorTensor = 1;
constexpr int kKernelTensor = 0;

// Not inlined: that is 20 B less.
[[gnu::noinline]] int32_t DotS8(const int8_t* inputs, const int8_t* weights,
                                int32_t num_in) {
  int32_t sum = 0;
  for (int32_t i = 0; i < num_in; ++i) sum += inputs[i] * weights[i];
  return sum;
}

int32_t ReadU16(const uint8_t* bytes) { return bytes[0] | bytes[1] << 8; }

// Runs the generator on one code and keeps at most `left` weights. Reads the
// blob as it stands, layer by layer: a parsed one would cost code.
void MakeBlock(const uint8_t* blob, const int8_t* code, int32_t left,
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
        if (blob[6] != 0) {
          acc += DotS8(code, skip_row, blob[3]) * (int32_t{1} << blob[7]);
          skip_row += Padded(blob[3]);
        }
      }
      outputs[o] = Requantize(acc, descriptor[2], num_left == 0 ? -127 : 0);
    }
    bias = row;
    inputs = outputs;
    num_in = num_out;
    descriptor += kDescriptorSize;
  } while (num_left != 0);
}

void* Init(TfLiteContext*, const char* buffer, size_t) {
  return const_cast<char*>(buffer);
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  const auto* options = static_cast<const uint8_t*>(node->user_data);
  const uint8_t* codes =
      tflite::micro::GetEvalInput(context, node, kCodesTensor)->data.uint8;
  const uint8_t* blob =
      tflite::micro::GetEvalInput(context, node, kGeneratorTensor)->data.uint8;
  TfLiteEvalTensor* kernel =
      tflite::micro::GetEvalOutput(context, node, kKernelTensor);
  int32_t size = 1;
  for (int i = 0; i < kernel->dims->size; ++i) size *= kernel->dims->data[i];
  auto* weights = static_cast<int8_t*>(
      tflite::GetMicroContext(context)->AllocatePersistentBuffer(
          static_cast<size_t>(size)));
  TF_LITE_ENSURE(context, weights != nullptr);
  // Set here, so that the memory planner leaves the tensor alone.
  kernel->data.int8 = weights;

  const int32_t code_bits = options[1];
  const int32_t mask = (1 << code_bits) - 1;
  int32_t bit = 0;
  const int32_t block_size = ReadU16(blob + 4);
  for (int32_t left = size; left > 0; left -= block_size) {
    int8_t code[kMaxCodeDim];
    for (int32_t i = 0; i < blob[3]; ++i) {
      const int32_t field = codes[bit >> 3] >> (bit & 7) & mask;
      code[i] = static_cast<int8_t>(code_bits == 8 ? field : 2 * field - mask);
      bit += code_bits;
    }
    MakeBlock(blob, code, left, weights + size - left);
  }
  if (options[4] != 0) {
    const uint8_t* signs = codes + ((bit + 7) >> 3);
    const int32_t row_size = size / kernel->dims->data[0];
    for (int32_t i = 0; i < size; ++i) {
      const int32_t row = i / row_size;
      if ((signs[row >> 3] >> (row & 7) & 1) != 0) {
        weights[i] = static_cast<int8_t>(-weights[i]);
      }
    }
  }
  return kTfLiteOk;
}

TfLiteStatus Invoke(TfLiteContext*, TfLiteNode*) { return kTfLiteOk; }

}  // namespace

OpRegistration* Register_GENERATE_PW_COMPACT() {
  static OpRegistration registration =
      MakeRegistration(Init, Prepare, Invoke, kGeneratePwOpName);
  return &registration;
}

}  // namespace hypertinypw
