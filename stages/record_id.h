#pragma once

#include <string>

#include "pipeline/record.h"
#include "stages/identity.h"

namespace stages {

/// An id for what a record tells, when it brings none: "h-" and a hash of its place, timestamp and
/// value. A replay gives the same id, the same record in a topic that was made anew does not.
/// `scratch` is overwritten. REQUIRES: the record has a value.
std::string RecordId(const pipeline::RawRecord& record, FieldHash& scratch);

}  // namespace stages
