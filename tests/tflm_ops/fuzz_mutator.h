// Changes good ops into bad ones, and into other good ones. It knows where the
// fields are, so that what is behind a check is reached, not only the check.

#ifndef HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_MUTATOR_H_
#define HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_MUTATOR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "fuzz_case.h"
#include "fuzz_random.h"
#include "fuzz_repair.h"
#include "generate_pw_format.h"

namespace hypertinypw {

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  // Returns a random index below `count`.
  size_t Below(size_t count) { return random_.Below(count); }

  void Mutate(FuzzCase* op) {
    const bool is_shared = !op->shared.empty();
    Bytes* reference = &op->tensors[kGenerator].data;
    Bytes* blob = is_shared ? &op->shared : reference;
    for (size_t left = 1 + Below(3); left > 0; --left) {
      switch (Below(16)) {
        case 0:
        case 1:
          ChangeOptions(&op->options);
          break;
        case 2:
        case 3:
        case 4:
          ChangeHeader(blob);
          break;
        case 5:
        case 6:
          ChangeDescriptor(blob);
          break;
        case 7:
          ChangeNumLayers(blob);
          break;
        case 8:
        case 9:
          ChangeBytes(blob, Below(2) * kHeaderSize);
          break;
        case 10:
        case 11:
          ChangeBytes(&op->tensors[kCodes].data, 0);
          break;
        case 12:
          ChangeSize(&op->tensors[Below(2)].data);
          break;
        case 13:
        case 14:
          ChangeDims(&op->tensors[kKernel].dims);
          break;
        default:
          ChangeResidency(&op->options);
      }
    }
    if (random_.Chance(8)) RepairBlob(&random_, blob);
    if (random_.Chance(8)) RepairCodes(&random_, *blob, op);
    if (random_.Chance(9)) RepairCrc(blob);
    if (is_shared && random_.Chance(9)) RepairReference(*blob, reference);
    if (is_shared && random_.Chance(1)) ChangeReference(op);
    for (const int constant : {kCodes, kGenerator}) {
      FuzzTensor& tensor = op->tensors[constant];
      tensor.dims = {static_cast<int>(tensor.data.size())};
    }
    if (random_.Chance(2)) ChangeMetadata(op);
  }

 private:
  void ChangeReference(FuzzCase* op) {
    switch (Below(4)) {
      case 0:
        return op->shared.clear();
      case 1:
        return random_.Resize(&op->shared, Below(2 * kHeaderSize));
      default:
        return ChangeBytes(&op->tensors[kGenerator].data, 0);
    }
  }

  void ChangeOptions(Bytes* options) {
    if (random_.Chance(1)) return random_.Resize(options, Below(12));
    if (options->empty()) return;
    const size_t at = Below(options->size());
    const int values[] = {0, 1, 2, 3, 4, 8, 128, 255};
    (*options)[at] = static_cast<uint8_t>(values[Below(8)]);
  }

  void ChangeResidency(Bytes* options) {
    if (options->size() != kOptionsSize) return;
    const uint8_t kinds[3][2] = {{0, 0}, {0, 1}, {1, 0}};
    std::memcpy(options->data() + 2, kinds[Below(3)], 2);
  }

  void ChangeHeader(Bytes* blob) {
    if (blob->size() < kHeaderSize) return;
    const auto put = [&](size_t at, int value) {
      (*blob)[at] = static_cast<uint8_t>(value);
    };
    switch (Below(9)) {
      case 0:
        return put(0, random_.Number(0, 2));
      case 1:
        return put(1, random_.Number(0, 1));
      case 2:
        return put(2, random_.Number(0, kMaxLayers));
      case 3:
        return put(3, random_.Number(1, kMaxCodeDim));
      case 4:
        return PutU16(blob, 4, random_.Number(1, kMaxBlockSize));
      case 5:
        return put(6, random_.Chance(9) ? static_cast<int>(Below(2))
                                        : random_.Number(0, 3));
      case 6:
        return put(7, random_.Number(0, kMaxSkipShift));
      case 7:
        return PutU32(blob, 8,
                      static_cast<uint32_t>(random_.Number(0, 1 << 12)));
      default:
        // The CRC, or any byte.
        return put(Below(kHeaderSize), random_.Byte());
    }
  }

  void PutDescriptor(Bytes* blob, size_t at) {
    PutU16(blob, at, random_.Number(1, kMaxHiddenUnits));
    (*blob)[at + 2] = static_cast<uint8_t>(random_.Number(1, kMaxShift));
    (*blob)[at + 3] = static_cast<uint8_t>(random_.Number(0, kMaxBiasShift));
  }

