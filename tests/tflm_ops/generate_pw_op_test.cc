// Runs the shipped glue on TFLM's own headers and kernel_util, inside a small
// fake of the interpreter. Returns the number of failed expectations.

#include "generate_pw_op.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "expect.h"
#include "fake_context.h"
#include "golden.h"
#include "op_checks.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_common.h"

// The library was built without error strings.
void MicroPrintf(const char* format, ...) { static_cast<void>(format); }

namespace {

using hypertinypw::FakeContext;
using hypertinypw::kCodes;
using hypertinypw::kGenerator;
using hypertinypw::kKernel;
using hypertinypw::num_failures;
using hypertinypw::SetSharedGenerator;
using hypertinypw::golden::Case;

constexpr int kResidencyOffset = 2;
constexpr int kSynthesisOffset = 3;

// TfLiteIntArray with room for its data.
struct IntArray {
  int size;
  int data[8];

  TfLiteIntArray* get() { return reinterpret_cast<TfLiteIntArray*>(this); }
};

// One GeneratePW node in an otherwise empty model, as after the interpreter's
// StartModelAllocation: constants have data, the kernel has none.
class Node {
 public:
  explicit Node(const Case& golden) : golden_(golden) {
    std::memcpy(options, golden.options, sizeof(options));
    std::memcpy(codes, golden.codes, golden.codes_size);
    std::memcpy(blob, golden.blob, golden.blob_size);
    dims[kCodes] = {1, {static_cast<int>(golden.codes_size)}};
    dims[kGenerator] = {1, {static_cast<int>(golden.blob_size)}};
    dims[kKernel].size = golden.num_dims;
    for (int i = 0; i < golden.num_dims; ++i) {
      dims[kKernel].data[i] = golden.dims[i];
    }
    tensor(kCodes)->type = tensor(kGenerator)->type = kTfLiteUInt8;
    tensor(kCodes)->data.uint8 = codes;
    tensor(kGenerator)->data.uint8 = blob;
    tensor(kKernel)->type = kTfLiteInt8;
    for (int i = 0; i < 3; ++i) tensor(i)->dims = dims[i].get();
    node_.inputs = inputs.get();
    node_.outputs = outputs.get();
  }

  TfLiteEvalTensor* tensor(int index) { return &context.tensors[index]; }
  const int8_t* kernel() { return tensor(kKernel)->data.int8; }

  void Init() {
    node_.user_data = op_->init(
        context.get(), reinterpret_cast<const char*>(options), options_size);
  }
  TfLiteStatus Prepare() { return op_->prepare(context.get(), &node_); }
  TfLiteStatus Invoke() { return op_->invoke(context.get(), &node_); }

  TfLiteStatus InitAndPrepare() {
    Init();
    return Prepare();
  }

  bool KernelIsGolden() {
    return std::memcmp(kernel(), golden_.kernel,
                       static_cast<size_t>(golden_.num_weights)) == 0;
  }

  uint8_t options[8];
  size_t options_size = sizeof(options);
  uint8_t codes[256];
  uint8_t blob[4096];
  IntArray dims[3] = {};
  IntArray inputs = {2, {kCodes, kGenerator}};
  IntArray outputs = {1, {kKernel}};
  FakeContext context;

