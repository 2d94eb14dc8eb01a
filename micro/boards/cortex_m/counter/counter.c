// A QEMU plugin that counts the instructions of the firmware: all of them and in every marked span,
// by function. The same firmware with the same input gives the same numbers, whatever the load of
// the host.
//
//   qemu-system-arm ... -plugin counter.so,out=FILE[,within=FUNCTION]
//
// FILE is JSON: {"instructions", "functions": {name: instructions}, "spans": [{"span", "runs",
// "least", "worst", "instructions", "functions"}], "within": {address: instructions}}.
// An instruction counts each time that the core executes it. One whose condition fails counts, and
// the end of a low-overhead loop counts once per iteration. "within" has every address in FUNCTION,
// including the functions that it called: what was counted from there to the function's next
// instruction, or to a mark.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin.h"

enum { kSpans = 8 };  // marker.h

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static struct Function {
  char* name;
  uint64_t instructions;
  uint64_t at_begin[kSpans];  // value of `instructions` when the span's run began
  uint64_t in_span[kSpans];
  struct Function* next;
}* functions;

static struct Span {
  int open;
  uint64_t runs, instructions, least, worst;
} spans[kSpans];

static const char* within;  // name of a function, or NULL
static struct Place {
  uint64_t address, instructions;
  struct Place* next;
} *places, *place;         // sorted by address; the one that was executed last, NULL after a mark
static uint64_t at_place;  // count of all instructions when it was executed

static FILE* out;

static void Refuse(const char* text, int span) {
  fprintf(stderr, "counter: span %d %s\n", span, text);
  exit(2);
}

static struct Function* Find(const char* name) {
  if (name == NULL) name = "?";
  struct Function* function;
  for (function = functions; function != NULL; function = function->next) {
    if (strcmp(function->name, name) == 0) return function;
  }
  function = calloc(1, sizeof(*function));
  function->name = strdup(name);
  function->next = functions;
  functions = function;
  return function;
}

static struct Place* FindPlace(uint64_t address) {
  struct Place** at = &places;
  while (*at != NULL && (*at)->address < address) at = &(*at)->next;
  if (*at == NULL || (*at)->address != address) {
    struct Place* const made = calloc(1, sizeof(*made));
    made->address = address;
    made->next = *at;
    *at = made;
  }
  return *at;
}

static uint64_t All(void) {
  uint64_t all = 0;
  for (struct Function* f = functions; f != NULL; f = f->next) all += f->instructions;
  return all;
}

static void Leave(void) {
  if (place != NULL) place->instructions += All() - at_place;
  place = NULL;
}

// QEMU calls this before it counts the instruction.
static void Arrive(unsigned vcpu, void* data) {
  (void)vcpu;
  Leave();
  place = data;
  at_place = All();
}

static void Begin(unsigned vcpu, void* data) {
  (void)vcpu;
  Leave();
  const int span = (int)(intptr_t)data;
  if (spans[span].open) Refuse("begins twice", span);
  spans[span].open = 1;
  for (struct Function* f = functions; f != NULL; f = f->next) f->at_begin[span] = f->instructions;
}

static void End(unsigned vcpu, void* data) {
  (void)vcpu;
  Leave();
  const int span = (int)(intptr_t)data;
  struct Span* const s = &spans[span];
  if (!s->open) Refuse("ends without a begin", span);
  uint64_t run = 0;
  for (struct Function* f = functions; f != NULL; f = f->next) {
    const uint64_t taken = f->instructions - f->at_begin[span];
    f->in_span[span] += taken;
    run += taken;
  }
  if (s->runs == 0 || run < s->least) s->least = run;
  if (run > s->worst) s->worst = run;
  s->instructions += run;
  s->runs += 1;
  s->open = 0;
}