  void ChangeDescriptor(Bytes* blob) {
    const size_t count = NumDescriptors(*blob);
    if (count == 0) return;
    const size_t at = kHeaderSize + kDescriptorSize * Below(count);
    const Bytes before = *blob;
    PutDescriptor(blob, at);
    // Often only one or two of its fields.
    const size_t keep = Below(4);
    if (keep != 0) PutU16(blob, at, U16(before, at));
    if (keep == 1) (*blob)[at + 2] = before[at + 2];
    if (keep == 2) (*blob)[at + 3] = before[at + 3];
  }

  void ChangeNumLayers(Bytes* blob) {
    const size_t count = NumDescriptors(*blob);
    if (count == 0) return;
    const size_t at = kHeaderSize + kDescriptorSize * Below(count);
    const auto place = blob->begin() + static_cast<std::ptrdiff_t>(at);
    if (count > 1 && random_.Chance(5)) {
      blob->erase(place, place + kDescriptorSize);
      --(*blob)[2];
    } else {
      blob->insert(place, kDescriptorSize, 0);
      PutDescriptor(blob, at);
      ++(*blob)[2];
    }
  }

  void ChangeBytes(Bytes* bytes, size_t start) {
    if (bytes->size() <= start) return;
    const uint8_t extremes[] = {0, 1, 127, 128, 255};
    if (random_.Chance(2)) {
      const uint8_t value = extremes[Below(5)];
      for (size_t i = start; i < bytes->size(); ++i) {
        if (random_.Chance(9)) (*bytes)[i] = value;
      }
    }
    for (size_t left = 1 + Below(8); left > 0; --left) {
      const size_t at = start + Below(bytes->size() - start);
      (*bytes)[at] = random_.Chance(5) ? extremes[Below(5)] : random_.Byte();
    }
  }

  void ChangeSize(Bytes* bytes) {
    const size_t size = bytes->size();
    random_.Resize(bytes,
                   random_.Chance(5) ? Below(size + 1) : size + 1 + Below(8));
  }

  void ChangeDims(std::vector<int>* dims) {
    const int extremes[] = {0, -1, -8, 1 << 15, 1 << 16, INT32_MAX, INT32_MIN};
    if (random_.Chance(2) && !dims->empty()) {
      dims->pop_back();
    } else if (random_.Chance(2)) {
      dims->push_back(1 + static_cast<int>(Below(4)));
    } else if (!dims->empty()) {
      int& dim = (*dims)[Below(dims->size())];
      dim = random_.Chance(8) ? 1 + static_cast<int>(Below(24))
                              : extremes[Below(7)];
    }
  }

  // What the interpreter says about the tensors and the node.
  void ChangeMetadata(FuzzCase* op) {
    const TfLiteType types[] = {kTfLiteNoType, kTfLiteFloat32, kTfLiteInt32,
                                kTfLiteUInt8,  kTfLiteInt8,    kTfLiteInt4};
    FuzzTensor& tensor = op->tensors[Below(kNumTensors)];
    FuzzTensor& constant = op->tensors[Below(2)];
    const int size = static_cast<int>(constant.data.size());
    switch (Below(8)) {
      case 0:
        tensor.type = types[Below(6)];
        break;
      case 1:
        constant.has_data = false;
        constant.data.clear();
        break;
      case 2: {
        const std::vector<int> dims[] = {{},      {1, size},   {size, 1},   {0},
                                         {-size}, {INT32_MIN}, {1, 1, size}};
        constant.dims = dims[Below(7)];
        break;
      }
      case 3:
        // More than there is. The op cannot know, but nothing so long can be
        // right, so it must not read on behind the descriptors.
        if (constant.data.size() < kHeaderSize + kDescriptorSize * kMaxLayers) {
          return;
        }
        constant.dims = {(1 << 28) + static_cast<int>(Below(1 << 30))};
        break;
      case 4:
        ChangeIndices(&op->inputs);
        break;
      case 5:
        ChangeIndices(&op->outputs);
        break;
      case 6:
        op->tensors[kKernel].has_data = true;
        random_.Resize(&op->tensors[kKernel].data, 1 + Below(64));
        break;
      default:
        op->capacity = static_cast<uint32_t>(Below(512));
    }
  }

  void ChangeIndices(std::vector<int>* indices) {
    const int tensor = static_cast<int>(Below(kNumTensors + 1)) - 1;
    if (random_.Chance(2)) {
      indices->push_back(tensor);
    } else if (random_.Chance(2)) {
      indices->pop_back();
    } else if (random_.Chance(4)) {
      std::swap(indices->front(), indices->back());
    } else {
      (*indices)[Below(indices->size())] = tensor;
    }
  }

  Random random_;
};

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_MUTATOR_H_
