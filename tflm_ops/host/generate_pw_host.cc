// C ABI of the op's arithmetic, for ctypes.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../generate_pw.h"
#include "../generate_pw_format.h"
#include "../generate_pw_shared.h"

using hypertinypw::FormatError;

extern "C" {

const char* HypertinypwFormatErrorMessage(int32_t error) {
  return hypertinypw::FormatErrorMessage(static_cast<FormatError>(error));
}

// Copies the blob, since Python's bytes may go; null is none.
void HypertinypwSetSharedGenerator(const uint8_t* blob, size_t size) {
  static auto* const shared = new std::vector<uint8_t>;
  hypertinypw::SetSharedGenerator(nullptr, 0);
  if (blob == nullptr) return;
  shared->assign(blob, blob + size);
  hypertinypw::SetSharedGenerator(shared->data(), size);
}

// Returns a FormatError. Checks without synthesis if `weights` is null; else
// `weights` must have room for the product of `dims`.
int32_t HypertinypwSynthesize(const uint8_t* options, size_t options_size,
                              const uint8_t* codes, size_t codes_size,
                              const uint8_t* blob, size_t blob_size,
                              const int* dims, int32_t num_dims,
                              int8_t* weights) {
  hypertinypw::GeneratePwParams params;
  hypertinypw::Generator generator;
  FormatError error = hypertinypw::ParseOptions(options, options_size, &params);
  if (error == FormatError::kNone) {
    error = hypertinypw::ResolveReference(&blob, &blob_size);
  }
  if (error == FormatError::kNone) {
    error = hypertinypw::ParseTensors(
        {codes, codes_size, blob, blob_size, dims, num_dims}, &params,
        &generator);
  }
  if (error == FormatError::kNone && weights != nullptr) {
    hypertinypw::GeneratePwWeights(params, generator, codes, weights);
  }
  return static_cast<int32_t>(error);
}

}  // extern "C"
