// This follows widen_bias_op.cc step by step.

#include "widen_bias_wheel.h"

#include <cstddef>
#include <cstdint>

#include "../widen_bias.h"
#include "../widen_bias_op.h"
#include "wheel.h"

namespace hypertinypw {
namespace {

constexpr int kValuesTensor = 0;

int Refuse(const char* message) { return Fail(kWidenBiasOpName, message); }

void* Init(Context*, const char* buffer, size_t length) {
  if (!IsWidenBiasOptions(reinterpret_cast<const uint8_t*>(buffer), length)) {
    Refuse("bad custom options");
    return nullptr;
  }
  return const_cast<char*>(buffer);
}

int Prepare(Context* context, Node* node) {
  if (node->user_data == nullptr) return kError;  // Init said why.
  const auto* options = static_cast<const uint8_t*>(node->user_data);
  if (node->inputs->size != 1 || node->outputs->size != options[1]) {
    return Refuse("expected 1 input, and an output for each shift");
  }
  const EvalTensor* values = GetTensor(context, node->inputs, kValuesTensor);
  if (values == nullptr || values->type != kTypeInt8 ||
      values->data == nullptr || values->dims->size != 1) {
    return Refuse("the values are not a constant int8 vector");
  }
  const auto* value = static_cast<const int8_t*>(values->data);
  const int8_t* end = value + values->dims->data[0];
  for (int i = 0; i < node->outputs->size; ++i) {
    EvalTensor* bias = GetTensor(context, node->outputs, i);
    if (bias == nullptr || bias->type != kTypeInt32 || bias->dims->size != 1) {
      return Refuse("a bias is not an int32 vector");
    }
    if (bias->data != nullptr) return Refuse("a bias has data already");
    const int32_t size = bias->dims->data[0];
    if (size <= 0 || size > end - value) {
      return Refuse("the values are fewer than the biases");
    }
    auto* memory = static_cast<int32_t*>(allocate_persistent_buffer(
        context, static_cast<size_t>(size) * sizeof(int32_t)));
    if (memory == nullptr) return kError;  // TFLM says what is missing.
    bias->data = memory;
    WidenBias(value, size, options[kWidenBiasHeaderSize + i], memory);
    value += size;
  }
  return value == end ? kOk : Refuse("the values are more than the biases");
}

int Invoke(Context*, Node*) { return kOk; }

}  // namespace

Registration WheelWidenBias() {
  return {Init,    nullptr,        Prepare,         Invoke,
          nullptr, kBuiltinCustom, kWidenBiasOpName};
}

}  // namespace hypertinypw
