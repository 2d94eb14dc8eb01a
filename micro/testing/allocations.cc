#include "micro/testing/allocations.h"

#include <dlfcn.h>

#include <atomic>
#include <cerrno>

namespace {

std::atomic<size_t> allocations{0};

}  // namespace

#if defined(__SANITIZE_ADDRESS__)

// AddressSanitizer replaces malloc for the whole process, and reports each allocation through this
// hook. Debian's GCC has no header for this function of its library.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void*,
                                                                           size_t),
                                                         void (*freed)(const volatile void*));

namespace {

void Count(const volatile void*, size_t) { ++allocations; }
void Ignore(const volatile void*) {}

[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(Count, Ignore);

}  // namespace

namespace groupcomm::testing {

bool CountsSharedLibraries() { return installed != 0; }

}  // namespace groupcomm::testing

#else

// A malloc of the program replaces that of the C library for every shared library of the process.
// The functions of the C library remain available under these names.
extern "C" {

void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* p, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void* p);

void* malloc(size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}

void* calloc(size_t count, size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}

void* realloc(void* p, size_t bytes) {
  ++allocations;
  return __libc_realloc(p, bytes);
}

void* memalign(size_t alignment, size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void** p, size_t alignment, size_t bytes) {
  *p = memalign(alignment, bytes);
  return *p ? 0 : ENOMEM;
}

void free(void* p) { __libc_free(p); }

}  // extern "C"

namespace groupcomm::testing {

// RTLD_DEFAULT searches in the order in which the dynamic linker resolves the undefined symbols of
// a shared library.
bool CountsSharedLibraries() {
  return dlsym(RTLD_DEFAULT, "malloc") == reinterpret_cast<void*>(&malloc);
}

}  // namespace groupcomm::testing

#endif

namespace groupcomm::testing {

size_t Allocations() { return allocations; }

}  // namespace groupcomm::testing
