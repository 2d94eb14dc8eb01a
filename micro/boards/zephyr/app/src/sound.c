/* From a PDM microphone through the network to I2S. Button sw0 switches the bypass; LED led0 is on for
 * a second after sound was lost. `groupcomm stats` prints the counters.
 *
 * One thread does everything but the shell, hop by hop. Both drivers have blocks of one hop for DMA,
 * enough for a hop that takes almost twice its time. */
#include <zephyr/audio/dmic.h>
#include <zephyr/drivers/gpio.h>
#include <zephyr/drivers/i2s.h>
#include <zephyr/kernel.h>
#include <zephyr/shell/shell.h>
#include <zephyr/sys/printk.h>

#include "clock.h"
#include "micro/boards/package/package.h"

/* Both clocks must be the same, or a hop is lost now and then. The nRF5340 has a clock for audio. The
 * nRF52840 divides 32 MHz by integers: with these two rates, the drivers choose 32 MHz / 31 / 64 for
 * PDM and for I2S, 0.8 % above 16 kHz. */
#ifdef CONFIG_SOC_NRF52840
#define PDM_RATE 16125
#define I2S_RATE 16129
#else
#define PDM_RATE GROUPCOMM_SAMPLE_RATE
#define I2S_RATE GROUPCOMM_SAMPLE_RATE
#endif

#define HOP_BYTES (GROUPCOMM_HOP * sizeof(int16_t))
#define STEREO_BYTES (2 * HOP_BYTES)
#define BLOCKS 4
#define BLOCKS_AHEAD 2 /* of silence in the queue of I2S at the start */
#define TIMEOUT_MS 100
#define LED_HOPS (GROUPCOMM_SAMPLE_RATE / GROUPCOMM_HOP)

K_MEM_SLAB_DEFINE_STATIC(in_blocks, HOP_BYTES, BLOCKS, 4);
K_MEM_SLAB_DEFINE_STATIC(out_blocks, STEREO_BYTES, BLOCKS, 4);

static const struct device* const microphone = DEVICE_DT_GET(DT_CHOSEN(groupcomm_microphone));
static const struct device* const speaker = DEVICE_DT_GET(DT_CHOSEN(groupcomm_speaker));
static const struct gpio_dt_spec button = GPIO_DT_SPEC_GET(DT_ALIAS(sw0), gpios);
static const struct gpio_dt_spec led = GPIO_DT_SPEC_GET(DT_ALIAS(led0), gpios);

/* Only the thread of the sound writes them; the shell reads them. */
static struct {
  volatile uint32_t hops, late, overruns, underruns, failures, worst_cycles, cycles_per_hop;
  volatile bool bypass;
} stats;

static int print_stats(const struct shell* sh, size_t argc, char** argv) {
  ARG_UNUSED(argc);
  ARG_UNUSED(argv);
  shell_print(sh, "hops %u, late %u, overruns %u, underruns %u, failures %u", stats.hops,
              stats.late, stats.overruns, stats.underruns, stats.failures);
  shell_print(sh, "worst hop %u of %u cycles, bypass %s", stats.worst_cycles, stats.cycles_per_hop,
              stats.bypass ? "on" : "off");
  return 0;
}

SHELL_STATIC_SUBCMD_SET_CREATE(commands, SHELL_CMD(stats, NULL, "Print the counters.", print_stats),
                               SHELL_SUBCMD_SET_END);
SHELL_CMD_REGISTER(groupcomm, &commands, "GroupComm", NULL);

static int configure(void) {
  struct pcm_stream_cfg stream = {
      .pcm_rate = PDM_RATE, .pcm_width = 16, .block_size = HOP_BYTES, .mem_slab = &in_blocks};
  struct dmic_cfg in = {.io = {.min_pdm_clk_freq = 1000000,
                               .max_pdm_clk_freq = 3250000,
                               .min_pdm_clk_dc = 40,
                               .max_pdm_clk_dc = 60},
                        .streams = &stream,
                        .channel = {.req_chan_map_lo = dmic_build_channel_map(0, 0, PDM_CHAN_LEFT),
                                    .req_num_chan = 1,
                                    .req_num_streams = 1}};
  const struct i2s_config out = {.word_size = 16,
                                 .channels = 2,
                                 .format = I2S_FMT_DATA_FORMAT_I2S,
                                 .options = I2S_OPT_BIT_CLK_MASTER | I2S_OPT_FRAME_CLK_MASTER,
                                 .frame_clk_freq = I2S_RATE,
                                 .mem_slab = &out_blocks,
                                 .block_size = STEREO_BYTES,
                                 .timeout = TIMEOUT_MS};
  if (!device_is_ready(microphone) || !device_is_ready(speaker) || !gpio_is_ready_dt(&button) ||
      !gpio_is_ready_dt(&led))
    return -ENODEV;
  int failed = gpio_pin_configure_dt(&button, GPIO_INPUT);
  if (failed == 0) failed = gpio_pin_configure_dt(&led, GPIO_OUTPUT_INACTIVE);
  if (failed == 0) failed = dmic_configure(microphone, &in);
  if (failed == 0) failed = i2s_configure(speaker, I2S_DIR_TX, &out);
  return failed;
}