 private:
  const Case& golden_;
  const TFLMRegistration* op_ = hypertinypw::Register_GENERATE_PW();
  TfLiteNode node_ = {};
};

void TestCachedIsGeneratedOnce(const Case& golden) {
  Node node(golden);
  EXPECT(node.InitAndPrepare() == kTfLiteOk);
  int8_t* kernel = node.tensor(kKernel)->data.int8;
  EXPECT(kernel != nullptr);
  if (kernel == nullptr) return;
  EXPECT(!node.KernelIsGolden());
  EXPECT(node.Invoke() == kTfLiteOk);
  EXPECT(node.KernelIsGolden());
  // A second synthesis would undo this.
  kernel[0] ^= 1;
  EXPECT(node.Invoke() == kTfLiteOk);
  EXPECT(node.Invoke() == kTfLiteOk);
  EXPECT(!node.KernelIsGolden());
  kernel[0] ^= 1;
  EXPECT(node.KernelIsGolden());
  EXPECT(node.kernel() == kernel);
}

void TestPerInvokeIsGeneratedEveryTime(const Case& golden) {
  Node node(golden);
  node.options[kResidencyOffset] = 1;
  EXPECT(node.InitAndPrepare() == kTfLiteOk);
  // The planner's business.
  EXPECT(node.kernel() == nullptr);
  EXPECT(node.context.used < 64);
  static int8_t planned[1024];
  node.tensor(kKernel)->data.int8 = planned;
  for (int i = 0; i < 3; ++i) {
    std::memset(planned, i, sizeof(planned));
    EXPECT(node.Invoke() == kTfLiteOk);
    EXPECT(node.KernelIsGolden());
    EXPECT(planned[golden.num_weights] == i);
  }
}

void TestBootIsGeneratedInPrepare(const Case& golden) {
  Node node(golden);
  node.options[kSynthesisOffset] = 1;
  EXPECT(node.InitAndPrepare() == kTfLiteOk);
  EXPECT(node.KernelIsGolden());
  int8_t* kernel = node.tensor(kKernel)->data.int8;
  kernel[0] ^= 1;
  EXPECT(node.Invoke() == kTfLiteOk);
  EXPECT(!node.KernelIsGolden());
}

// Both read the same constants, as two interpreters on one model do.
void TestTwoInterpretersKeepTheirOwnKernel(const Case& golden) {
  Node first(golden);
  Node second(golden);
  for (const int constant : {kCodes, kGenerator}) {
    second.tensor(constant)->data = first.tensor(constant)->data;
    second.tensor(constant)->dims = first.tensor(constant)->dims;
  }
  first.Init();
  second.Init();
  EXPECT(first.Prepare() == kTfLiteOk);
  EXPECT(second.Prepare() == kTfLiteOk);
  EXPECT(first.kernel() != second.kernel());
  EXPECT(second.Invoke() == kTfLiteOk);
  EXPECT(second.KernelIsGolden());
  EXPECT(!first.KernelIsGolden());
  EXPECT(first.Invoke() == kTfLiteOk);
  EXPECT(first.KernelIsGolden());
  // A second synthesis would undo this.
  second.tensor(kKernel)->data.int8[0] ^= 1;
  EXPECT(first.Invoke() == kTfLiteOk);
  EXPECT(second.Invoke() == kTfLiteOk);
  EXPECT(first.KernelIsGolden());
  EXPECT(!second.KernelIsGolden());
}

void TestATooSmallArenaIsAnError(const Case& golden) {
  for (const size_t capacity : {0, 64}) {
    Node node(golden);
    node.context.capacity = capacity;
    EXPECT(node.InitAndPrepare() == kTfLiteError);
  }
}

#if HYPERTINYPW_CHECKS
void TestMalformedIsAnError(const Case& golden) {
  using Change = void (*)(Node*);
  const Change changes[] = {
      [](Node* node) { node->options[0] = 2; },
      [](Node* node) { node->options[7] = 1; },
      [](Node* node) { node->options_size = 7; },
      [](Node* node) { node->options_size = 0; },
      [](Node* node) { node->inputs.size = 1; },
      [](Node* node) { node->outputs.size = 2; },
      [](Node* node) { node->outputs.data[0] = -1; },
      [](Node* node) { node->tensor(kCodes)->type = kTfLiteInt8; },
      [](Node* node) { node->tensor(kCodes)->data.uint8 = nullptr; },
      [](Node* node) { node->dims[kCodes] = {2, {1, 1}}; },
      [](Node* node) { node->dims[kCodes].size = 0; },
      [](Node* node) { node->dims[kCodes].data[0] -= 1; },
      [](Node* node) { node->dims[kCodes].data[0] = -1; },
      [](Node* node) { node->tensor(kGenerator)->type = kTfLiteFloat32; },
      [](Node* node) { node->tensor(kGenerator)->data.uint8 = nullptr; },
      [](Node* node) { node->dims[kGenerator].data[0] -= 4; },
      [](Node* node) { node->dims[kGenerator].data[0] = 0; },
      [](Node* node) { node->dims[kGenerator].data[0] = -5; },
      [](Node* node) { node->blob[40] ^= 1; },
      [](Node* node) { node->tensor(kKernel)->type = kTfLiteUInt8; },
      [](Node* node) { node->tensor(kKernel)->data.uint8 = node->codes; },
      [](Node* node) { node->dims[kKernel].size = 0; },
      [](Node* node) { node->dims[kKernel].data[0] = 0; },
      [](Node* node) { node->dims[kKernel].data[0] *= 3; },
  };
  int index = 0;
  for (const Change& change : changes) {
    Node node(golden);
    change(&node);
    const TfLiteStatus status = node.InitAndPrepare();
    if (status != kTfLiteError) {
      std::printf("change %d gave status %d\n", index, status);
    }
    EXPECT(status == kTfLiteError);
    ++index;
  }
}
#endif

// Bytes of their own, which end where a sanitizer would see it.
struct Blob {
  explicit Blob(const Case& golden)
      : bytes(golden.blob, golden.blob + golden.blob_size) {}
  void Share() { SetSharedGenerator(bytes.data(), bytes.size()); }

