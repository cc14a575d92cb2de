// Runs the shipped glue of WidenBias on TFLM's own headers and kernel_util,
// inside a small fake of the interpreter. Returns the number of failed
// expectations.

#include "widen_bias_op.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>

#include "expect.h"
#include "fake_context.h"
#include "op_checks.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_common.h"

// The library was built without error strings.
void MicroPrintf(const char* format, ...) { static_cast<void>(format); }

namespace {

using hypertinypw::FakeContext;
using hypertinypw::num_failures;

constexpr int kValues = 0;
constexpr int kFirst = 1;
constexpr int kSecond = 2;

// TfLiteIntArray with room for its data.
struct IntArray {
  int size;
  int data[4];

  TfLiteIntArray* get() { return reinterpret_cast<TfLiteIntArray*>(this); }
};

// One node with two biases, as after the interpreter's StartModelAllocation:
// the values have data, the biases have none.
class Node {
 public:
  Node() {
    dims[kValues] = {1, {5}};
    dims[kFirst] = {1, {2}};
    dims[kSecond] = {1, {3}};
    tensor(kValues)->type = kTfLiteInt8;
    tensor(kValues)->data.int8 = values;
    tensor(kFirst)->type = tensor(kSecond)->type = kTfLiteInt32;
    for (int i = 0; i < 3; ++i) tensor(i)->dims = dims[i].get();
    node_.inputs = inputs.get();
    node_.outputs = outputs.get();
  }

  TfLiteEvalTensor* tensor(int index) { return &context.tensors[index]; }

  TfLiteStatus InitAndPrepare() {
    node_.user_data = op_->init(
        context.get(), reinterpret_cast<const char*>(options), options_size);
    return op_->prepare(context.get(), &node_);
  }
  TfLiteStatus Invoke() { return op_->invoke(context.get(), &node_); }

  uint8_t options[5] = {1, 2, 0, 24, 0};
  size_t options_size = 4;
  int8_t values[5] = {-128, 127, -128, 1, 127};
  IntArray dims[3] = {};
  IntArray inputs = {1, {kValues}};
  IntArray outputs = {2, {kFirst, kSecond}};
  FakeContext context;

 private:
  const TFLMRegistration* op_ = hypertinypw::Register_WIDEN_BIAS();
  TfLiteNode node_ = {};
};

void TestBiasesAreThereBeforeTheFirstInference() {
  Node node;
  EXPECT(node.InitAndPrepare() == kTfLiteOk);
  const int32_t* first = node.tensor(kFirst)->data.i32;
  const int32_t* second = node.tensor(kSecond)->data.i32;
  EXPECT(first != nullptr && second != nullptr);
  if (first == nullptr || second == nullptr) return;
  EXPECT(first[0] == -128 && first[1] == 127);
  EXPECT(second[0] == INT32_MIN && second[1] == 1 << 24);
  EXPECT(second[2] == 127 << 24);
  EXPECT(node.context.used == 32);
  for (int i = 0; i < 3; ++i) EXPECT(node.Invoke() == kTfLiteOk);
  EXPECT(node.tensor(kFirst)->data.i32 == first);
  EXPECT(first[0] == -128 && second[1] == 1 << 24);
}

void TestATooSmallArenaIsAnError() {
  Node node;
  node.context.capacity = 16;
  EXPECT(node.InitAndPrepare() == kTfLiteError);
}

#if HYPERTINYPW_CHECKS
void TestMalformedIsAnError() {
  using Change = void (*)(Node*);
  const Change changes[] = {
      [](Node* node) { node->options[0] = 2; },
      [](Node* node) { node->options[1] = 1; },
      [](Node* node) { node->options[1] = 3; },
      [](Node* node) { node->options[3] = 25; },
      [](Node* node) { node->options_size = 3; },
      [](Node* node) { node->options_size = 5; },
      [](Node* node) { node->options_size = 2; },
      [](Node* node) { node->options_size = 0; },
      [](Node* node) { node->inputs.size = 0; },
      [](Node* node) { node->inputs.size = 2; },
      [](Node* node) { node->outputs.size = 1; },
      [](Node* node) { node->tensor(kValues)->type = kTfLiteUInt8; },
      [](Node* node) { node->tensor(kValues)->data.int8 = nullptr; },
      [](Node* node) { node->dims[kValues] = {2, {1, 5}}; },
      [](Node* node) { node->dims[kValues].data[0] = 4; },
      [](Node* node) { node->dims[kValues].data[0] = 6; },
      [](Node* node) { node->dims[kValues].data[0] = -5; },
      [](Node* node) { node->tensor(kFirst)->type = kTfLiteFloat32; },
      [](Node* node) { node->dims[kFirst] = {2, {1, 2}}; },
      [](Node* node) { node->dims[kFirst].data[0] = 0; },
      [](Node* node) { node->dims[kSecond].data[0] = -1; },
      [](Node* node) { node->dims[kSecond].data[0] = 1 << 30; },
      // A constant, or what another op makes.
      [](Node* node) {
        static int32_t constant[3];
        node->tensor(kSecond)->data.i32 = constant;
      },
      // The same tensor twice.
      [](Node* node) {
        node->outputs.data[1] = kFirst;
        node->dims[kValues].data[0] = 4;
      },
  };
  for (const Change change : changes) {
    Node node;
    change(&node);
    const bool is_error = node.InitAndPrepare() != kTfLiteOk;
    if (!is_error) std::printf("change %td: ", &change - changes);
    EXPECT(is_error);
  }
}
#endif

}  // namespace

int main() {
  TestBiasesAreThereBeforeTheFirstInference();
  TestATooSmallArenaIsAnError();
#if HYPERTINYPW_CHECKS
  TestMalformedIsAnError();
#endif
  std::printf("%d failures\n", num_failures);
  return num_failures != 0;
}
