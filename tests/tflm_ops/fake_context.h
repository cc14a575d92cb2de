// TFLM's interpreter as far as GeneratePW sees it, for tests of the glue.

#ifndef HYPERTINYPW_TESTS_TFLM_OPS_FAKE_CONTEXT_H_
#define HYPERTINYPW_TESTS_TFLM_OPS_FAKE_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_common.h"
#include "tensorflow/lite/micro/micro_context.h"

namespace hypertinypw {

constexpr int kCodes = 0;
constexpr int kGenerator = 1;
constexpr int kKernel = 2;
constexpr int kNumTensors = 3;

// Persistent memory and tensors, and nothing else. What is allocated has a
// heap block of exactly its size, so that a sanitizer sees one byte too far.
class FakeContext : public tflite::MicroContext {
 public:
  FakeContext() {
    tflite_context_.impl_ = this;
    tflite_context_.GetEvalTensor = GetTensor;
    tflite_context_.ReportError = ReportError;
  }

  void* AllocatePersistentBuffer(size_t bytes) override {
    const size_t taken = (bytes + 15) / 16 * 16;
    if (taken > capacity - used) {
      refused = true;
      return nullptr;
    }
    used += taken;
    blocks_.emplace_back(new uint8_t[bytes]);
    std::memset(blocks_.back().get(), 0xa5, bytes);
    return blocks_.back().get();
  }
  TfLiteEvalTensor* GetEvalTensor(int index) override {
    return &tensors[index];
  }

  TfLiteStatus RequestScratchBufferInArena(size_t, int*) override {
    return kTfLiteError;
  }
  void* GetScratchBuffer(int) override { return nullptr; }
  TfLiteTensor* AllocateTempTfLiteTensor(int) override { return nullptr; }
  void DeallocateTempTfLiteTensor(TfLiteTensor*) override {}
  uint8_t* AllocateTempBuffer(size_t, size_t) override { return nullptr; }
  void DeallocateTempBuffer(uint8_t*) override {}
  TfLiteStatus set_external_context(void*) override { return kTfLiteError; }
  void* external_context() override { return nullptr; }
  tflite::MicroGraph& graph() override { return *graph_; }

  TfLiteContext* get() { return &tflite_context_; }

  TfLiteEvalTensor tensors[kNumTensors] = {};
  size_t capacity = 4096;
  size_t used = 0;
  bool refused = false;  // Whether an allocation found no room.

 private:
  static TfLiteEvalTensor* GetTensor(const TfLiteContext* context, int index) {
    return tflite::GetMicroContext(context)->GetEvalTensor(index);
  }
  static void ReportError(TfLiteContext*, const char*, ...) {}

  TfLiteContext tflite_context_ = {};
  std::vector<std::unique_ptr<uint8_t[]>> blocks_;
  tflite::MicroGraph* graph_ = nullptr;
  TF_LITE_REMOVE_VIRTUAL_DELETE
};

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TESTS_TFLM_OPS_FAKE_CONTEXT_H_
