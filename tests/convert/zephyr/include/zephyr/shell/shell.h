/* As in Zephyr 3.7 to main of 2026, for a command with subcommands; stand_in_shell runs one. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct shell;
typedef int (*shell_cmd_handler)(const struct shell* sh, size_t argc, char** argv);
union shell_cmd_entry;
struct shell_static_args {
  unsigned char mandatory, optional;
};
struct shell_static_entry {
  const char* syntax;
  const char* help;
  const union shell_cmd_entry* subcmd;
  shell_cmd_handler handler;
  struct shell_static_args args;
};
union shell_cmd_entry {
  const struct shell_static_entry* entry;
};
#define SHELL_CMD(syntax, subcmd, help, handler) {#syntax, help, subcmd, handler, {0, 0}}
#define SHELL_SUBCMD_SET_END {NULL, NULL, NULL, NULL, {0, 0}}
#define SHELL_STATIC_SUBCMD_SET_CREATE(name, ...)                        \
  static const struct shell_static_entry shell_##name[] = {__VA_ARGS__}; \
  static const union shell_cmd_entry name = {shell_##name}
#define SHELL_CMD_REGISTER(syntax, subcmd, help, handler) \
  const struct shell_static_entry stand_in_shell_##syntax = SHELL_CMD(syntax, subcmd, help, handler)

void shell_print(const struct shell* sh, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
