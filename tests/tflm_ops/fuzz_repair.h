// Makes damaged ops consistent again, so that what is behind the checks of
// sizes and of the CRC is reached. Independent of generate_pw_format.cc but for
// the CRC itself.

#ifndef HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_REPAIR_H_
#define HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_REPAIR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fuzz_case.h"
#include "fuzz_random.h"
#include "generate_pw_format.h"

namespace hypertinypw {

using Bytes = std::vector<uint8_t>;

constexpr int64_t kMaxRepaired = 4096;  // Bytes.

inline void PutU16(Bytes* bytes, size_t at, int value) {
  (*bytes)[at] = static_cast<uint8_t>(value);
  (*bytes)[at + 1] = static_cast<uint8_t>(value >> 8);
}

inline void PutU32(Bytes* bytes, size_t at, uint32_t value) {
  PutU16(bytes, at, static_cast<int>(value & 0xffff));
  PutU16(bytes, at + 2, static_cast<int>(value >> 16));
}

inline int U16(const Bytes& bytes, size_t at) {
  return bytes[at] | bytes[at + 1] << 8;
}

// Descriptors that the header tells of, as far as the blob reaches.
inline size_t NumDescriptors(const Bytes& blob) {
  if (blob.size() < kHeaderSize) return 0;
  const size_t room = (blob.size() - kHeaderSize) / kDescriptorSize;
  return std::min(room, size_t{blob[2]});
}

inline int64_t PaddedSize(int64_t size) { return (size + 3) / 4 * 4; }

// Gives the blob the size that its header and its descriptors ask for.
inline void RepairBlob(Random* random, Bytes* blob) {
  if (NumDescriptors(*blob) == 0) return;
  const size_t count = blob->at(2);
  if (count > NumDescriptors(*blob)) return;
  const int64_t code_dim = (*blob)[3];
  const size_t body = kHeaderSize + kDescriptorSize * count;
  auto size = static_cast<int64_t>(body);
  int64_t num_in = code_dim;
  for (size_t i = 0; i < count; ++i) {
    const int64_t num_out = U16(*blob, kHeaderSize + kDescriptorSize * i);
    size += PaddedSize(num_out) + num_out * PaddedSize(num_in);
    num_in = num_out;
  }
  if (random->Chance(9)) PutU16(blob, 4, static_cast<int>(num_in));
  if ((*blob)[6] == kFlagSkip) size += num_in * PaddedSize(code_dim);
  if ((*blob)[6] != kFlagSkip && random->Chance(9)) (*blob)[7] = 0;
  if (size <= kMaxRepaired) random->Resize(blob, static_cast<size_t>(size));
}

// Gives the codes the size that fits the kernel and the generator.
inline void RepairCodes(Random* random, const Bytes& blob, FuzzCase* op) {
  const Bytes& options = op->options;
  if (options.size() != kOptionsSize || blob.size() < kHeaderSize) return;
  const int block_size = U16(blob, 4);
  if (block_size == 0 || op->tensors[kKernel].dims.empty()) return;
  int64_t num_weights = 1;
  for (const int dim : op->tensors[kKernel].dims) {
    if (dim < 1 || num_weights > kMaxRepaired) return;
    num_weights *= dim;
  }
  if (num_weights > kMaxRepaired) return;
  const int64_t num_blocks = (num_weights + block_size - 1) / block_size;
  int64_t size = (num_blocks * blob[3] * options[1] + 7) / 8;
  if ((options[4] & kFlagRowSigns) != 0) {
    size += (op->tensors[kKernel].dims[0] + 7) / 8;
  }
  if (size > kMaxRepaired) return;
  random->Resize(&op->tensors[kCodes].data, static_cast<size_t>(size));
}

// Makes the blob's header tell its size and its CRC.
inline void RepairCrc(Bytes* blob) {
  if (blob->size() < kHeaderSize) return;
  PutU32(blob, 8, static_cast<uint32_t>(blob->size()));
  const uint32_t start = Crc32(blob->data(), kCrcOffset);
  const uint32_t crc =
      Crc32(blob->data() + kHeaderSize, blob->size() - kHeaderSize, start);
  PutU32(blob, kCrcOffset, crc);
}

// Makes a reference name the blob again.
inline void RepairReference(const Bytes& blob, Bytes* reference) {
  if (blob.size() < kHeaderSize || reference->size() != kReferenceSize) return;
  std::copy_n(blob.begin() + kCrcOffset, sizeof(uint32_t),
              reference->begin() + kReferenceCrcOffset);
}

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_REPAIR_H_