static void Translate(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
  (void)id;
  const size_t count = qemu_plugin_tb_n_insns(tb);
  for (size_t i = 0; i < count; ++i) {
    struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(tb, i);
    // A mark is `dbg #n`, with 2 * span or 2 * span + 1: the halfwords F3AF 80Fn. More data may
    // follow: where an instruction ends 2 bytes before a page does, QEMU checks whether the next
    // one crosses the page, and appends that halfword to the data of this one.
    const uint8_t* code = qemu_plugin_insn_data(insn);
    if (qemu_plugin_insn_size(insn) >= 4 && code[0] == 0xAF && code[1] == 0xF3 && code[3] == 0x80 &&
        code[2] >> 4 == 0xF) {
      const intptr_t option = code[2] & 15;
      qemu_plugin_register_vcpu_insn_exec_cb(insn, option % 2 ? End : Begin, QEMU_PLUGIN_CB_NO_REGS,
                                             (void*)(option / 2));
      continue;
    }
    // A function that first runs within a span has a count of 0 at its begin, which is correct.
    struct Function* function = Find(qemu_plugin_insn_symbol(insn));
    if (within != NULL && strcmp(function->name, within) == 0) {
      qemu_plugin_register_vcpu_insn_exec_cb(insn, Arrive, QEMU_PLUGIN_CB_NO_REGS,
                                             FindPlace(qemu_plugin_insn_vaddr(insn)));
    }
    qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
                                               &function->instructions, 1);
  }
}

// Writes {name: instructions} in descending order, of a span, or of everything with span -1.
static void WriteFunctions(int span) {
  fprintf(out, "{");
  const char* comma = "";
  for (;;) {
    struct Function* most = NULL;
    uint64_t instructions = 0;
    for (struct Function* f = functions; f != NULL; f = f->next) {
      const uint64_t own = span < 0 ? f->instructions : f->in_span[span];
      if (own > instructions) most = f, instructions = own;
    }
    if (most == NULL) break;
    fprintf(out, "%s\n    \"%s\": %llu", comma, most->name, (unsigned long long)instructions);
    comma = ",";
    if (span < 0) most->instructions = 0;  // marks it as written
    if (span >= 0) most->in_span[span] = 0;
  }
  fprintf(out, "}");
}

static void Finish(qemu_plugin_id_t id, void* data) {
  (void)id, (void)data;
  Leave();
  fprintf(out, "{\"instructions\": %llu, \"spans\": [", (unsigned long long)All());
  const char* comma = "";
  for (int i = 0; i < kSpans; ++i) {
    const struct Span* s = &spans[i];
    if (s->open) fprintf(stderr, "counter: span %d has no end\n", i);
    if (s->runs == 0) continue;
    fprintf(out,
            "%s\n  {\"span\": %d, \"runs\": %llu, \"least\": %llu, \"worst\": %llu, "
            "\"instructions\": %llu, \"functions\": ",
            comma, i, (unsigned long long)s->runs, (unsigned long long)s->least,
            (unsigned long long)s->worst, (unsigned long long)s->instructions);
    WriteFunctions(i);
    fprintf(out, "}");
    comma = ",";
  }
  fprintf(out, "], \"within\": {");
  comma = "";
  for (struct Place* p = places; p != NULL; p = p->next) {
    fprintf(out, "%s\"0x%llx\": %llu", comma, (unsigned long long)p->address,
            (unsigned long long)p->instructions);
    comma = ", ";
  }
  fprintf(out, "}, \"functions\": ");
  WriteFunctions(-1);
  fprintf(out, "}\n");
  if (fclose(out) != 0) perror("counter: cannot write");
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const qemu_info_t* info, int argc,
                                                               char** argv) {
  (void)info;
  if (argc < 1 || argc > 2 || strncmp(argv[0], "out=", 4) != 0 ||
      (argc == 2 && strncmp(argv[1], "within=", 7) != 0)) {
    fprintf(stderr, "counter: usage: out=FILE[,within=FUNCTION]\n");
    return 1;
  }
  if (argc == 2) within = strdup(argv[1] + 7);
  out = fopen(argv[0] + 4, "w");
  if (out == NULL) {
    perror(argv[0] + 4);
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, Translate);
  qemu_plugin_register_atexit_cb(id, Finish, NULL);
  return 0;
}
