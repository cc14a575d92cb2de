// One op as a fuzzer sees it: every byte and every number that the glue reads.

#ifndef HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_CASE_H_
#define HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_CASE_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

#include "fake_context.h"
#include "generate_pw_format.h"
#include "tensorflow/lite/c/common.h"

namespace hypertinypw {

struct FuzzTensor {
  TfLiteType type;
  std::vector<int> dims;
  std::vector<uint8_t> data;
  bool has_data;
};

struct FuzzCase {
  std::vector<uint8_t> options;
  FuzzTensor tensors[kNumTensors];
  std::vector<uint8_t> shared;  // The generator of the firmware, if any.
  std::vector<int> inputs = {kCodes, kGenerator};
  std::vector<int> outputs = {kKernel};
  uint32_t capacity = 1 << 24;  // Of the arena.
};

// What became of a case. The numbers are those of fuzzing.py.
enum class Outcome : uint32_t { kRefused = 0, kPrepared = 1, kInvoked = 2 };

struct FuzzResult {
  Outcome outcome = Outcome::kRefused;
  FormatError error = FormatError::kNone;
  bool arena_was_full = false;
  std::vector<int8_t> kernel;  // If invoked.
};

inline bool Read(std::FILE* file, void* data, size_t size) {
  return std::fread(data, 1, size, file) == size;
}

// Reads a uint32 count and as many elements.
template <typename T>
bool ReadArray(std::FILE* file, std::vector<T>* array) {
  uint32_t count = 0;
  if (!Read(file, &count, sizeof(count))) return false;
  array->resize(count);
  return count == 0 || Read(file, array->data(), count * sizeof(T));
}

template <typename T>
void WriteArray(std::FILE* file, const std::vector<T>& array) {
  const auto count = static_cast<uint32_t>(array.size());
  std::fwrite(&count, sizeof(count), 1, file);
  if (count > 0) std::fwrite(array.data(), sizeof(T), count, file);
}

inline FuzzTensor ConstantVector(std::vector<uint8_t> data) {
  const int size = static_cast<int>(data.size());
  return {kTfLiteUInt8, {size}, std::move(data), true};
}

// Reads five arrays: options, codes, blob or reference, the dimensions of the
// kernel, and the shared blob.
inline bool ReadCase(std::FILE* file, FuzzCase* op) {
  std::vector<uint8_t> codes, blob;
  std::vector<int> dims;
  if (!ReadArray(file, &op->options) || !ReadArray(file, &codes) ||
      !ReadArray(file, &blob) || !ReadArray(file, &dims) ||
      !ReadArray(file, &op->shared)) {
    return false;
  }
  op->tensors[kCodes] = ConstantVector(std::move(codes));
  op->tensors[kGenerator] = ConstantVector(std::move(blob));
  op->tensors[kKernel] = {kTfLiteInt8, std::move(dims), {}, false};
  return true;
}

// Writes what fuzzing.py reads: the result, then the case.
inline void WriteRecord(std::FILE* file, const FuzzCase& op,
                        const FuzzResult& result) {
  const uint32_t header[] = {static_cast<uint32_t>(result.outcome),
                             static_cast<uint32_t>(result.error),
                             result.arena_was_full ? 1u : 0u};
  std::fwrite(header, sizeof(header), 1, file);
  WriteArray(file, result.kernel);
  WriteArray(file, op.options);
  WriteArray(file, op.shared);
  WriteArray(file, op.inputs);
  WriteArray(file, op.outputs);
  for (const FuzzTensor& tensor : op.tensors) {
    const uint32_t fields[] = {static_cast<uint32_t>(tensor.type),
                               tensor.has_data ? 1u : 0u};
    std::fwrite(fields, sizeof(fields), 1, file);
    WriteArray(file, tensor.dims);
    WriteArray(file, tensor.data);
  }
}

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_CASE_H_