/* Queues a hop for I2S, and returns whether that was possible. Without sound, it is silence. */
static bool play(const int16_t* sound /* (sources, hop) or null */) {
  void* block;
  if (k_mem_slab_alloc(&out_blocks, &block, K_NO_WAIT) != 0) return false;
  int16_t* out = block; /* (hop, 2) */
  for (int i = 0; i < GROUPCOMM_HOP; ++i) {
    out[2 * i] = sound == NULL ? 0 : sound[i];
    out[2 * i + 1] = sound == NULL ? 0 : sound[(GROUPCOMM_SOURCES - 1) * GROUPCOMM_HOP + i];
  }
  if (i2s_write(speaker, block, STEREO_BYTES) == 0) return true;
  k_mem_slab_free(&out_blocks, block);
  return false;
}

/* Starts I2S with some hops of silence ahead. */
static void start_speaker(void) {
  for (int i = 0; i < BLOCKS_AHEAD; ++i) play(NULL);
  i2s_trigger(speaker, I2S_DIR_TX, I2S_TRIGGER_START);
}

/* Switches the bypass when the button has been pressed for two hops, which ends its bouncing. */
static void read_button(groupcomm_state* state) {
  static int pressed; /* hops */
  pressed = gpio_pin_get_dt(&button) > 0 ? pressed + 1 : 0;
  if (pressed != 2) return;
  stats.bypass = !stats.bypass;
  groupcomm_set_bypass(state, stats.bypass);
}

/* Processes the next hop of the microphone, and returns whether all sound was in time. */
static bool process(groupcomm_state* state) {
  static int16_t sound[GROUPCOMM_SOURCES * GROUPCOMM_HOP]; /* (sources, hop) */
  void* in;
  size_t bytes;
  if (dmic_read(microphone, 0, &in, &bytes, TIMEOUT_MS) != 0) {
    /* the driver stops when it has no free block */
    ++stats.overruns;
    dmic_trigger(microphone, DMIC_TRIGGER_STOP);
    dmic_trigger(microphone, DMIC_TRIGGER_START);
    return false;
  }
  const uint32_t start = clock_cycles();
  if (groupcomm_process(state, in, sound) != GROUPCOMM_OK) ++stats.failures;
  const uint32_t took = clock_cycles() - start;
  k_mem_slab_free(&in_blocks, in);
  if (took > stats.worst_cycles) stats.worst_cycles = took;
  if (took > stats.cycles_per_hop) ++stats.late;
  if (stats.hops++ == 0) start_speaker();
  if (play(sound)) return took <= stats.cycles_per_hop;
  /* I2S ran out of sound (PREPARE), or did not start (DROP) */
  ++stats.underruns;
  if (i2s_trigger(speaker, I2S_DIR_TX, I2S_TRIGGER_PREPARE) != 0)
    i2s_trigger(speaker, I2S_DIR_TX, I2S_TRIGGER_DROP);
  start_speaker();
  return false;
}

int main(void) {
  const uint32_t clock_hz = clock_start();
  stats.cycles_per_hop = (uint32_t)((uint64_t)clock_hz * GROUPCOMM_HOP / I2S_RATE);
  groupcomm_state* const state = groupcomm_begin();
  if (state == NULL) {
    printk("%s\n", groupcomm_error());
    return -1;
  }
  const int failed = configure();
  if (failed != 0) {
    printk("microphone, loudspeaker, button or LED: error %d\n", failed);
    return failed;
  }
  int led_hops = 0; /* until the LED is off */
  dmic_trigger(microphone, DMIC_TRIGGER_START);
  for (;;) {
    led_hops = !process(state) ? LED_HOPS : led_hops > 0 ? led_hops - 1 : 0;
    gpio_pin_set_dt(&led, led_hops > 0);
    read_button(state);
  }
}
