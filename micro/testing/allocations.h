// Counts every allocation of the process, those inside shared libraries included. Link it into a test program.
#pragma once

#include <cstddef>

namespace groupcomm::testing {

// Allocations so far: malloc, calloc, realloc, the aligned ones, and operator new, which calls malloc.
size_t Allocations();

// Whether the dynamic linker gives this program's counting malloc to the shared libraries too.
bool CountsSharedLibraries();

}  // namespace groupcomm::testing
