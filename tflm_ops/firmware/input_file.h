// What a program on the board works on: a file of the host, which semihosting
// reads, of little-endian int32 values and aligned arrays. Written by
// benchmarks/board_file.py.

#ifndef HYPERTINYPW_TFLM_OPS_FIRMWARE_INPUT_FILE_H_
#define HYPERTINYPW_TFLM_OPS_FIRMWARE_INPUT_FILE_H_

#include <cstddef>
#include <cstdint>

namespace hypertinypw {
namespace firmware {

// An array of the file, aligned to 16 bytes as TFLM aligns buffers.
template <typename T>
struct Array {
  const T* data;
  size_t size;
};

class InputFile {
 public:
  // Returns false if the file does not fit into memory or cannot be read.
  bool Read(const char* path);

  int32_t Int();

  template <typename T>
  Array<T> ReadArray() {
    const size_t num_bytes = static_cast<size_t>(Int());
    offset_ = (offset_ + 15) / 16 * 16;
    const T* data = reinterpret_cast<const T*>(Content() + offset_);
    offset_ += num_bytes;
    return {data, num_bytes / sizeof(T)};
  }

 private:
  static const uint8_t* Content();

  size_t offset_ = 0;
};

}  // namespace firmware
}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_FIRMWARE_INPUT_FILE_H_
