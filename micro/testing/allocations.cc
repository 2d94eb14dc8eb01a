#include "micro/testing/allocations.h"

#include <dlfcn.h>

#include <atomic>
#include <cerrno>

namespace {

std::atomic<size_t> allocations{0};

}  // namespace

#if defined(__SANITIZE_ADDRESS__)

// AddressSanitizer has put itself in the place of malloc for the whole process; it tells us of each. Debian's GCC brings no header
// for this function of its library.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void*, size_t),
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

// A program's own malloc comes before the C library's, for every shared library of the process. The C library's stays reachable
// under these names.
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

// RTLD_DEFAULT looks where the dynamic linker looks for the symbols that a shared library leaves open.
bool CountsSharedLibraries() { return dlsym(RTLD_DEFAULT, "malloc") == reinterpret_cast<void*>(&malloc); }

}  // namespace groupcomm::testing

#endif

namespace groupcomm::testing {

size_t Allocations() { return allocations; }

}  // namespace groupcomm::testing
