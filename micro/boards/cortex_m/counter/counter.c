// A QEMU plugin that counts the instructions of the firmware: all of them and in every marked span,
// by function. The same firmware with the same input gives the same numbers, whatever the load of
// the host.
//
//   qemu-system-arm ... -plugin counter.so,out=FILE[,within=FUNCTION][,costs=FILE]
//
// FILE is JSON: {"instructions", "functions": {name: instructions}, "spans": [{"span", "runs",
// "least", "worst", "instructions", "functions"}], "within": {address: instructions}}.
// An instruction counts each time that the core executes it. One whose condition fails counts, and
// the end of a low-overhead loop counts once per iteration. "within" has every address in FUNCTION,
// including the functions that it called: what was counted from there to the function's next
// instruction, or to a mark.
//
// The file of `costs` (convert/run/cycle_model.py writes it) gives each address its cycles in a
// model of the core, and caches to simulate. Its lines are
//
//   flash FIRST END        the addresses of the program and its constants
//   cache BYTES LINE       one of up to 4 caches of reads from there: two ways, the older one leaves
//   ADDRESS FOLLOWS ENTERED JUMPS
//
// with the cycles of the instruction after its neighbour in memory, after a jump to it, and what a
// jump from it adds. Each span then has "cycles": {"least", "worst", "sum", "functions"}, "reads"
// (accesses to data in the flash) and "misses" (lines that each cache loads, for data or
// instructions), and "within_cycles" is as "within".
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin.h"

enum {
  kSpans = 8,  // marker.h
  kCaches = 4,
};

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

// What is counted: instructions, or cycles.
enum Unit { kInstructions, kCycles, kUnits };

struct Count {
  uint64_t all;
  uint64_t at_begin[kSpans];  // value of `all` when the span's run began
  uint64_t in_span[kSpans];
};

static struct Function {
  char* name;
  struct Count counts[kUnits];
  struct Function* next;
}* functions;

static struct Span {
  int open;
  uint64_t runs;
  struct {
    uint64_t sum, least, worst;
  } counts[kUnits];
} spans[kSpans];

static const char* within;  // name of a function, or NULL
static struct Place {
  uint64_t address, counts[kUnits];
  struct Place* next;
} *places, *place;                 // sorted by address; the last executed one, NULL after a mark
static uint64_t at_place[kUnits];  // count of everything when it was executed

// The model of the core.
static struct Cost {
  int8_t follows, entered, jumps;
}* costs;  // by halfword of the flash; NULL without a model
static uint64_t flash_first, flash_end;
static struct Cache {
  uint64_t sets, line;
  uint64_t (*ways)[2];  // (sets): numbers of lines, plus 1; the one that was used last is first
  struct Count misses;
} caches[kCaches];
static int cache_count;
static struct Count reads;

// Instructions that QEMU translates, and executes, together.
struct Block {
  uint64_t begin, end;
  struct Function *first, *last;  // functions of its first and its last instruction
  const struct Cost *first_cost, *last_cost;
};
static const struct Block* last_block;  // NULL before the first one

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

static uint64_t All(enum Unit unit) {
  uint64_t all = 0;
  for (struct Function* f = functions; f != NULL; f = f->next) all += f->counts[unit].all;
  return all;
}

static void Leave(void) {
  for (int unit = 0; place != NULL && unit < kUnits; ++unit)
    place->counts[unit] += All(unit) - at_place[unit];
  place = NULL;
}

// QEMU calls this before it counts the instruction.
static void Arrive(unsigned vcpu, void* data) {
  (void)vcpu;
  Leave();
  place = data;
  for (int unit = 0; unit < kUnits; ++unit) at_place[unit] = All(unit);
}

static void BeginCount(struct Count* count, int span) { count->at_begin[span] = count->all; }

static uint64_t EndCount(struct Count* count, int span) {
  const uint64_t taken = count->all - count->at_begin[span];
  count->in_span[span] += taken;
  return taken;
}

static void Begin(unsigned vcpu, void* data) {
  (void)vcpu;
  Leave();
  const int span = (int)(intptr_t)data;
  if (spans[span].open) Refuse("begins twice", span);
  spans[span].open = 1;
  for (struct Function* f = functions; f != NULL; f = f->next) {
    for (int unit = 0; unit < kUnits; ++unit) BeginCount(&f->counts[unit], span);
  }
  BeginCount(&reads, span);
  for (int i = 0; i < cache_count; ++i) BeginCount(&caches[i].misses, span);
}

