// A stub of Zephyr, linked with the application. It has one thread, and polls the UART of the
// emulated board while the thread waits. Its microphone reads in.pcm, I2S writes out.pcm.
#include <cstdarg>
#include <cstdio>

#include <nrfx.h>
#ifdef CONFIG_CLOCK_CONTROL_NRF
#include <nrfx_clock.h>
#else
#include <nrfx_clock_hfclk.h>
#endif
#include <zephyr/audio/dmic.h>
#include <zephyr/drivers/gpio.h>
#include <zephyr/drivers/i2s.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/shell/shell.h>
#include <zephyr/sys/printk.h>

#include "micro/boards/cortex_m/board.h"

namespace {

// "Cortex-M System Design Kit", APB UART, at its addresses in QEMU's mps2-an386 and
// mps2-an505.
struct Uart {
  volatile uint32_t data, state, control, interrupt, divider;
};
#if __ARM_ARCH >= 8
Uart* const uart = reinterpret_cast<Uart*>(0x50200000);
#else
Uart* const uart = reinterpret_cast<Uart*>(0x40004000);
#endif
uart_irq_callback_user_data_t callback = nullptr;
bool half_speed = true;  // as an nRF5340 after reset

}  // namespace

uint32_t SystemCoreClock = 0;
const struct device stand_in_uart0 = {"uart0"}, stand_in_pdm0 = {"pdm0"}, stand_in_i2s0 = {"i2s0"},
                    stand_in_gpio0 = {"gpio0"};

