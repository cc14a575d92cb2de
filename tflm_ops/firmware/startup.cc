// Start of a program on QEMU's `mps2-an386`, a Cortex-M4 with FPU. What follows
// Reset is newlib's own start code for semihosting, rdimon-crt0.o.

#include <cstdint>

extern "C" {

extern uint32_t __StackTop;

[[noreturn]] void _start();

// What rdimon-crt0.o asks for; constructors are in .init_array.
void _init() {}
void _fini() {}

[[noreturn]] void Reset_Handler() {
  // Coprocessor access control register: full access to the FPU.
  *reinterpret_cast<volatile uint32_t*>(0xE000ED88) |= 0xFu << 20;
  asm volatile("dsb\n\tisb");
  _start();
}

// Ends the emulation: with semihosting on, QEMU refuses this breakpoint.
[[noreturn]] static void Fault() {
  for (;;) asm volatile("bkpt 0");
}

[[gnu::section(".vectors"), gnu::used]] void* const kVectors[] = {
    &__StackTop,
    reinterpret_cast<void*>(Reset_Handler),
    reinterpret_cast<void*>(Fault),  // Non-maskable interrupt.
    reinterpret_cast<void*>(Fault),  // Hard fault.
    reinterpret_cast<void*>(Fault),  // Memory management fault.
    reinterpret_cast<void*>(Fault),  // Bus fault.
    reinterpret_cast<void*>(Fault),  // Usage fault.
};

}  // extern "C"