static void End(unsigned vcpu, void* data) {
  (void)vcpu;
  Leave();
  const int span = (int)(intptr_t)data;
  struct Span* const s = &spans[span];
  if (!s->open) Refuse("ends without a begin", span);
  for (int unit = 0; unit < kUnits; ++unit) {
    uint64_t run = 0;
    for (struct Function* f = functions; f != NULL; f = f->next)
      run += EndCount(&f->counts[unit], span);
    if (s->runs == 0 || run < s->counts[unit].least) s->counts[unit].least = run;
    if (run > s->counts[unit].worst) s->counts[unit].worst = run;
    s->counts[unit].sum += run;
  }
  EndCount(&reads, span);
  for (int i = 0; i < cache_count; ++i) EndCount(&caches[i].misses, span);
  s->runs += 1;
  s->open = 0;
}

// Reads `bytes` at an address of the flash through every cache.
static void Touch(uint64_t address, uint64_t bytes) {
  for (struct Cache* cache = caches; cache < caches + cache_count; ++cache) {
    for (uint64_t line = address / cache->line; line <= (address + bytes - 1) / cache->line;
         ++line) {
      uint64_t* const ways = cache->ways[line % cache->sets];
      if (ways[0] == line + 1) continue;
      if (ways[1] != line + 1) cache->misses.all += 1;
      ways[1] = ways[0];
      ways[0] = line + 1;
    }
  }
}

// QEMU calls this for loads and stores, because 7.2 confuses the two when asked for one of them.
static void ReadData(unsigned vcpu, uint32_t info, uint64_t address, void* data) {
  (void)vcpu, (void)data;
  if (qemu_plugin_mem_is_store(info) || address < flash_first || address >= flash_end) return;
  reads.all += 1;
  Touch(address, (uint64_t)1 << qemu_plugin_mem_size_shift(info));
}

// QEMU calls this before a block. Its instructions count as if each followed its neighbour, which
// is wrong for the first one after a jump.
static void EnterBlock(unsigned vcpu, void* data) {
  (void)vcpu;
  const struct Block* const block = data;
  if (last_block != NULL && last_block->end != block->begin) {
    last_block->last->counts[kCycles].all += last_block->last_cost->jumps;
    block->first->counts[kCycles].all += block->first_cost->entered - block->first_cost->follows;
  }
  last_block = block;
  Touch(block->begin, block->end - block->begin);
}

static const struct Cost* FindCost(uint64_t address) {
  static const struct Cost none;
  return address >= flash_first && address < flash_end ? &costs[(address - flash_first) / 2]
                                                       : &none;
}

static void Translate(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
  (void)id;
  const size_t count = qemu_plugin_tb_n_insns(tb);
  struct Block* const block = costs != NULL ? calloc(1, sizeof(*block)) : NULL;
  if (block != NULL)
    qemu_plugin_register_vcpu_tb_exec_cb(tb, EnterBlock, QEMU_PLUGIN_CB_NO_REGS, block);
  for (size_t i = 0; i < count; ++i) {
    struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(tb, i);
    const uint64_t address = qemu_plugin_insn_vaddr(insn);
    struct Function* function = Find(qemu_plugin_insn_symbol(insn));
    if (block != NULL) {
      block->last = function;
      block->last_cost = FindCost(address);
      block->end = address + qemu_plugin_insn_size(insn);
      if (i == 0) {
        block->begin = address;
        block->first = function;
        block->first_cost = block->last_cost;
      }
    }
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
    if (within != NULL && strcmp(function->name, within) == 0) {
      qemu_plugin_register_vcpu_insn_exec_cb(insn, Arrive, QEMU_PLUGIN_CB_NO_REGS,
                                             FindPlace(address));
    }
    qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
                                               &function->counts[kInstructions].all, 1);
    if (block == NULL) continue;
    qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
                                               &function->counts[kCycles].all,
                                               block->last_cost->follows);
    qemu_plugin_register_vcpu_mem_cb(insn, ReadData, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                     NULL);
  }
}

// Writes {name: count} in descending order, of a span, or of everything with span -1.
static void WriteFunctions(enum Unit unit, int span) {
  fprintf(out, "{");
  const char* comma = "";
  for (;;) {
    struct Count* most = NULL;
    const char* name = NULL;
    uint64_t count = 0;
    for (struct Function* f = functions; f != NULL; f = f->next) {
      const uint64_t own = span < 0 ? f->counts[unit].all : f->counts[unit].in_span[span];
      if (own > count) most = &f->counts[unit], name = f->name, count = own;
    }
    if (most == NULL) break;
    fprintf(out, "%s\n    \"%s\": %llu", comma, name, (unsigned long long)count);
    comma = ",";
    if (span < 0) most->all = 0;  // marks it as written
    if (span >= 0) most->in_span[span] = 0;
  }
  fprintf(out, "}");
}

