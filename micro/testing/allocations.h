// Counts every allocation of the process, including those inside shared libraries. Link it into a
// test program.
#pragma once

#include <cstddef>

namespace groupcomm::testing {

// Number of allocations so far: malloc, calloc, realloc, the aligned functions, and operator new,
// which calls malloc.
size_t Allocations();

// Whether shared libraries also call the counting malloc of this program.
bool CountsSharedLibraries();

}  // namespace groupcomm::testing