  std::vector<uint8_t> bytes;
};

// A reference in the place of the node's generator.
void Refer(Node* node, const Case& golden) {
  const uint8_t start[] = {1, 1, 0, 0};
  std::memcpy(node->blob, start, sizeof(start));
  std::memcpy(node->blob + 4, golden.blob + 12, 4);
  node->dims[kGenerator].data[0] = 8;
}

void TestSharedIsWhatTheFileWouldHold(const Case& golden) {
  Blob blob(golden);
  blob.Share();
  for (const bool is_boot : {false, true}) {
    Node node(golden);
    Refer(&node, golden);
    node.options[kSynthesisOffset] = is_boot;
    EXPECT(node.InitAndPrepare() == kTfLiteOk);
    EXPECT(node.KernelIsGolden() == is_boot);
    EXPECT(node.Invoke() == kTfLiteOk);
    EXPECT(node.KernelIsGolden());
    // The state holds nothing more.
    Node ordinary(golden);
    EXPECT(ordinary.InitAndPrepare() == kTfLiteOk);
    EXPECT(node.context.used == ordinary.context.used);
  }
  SetSharedGenerator(nullptr, 0);
}

void TestSharedByTwoModels(const Case& golden) {
  Blob blob(golden);
  blob.Share();
  Node lazy(golden), fresh(golden), ordinary(golden);
  Refer(&lazy, golden);
  Refer(&fresh, golden);
  fresh.options[kResidencyOffset] = 1;
  static int8_t planned[1024];
  for (Node* node : {&lazy, &fresh, &ordinary}) {
    EXPECT(node->InitAndPrepare() == kTfLiteOk);
  }
  fresh.tensor(kKernel)->data.int8 = planned;
  for (int i = 0; i < 2; ++i) {
    std::memset(planned, i, sizeof(planned));
    for (Node* node : {&lazy, &fresh, &ordinary}) {
      EXPECT(node->Invoke() == kTfLiteOk);
      EXPECT(node->KernelIsGolden());
    }
  }
  SetSharedGenerator(nullptr, 0);
}

#if HYPERTINYPW_CHECKS
void TestSharedIsCheckedInPrepare(const Case& golden) {
  using Change = void (*)(Node*, Blob*);
  const Change changes[] = {
      [](Node*, Blob* blob) { blob->bytes.clear(); },
      [](Node*, Blob* blob) { blob->bytes.resize(8); },
      [](Node*, Blob* blob) { blob->bytes.resize(15); },
      [](Node*, Blob* blob) { blob->bytes.resize(16); },
      [](Node*, Blob* blob) { blob->bytes.pop_back(); },
      [](Node*, Blob* blob) { blob->bytes.push_back(0); },
      [](Node*, Blob* blob) { blob->bytes[0] = 2; },
      [](Node*, Blob* blob) { blob->bytes[1] = 1; },
      [](Node*, Blob* blob) { blob->bytes[3] += 1; },
      [](Node*, Blob* blob) { blob->bytes[12] ^= 1; },
      [](Node*, Blob* blob) { blob->bytes[15] ^= 1; },
      [](Node*, Blob* blob) { blob->bytes[40] ^= 1; },
      [](Node* node, Blob*) { node->blob[0] = 2; },
      [](Node* node, Blob*) { node->blob[1] = 0; },
      [](Node* node, Blob*) { node->blob[1] = 2; },
      [](Node* node, Blob*) { node->blob[2] = 1; },
      [](Node* node, Blob*) { node->blob[3] = 128; },
      [](Node* node, Blob*) { node->blob[4] ^= 1; },
      [](Node* node, Blob*) { node->blob[7] ^= 128; },
      [](Node* node, Blob*) { node->dims[kGenerator].data[0] = 7; },
      [](Node* node, Blob*) { node->dims[kGenerator].data[0] = 9; },
      [](Node* node, Blob*) { node->dims[kGenerator].data[0] = 1; },
  };
  int index = 0;
  for (const Change& change : changes) {
    Node node(golden);
    Refer(&node, golden);
    Blob blob(golden);
    change(&node, &blob);
    blob.Share();
    const TfLiteStatus status = node.InitAndPrepare();
    if (status != kTfLiteError) {
      std::printf("shared change %d gave status %d\n", index, status);
    }
    EXPECT(status == kTfLiteError);
    SetSharedGenerator(nullptr, 0);
    ++index;
  }
  Node node(golden);
  Refer(&node, golden);
  EXPECT(node.InitAndPrepare() == kTfLiteError);  // None is set.
}
#endif

// Invoke looks for it again, and must not take another one.
void TestSharedThatGoesIsAnErrorInInvoke(const Case& golden) {
  Blob blob(golden), other(golden);
  other.bytes[12] ^= 1;
  Node lazy(golden), boot(golden);
  boot.options[kSynthesisOffset] = 1;
  blob.Share();
  for (Node* node : {&lazy, &boot}) {
    Refer(node, golden);
    EXPECT(node->InitAndPrepare() == kTfLiteOk);
  }
  SetSharedGenerator(nullptr, 0);
  EXPECT(lazy.Invoke() == kTfLiteError);
  other.Share();
  EXPECT(lazy.Invoke() == kTfLiteError);
  EXPECT(boot.Invoke() == kTfLiteOk);  // Needs it no more.
  EXPECT(boot.KernelIsGolden());
  blob.Share();
  EXPECT(lazy.Invoke() == kTfLiteOk);
  EXPECT(lazy.KernelIsGolden());
  SetSharedGenerator(nullptr, 0);
}

void TestRegistration() {
  const TFLMRegistration* op = hypertinypw::Register_GENERATE_PW();
  EXPECT(op->reset == nullptr);
  EXPECT(op->free == nullptr);
  EXPECT(std::strcmp(hypertinypw::kGeneratePwOpName, "GeneratePW") == 0);
}

}  // namespace

int main() {
  for (const Case& golden : hypertinypw::golden::kCases) {
    TestCachedIsGeneratedOnce(golden);
    TestPerInvokeIsGeneratedEveryTime(golden);
    TestBootIsGeneratedInPrepare(golden);
    TestTwoInterpretersKeepTheirOwnKernel(golden);
    TestATooSmallArenaIsAnError(golden);
    TestSharedIsWhatTheFileWouldHold(golden);
    TestSharedByTwoModels(golden);
    TestSharedThatGoesIsAnErrorInInvoke(golden);
#if HYPERTINYPW_CHECKS
    TestMalformedIsAnError(golden);
    TestSharedIsCheckedInPrepare(golden);
#endif
  }
  TestRegistration();
  std::printf("%d failures\n", num_failures);
  return num_failures;
}
