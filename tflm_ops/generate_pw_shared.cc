#include "generate_pw_shared.h"

#include <cstring>

#include "op_checks.h"

namespace hypertinypw {
namespace {

const uint8_t* shared_blob = nullptr;
size_t shared_size = 0;

}  // namespace

void SetSharedGenerator(const uint8_t* blob, size_t size) {
  shared_blob = blob;
  shared_size = size;
}

FormatError ResolveReference(const uint8_t** blob, size_t* size) {
  const uint8_t* reference = *blob;
  if (reference == nullptr || *size != kReferenceSize ||
      reference[1] != kKindReference) {
    return FormatError::kNone;
  }
  HYPERTINYPW_CHECK(reference[0] == kFormatVersion, FormatError::kBlobVersion);
  HYPERTINYPW_CHECK((reference[2] | reference[3]) == 0,
                    FormatError::kBlobFlags);
  if (shared_blob == nullptr) return FormatError::kSharedMissing;
  if (shared_size < kHeaderSize) return FormatError::kBlobSize;
  if (std::memcmp(reference + kReferenceCrcOffset, shared_blob + kCrcOffset,
                  sizeof(uint32_t)) != 0) {
    return FormatError::kSharedOther;
  }
  *blob = shared_blob;
  *size = shared_size;
  return FormatError::kNone;
}

}  // namespace hypertinypw
