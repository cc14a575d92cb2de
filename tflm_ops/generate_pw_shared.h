// One generator for several models of a firmware. In the file of such a model
// the generator is a reference of 8 bytes; the blob that it names is an array
// of the firmware.

#ifndef HYPERTINYPW_TFLM_OPS_GENERATE_PW_SHARED_H_
#define HYPERTINYPW_TFLM_OPS_GENERATE_PW_SHARED_H_

#include <cstddef>
#include <cstdint>

#include "generate_pw_format.h"

namespace hypertinypw {

// Sets the blob that references stand for, before AllocateTensors. It is not
// copied, and must stay what it is while an interpreter reads it. There is one
// at a time, for all interpreters; null is none.
void SetSharedGenerator(const uint8_t* blob, size_t size);

// Replaces a reference by the shared blob that it names. Bytes that are no
// reference stay, to be refused by ParseGenerator if they are no blob.
FormatError ResolveReference(const uint8_t** blob, size_t* size);

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_GENERATE_PW_SHARED_H_