bool device_is_ready(const struct device*) { return true; }
void SystemCoreClockUpdate(void) { SystemCoreClock = half_speed ? 64000000 : 128000000; }
#ifdef CONFIG_CLOCK_CONTROL_NRF
int nrfx_clock_divider_set(nrf_clock_domain_t, nrf_clock_hfclk_div_t div) {
#else
int nrfx_clock_hfclk_divider_set(nrf_clock_hfclk_div_t div) {
#endif
  half_speed = div != NRF_CLOCK_HFCLK_DIV_1;
  return 0;
}

int uart_irq_callback_user_data_set(const struct device*, uart_irq_callback_user_data_t function,
                                    void*) {
  callback = function;
  return 0;
}
void uart_irq_rx_enable(const struct device*) {
  uart->divider = 16;
  uart->control = 3;
}
#ifdef STAND_IN_ZEPHYR_LTS
int uart_irq_update(const struct device*) { return 1; }
#else
void uart_irq_update(const struct device*) {}
#endif
int uart_irq_rx_ready(const struct device*) { return (uart->state & 2) != 0; }
int uart_fifo_read(const struct device* dev, uint8_t* bytes, const int size) {
  int count = 0;
  while (count < size && uart_irq_rx_ready(dev)) bytes[count++] = static_cast<uint8_t>(uart->data);
  return count;
}
void uart_poll_out(const struct device*, unsigned char byte) {
  while (uart->state & 1) {
  }
  uart->data = byte;
}

int k_msgq_put(struct k_msgq* queue, const void* data, k_timeout_t) {
  if (queue->put - queue->got == queue->size) return -1;
  queue->bytes[queue->put++ % queue->size] = *static_cast<const uint8_t*>(data);
  return 0;
}
int k_msgq_get(struct k_msgq* queue, void* data, k_timeout_t) {
  while (queue->put == queue->got) {
    if (callback != nullptr && uart_irq_rx_ready(&stand_in_uart0))
      callback(&stand_in_uart0, nullptr);
  }
  *static_cast<uint8_t*>(data) = queue->bytes[queue->got++ % queue->size];
  return 0;
}
int32_t k_sleep(k_timeout_t) { BoardExit(0); }

int k_mem_slab_alloc(struct k_mem_slab* slab, void** mem, k_timeout_t) {
  for (uint32_t i = 0; i < slab->num_blocks; ++i) {
    if (slab->used >> i & 1) continue;
    slab->used |= 1u << i;
    *mem = slab->buffer + i * slab->block_size;
    return 0;
  }
  return -ENOMEM;
}
void k_mem_slab_free(struct k_mem_slab* slab, void* mem) {
  slab->used &= ~(1u << (static_cast<char*>(mem) - slab->buffer) / slab->block_size);
}
void k_sem_give(struct k_sem* sem) { sem->count = sem->limit; }
int k_sem_take(struct k_sem* sem, k_timeout_t) {
  return sem->count > 0 ? (--sem->count, 0) : -EBUSY;
}

// The devices of sound.c. Time passes in dmic_read, a hop at a time.
extern const struct shell_static_entry stand_in_shell_groupcomm __attribute__((weak));

namespace {

constexpr int kTimeoutHops = 12;
constexpr int kOverrun = 60;  // the hop at which the microphone stops
int now = 0, led_hops = 0;    // hops
bool led_on = false, recording = false;
groupcomm::board::File in_file, out_file;
struct k_mem_slab *in_slab = nullptr, *out_slab = nullptr;
uint32_t in_bytes = 0, out_bytes = 0;
enum { kReady, kRunning, kError } playing = kReady;
void* queued[4] = {};  // the first one is in the DMA
int queued_blocks = 0;

void Play() {
  if (playing != kRunning) return;
  out_file.Write(queued[0], out_bytes);
  k_mem_slab_free(out_slab, queued[0]);
  for (int i = 1; i < queued_blocks; ++i) queued[i - 1] = queued[i];
  if (--queued_blocks == 0) playing = kError;
}

// A hop passes. At the end of the file the counters are printed.
void Hop(void* block) {
  ++now;
  if (led_on) ++led_hops;
  Play();
  if (in_file.Read(block, in_bytes) == static_cast<int>(in_bytes)) return;
  for (const auto* entry = stand_in_shell_groupcomm.subcmd->entry; entry->syntax != nullptr;
       ++entry)
    entry->handler(nullptr, 1, nullptr);
  printk("led %u\n", static_cast<unsigned>(led_hops));
  BoardExit(out_file.Close() ? 0 : 1);
}

}  // namespace

int dmic_configure(const struct device* dev, struct dmic_cfg* cfg) {
  const struct pcm_stream_cfg& stream = cfg->streams[0];
  // as nrfx_pdm requires for one channel
  if (dev != &stand_in_pdm0 || cfg->channel.req_num_streams != 1 ||
      cfg->channel.req_num_chan != 1 || cfg->channel.req_chan_map_lo != 0 ||
      stream.pcm_width != 16 || stream.block_size > stream.mem_slab->block_size)
    return -EINVAL;
  in_slab = stream.mem_slab, in_bytes = stream.block_size;
  printk("pdm %u\n", static_cast<unsigned>(stream.pcm_rate));
  return in_file.Open("in.pcm", groupcomm::board::File::Mode::kRead) ? 0 : -EIO;
}
int dmic_trigger(const struct device*, enum dmic_trigger cmd) {
  recording = cmd == DMIC_TRIGGER_START;
  return 0;
}
int dmic_read(const struct device*, uint8_t, void** buffer, size_t* size, int32_t) {
  static int16_t lost[512];
  if (now == kOverrun) recording = false;
  if (!recording || k_mem_slab_alloc(in_slab, buffer, K_NO_WAIT) != 0) {
    for (int hop = 0; hop < kTimeoutHops; ++hop) Hop(lost);
    return -EAGAIN;
  }
  Hop(*buffer);
  *size = in_bytes;
  return 0;
}

int i2s_configure(const struct device* dev, enum i2s_dir dir, const struct i2s_config* cfg) {
  if (dev != &stand_in_i2s0 || dir != I2S_DIR_TX || cfg->word_size != 16 || cfg->channels != 2 ||
      cfg->block_size % 4 != 0 || cfg->block_size > cfg->mem_slab->block_size)
    return -EINVAL;
  out_slab = cfg->mem_slab, out_bytes = cfg->block_size;
  printk("i2s %u\n", static_cast<unsigned>(cfg->frame_clk_freq));
  return out_file.Open("out.pcm", groupcomm::board::File::Mode::kWrite) ? 0 : -EIO;
}
int i2s_write(const struct device*, void* mem_block, size_t size) {
  if (playing == kError || queued_blocks == 4 || size != out_bytes) return -EIO;
  queued[queued_blocks++] = mem_block;
  return 0;
}
int i2s_trigger(const struct device*, enum i2s_dir, enum i2s_trigger_cmd cmd) {
  if (cmd == I2S_TRIGGER_START) {
    if (playing != kReady || queued_blocks == 0) return -EIO;
    playing = kRunning;
    return 0;
  }
  if (cmd == I2S_TRIGGER_PREPARE && playing != kError) return -EIO;
  while (queued_blocks > 0) k_mem_slab_free(out_slab, queued[--queued_blocks]);
  playing = kReady;
  return 0;
}

bool gpio_is_ready_dt(const struct gpio_dt_spec* spec) { return spec->port == &stand_in_gpio0; }
int gpio_pin_configure_dt(const struct gpio_dt_spec*, gpio_flags_t) { return 0; }
// The button bounces at hop 10, and is pressed at hops 20 and 40.
int gpio_pin_get_dt(const struct gpio_dt_spec*) {
  return now == 10 || (now >= 20 && now < 25) || (now >= 40 && now < 45);
}
int gpio_pin_set_dt(const struct gpio_dt_spec*, int value) {
  led_on = value != 0;
  return 0;
}

namespace {

// Supports %u, %d, %s and %% only: newlib's printf would be larger than the network.
void Format(const char* format, va_list arguments) {
  char one[2] = {};
  for (; *format != 0; ++format) {
    if (*format != '%') {
      one[0] = *format;
      groupcomm::board::Print(one);
    } else if (*++format == 'u') {
      groupcomm::board::Print(static_cast<int64_t>(va_arg(arguments, unsigned)));
    } else if (*format == 'd') {
      groupcomm::board::Print(static_cast<int64_t>(va_arg(arguments, int)));
    } else if (*format == 's') {
      groupcomm::board::Print(va_arg(arguments, const char*));
    } else {
      groupcomm::board::Print("%");
    }
  }
}

}  // namespace

void printk(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Format(format, arguments);
  va_end(arguments);
}
void shell_print(const struct shell*, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Format(format, arguments);
  groupcomm::board::Print("\n");
  va_end(arguments);
}
