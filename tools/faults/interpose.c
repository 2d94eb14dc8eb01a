// Interposes what changes files (LD_PRELOAD), below Python and every library. In a process that
// called fault_arm, the n-th change inside of a folder kills the process group, or fails because
// the disk is full, as do all changes after it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static const char* root;  // NULL: not armed
static long at;
static int is_full;
static long* count;  // shared with the process that armed

void fault_arm(const char* folder, long n, int full, long* counter) {
  at = n, is_full = full, count = counter;
  root = folder;
}

// Counts a change; returns whether it has to fail.
static int Fault(const char* path) {
  if (root == NULL || path == NULL) return 0;
  if (path[0] == '/' && strncmp(path, root, strlen(root)) != 0) return 0;
  const long n = __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
  if (!is_full && n == at) {
    kill(0, SIGKILL);
    for (;;) pause();
  }
  if (!is_full || n < at) return 0;
  errno = ENOSPC;
  return 1;
}

static int FaultOf(int file) {
  if (root == NULL) return 0;
  char link[32], path[4096];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof(path) - 1);
  if (length <= 0 || path[0] != '/') return 0;  // not a pipe or a socket
  path[length] = 0;
  return Fault(path);
}

// A removal succeeds on a full disk.
static void Removal(const char* path) {
  if (!is_full) Fault(path);
}

#define REAL(result, name, ...)       \
  static result (*real)(__VA_ARGS__); \
  if (real == NULL) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                                                      \
  int name(const char* path, int flags, ...) {                                          \
    va_list rest;                                                                       \
    va_start(rest, flags);                                                              \
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;       \
    va_end(rest);                                                                       \
    REAL(int, name, const char*, int, ...);                                             \
    return (flags & (O_CREAT | O_TRUNC)) && Fault(path) ? -1 : real(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                            \
  int name(int folder, const char* path, int flags, ...) {                                      \
    va_list rest;                                                                               \
    va_start(rest, flags);                                                                      \
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;               \
    va_end(rest);                                                                               \
    REAL(int, name, int, const char*, int, ...);                                                \
    return (flags & (O_CREAT | O_TRUNC)) && Fault(path) ? -1 : real(folder, path, flags, mode); \
  }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                      \
  FILE* name(const char* path, const char* mode) {                       \
    REAL(FILE*, name, const char*, const char*);                         \
    return strpbrk(mode, "wa") && Fault(path) ? NULL : real(path, mode); \
  }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int file, const void* data, size_t bytes) {
  REAL(ssize_t, write, int, const void*, size_t);
  return FaultOf(file) ? -1 : real(file, data, bytes);
}

#define PWRITE(name)                                                     \
  ssize_t name(int file, const void* data, size_t bytes, off_t offset) { \
    REAL(ssize_t, name, int, const void*, size_t, off_t);                \
    return FaultOf(file) ? -1 : real(file, data, bytes, offset);         \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

size_t fwrite(const void* data, size_t size, size_t items, FILE* file) {
  REAL(size_t, fwrite, const void*, size_t, size_t, FILE*);
  return FaultOf(fileno(file)) ? 0 : real(data, size, items, file);
}

#define SENDFILE(name)                                          \
  ssize_t name(int to, int from, off_t* offset, size_t bytes) { \
    REAL(ssize_t, name, int, int, off_t*, size_t);              \
    return FaultOf(to) ? -1 : real(to, from, offset, bytes);    \
  }
SENDFILE(sendfile)
SENDFILE(sendfile64)

ssize_t copy_file_range(int from, off64_t* a, int to, off64_t* b, size_t bytes, unsigned flags) {
  REAL(ssize_t, copy_file_range, int, off64_t*, int, off64_t*, size_t, unsigned);
  return FaultOf(to) ? -1 : real(from, a, to, b, bytes, flags);
}

int mkdir(const char* path, mode_t mode) {
  REAL(int, mkdir, const char*, mode_t);
  return Fault(path) ? -1 : real(path, mode);
}

int rename(const char* from, const char* to) {
  REAL(int, rename, const char*, const char*);
  Removal(to);
  return real(from, to);
}

int renameat2(int a, const char* from, int b, const char* to, unsigned flags) {
  REAL(int, renameat2, int, const char*, int, const char*, unsigned);
  Removal(to);
  return real(a, from, b, to, flags);
}

int unlink(const char* path) {
  REAL(int, unlink, const char*);
  Removal(path);
  return real(path);
}

int unlinkat(int folder, const char* path, int flags) {
  REAL(int, unlinkat, int, const char*, int);
  Removal(path);
  return real(folder, path, flags);
}

int rmdir(const char* path) {
  REAL(int, rmdir, const char*);
  Removal(path);
  return real(path);
}