static void WriteWithin(const char* name, enum Unit unit) {
  fprintf(out, ", \"%s\": {", name);
  const char* comma = "";
  for (struct Place* p = places; p != NULL; p = p->next) {
    fprintf(out, "%s\"0x%llx\": %llu", comma, (unsigned long long)p->address,
            (unsigned long long)p->counts[unit]);
    comma = ", ";
  }
  fprintf(out, "}");
}

static void WriteCounts(const struct Span* s, enum Unit unit, const char* sum) {
  fprintf(out, "\"least\": %llu, \"worst\": %llu, \"%s\": %llu, \"functions\": ",
          (unsigned long long)s->counts[unit].least, (unsigned long long)s->counts[unit].worst, sum,
          (unsigned long long)s->counts[unit].sum);
  WriteFunctions(unit, (int)(s - spans));
}

static void WriteModel(const struct Span* s) {
  fprintf(out, ", \"cycles\": {");
  WriteCounts(s, kCycles, "sum");
  fprintf(out, "}, \"reads\": %llu, \"misses\": [", (unsigned long long)reads.in_span[s - spans]);
  for (int i = 0; i < cache_count; ++i) {
    fprintf(out, "%s%llu", i > 0 ? ", " : "",
            (unsigned long long)caches[i].misses.in_span[s - spans]);
  }
  fprintf(out, "]");
}

static void Finish(qemu_plugin_id_t id, void* data) {
  (void)id, (void)data;
  Leave();
  fprintf(out, "{\"instructions\": %llu, \"spans\": [", (unsigned long long)All(kInstructions));
  const char* comma = "";
  for (int i = 0; i < kSpans; ++i) {
    const struct Span* s = &spans[i];
    if (s->open) fprintf(stderr, "counter: span %d has no end\n", i);
    if (s->runs == 0) continue;
    fprintf(out, "%s\n  {\"span\": %d, \"runs\": %llu, ", comma, i, (unsigned long long)s->runs);
    WriteCounts(s, kInstructions, "instructions");
    if (costs != NULL) WriteModel(s);
    fprintf(out, "}");
    comma = ",";
  }
  fprintf(out, "]");
  WriteWithin("within", kInstructions);
  if (costs != NULL) WriteWithin("within_cycles", kCycles);
  fprintf(out, ", \"functions\": ");
  WriteFunctions(kInstructions, -1);
  fprintf(out, "}\n");
  if (fclose(out) != 0) perror("counter: cannot write");
}

static int ReadCosts(const char* path) {
  FILE* const file = fopen(path, "r");
  if (file == NULL) return 0;
  unsigned long long first, end, bytes, line;
  int good = fscanf(file, "flash %llx %llx\n", &first, &end) == 2 && first < end;
  if (good) {
    flash_first = first;
    flash_end = end;
    costs = calloc((flash_end - flash_first) / 2 + 1, sizeof(*costs));
  }
  while (good && fscanf(file, "cache %llu %llu\n", &bytes, &line) == 2) {
    good = cache_count < kCaches && line > 0 && bytes >= 2 * line;
    if (!good) break;
    struct Cache* const cache = &caches[cache_count++];
    cache->line = line;
    cache->sets = bytes / line / 2;
    cache->ways = calloc(cache->sets, sizeof(*cache->ways));
  }
  int follows, entered, jumps;
  while (good && fscanf(file, "%llx %d %d %d\n", &first, &follows, &entered, &jumps) == 4) {
    good = first >= flash_first && first < flash_end;
    if (good) costs[(first - flash_first) / 2] = (struct Cost){follows, entered, jumps};
  }
  good = good && feof(file);
  fclose(file);
  return good;
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const qemu_info_t* info, int argc,
                                                               char** argv) {
  (void)info;
  const char *path = NULL, *model = NULL;
  int known = 0;
  for (int i = 0; i < argc; ++i) {
    if (strncmp(argv[i], "out=", 4) == 0) path = argv[i] + 4, ++known;
    if (strncmp(argv[i], "within=", 7) == 0) within = strdup(argv[i] + 7), ++known;
    if (strncmp(argv[i], "costs=", 6) == 0) model = argv[i] + 6, ++known;
  }
  if (path == NULL || known != argc) {
    fprintf(stderr, "counter: usage: out=FILE[,within=FUNCTION][,costs=FILE]\n");
    return 1;
  }
  if (model != NULL && !ReadCosts(model)) {
    fprintf(stderr, "counter: cannot read the costs in %s\n", model);
    return 1;
  }
  out = fopen(path, "w");
  if (out == NULL) {
    perror(path);
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, Translate);
  qemu_plugin_register_atexit_cb(id, Finish, NULL);
  return 0;
}
