/* Local APIC in both modes, I/O APIC, timers, messages to oneself, non-maskable interrupts, paravirtual end. */
#include "kernel.h"

#define APIC 0xfee00000ull
#define IOAPIC 0xfec00000ull
#define APIC_BASE 0x1b
#define ENABLED 0x800
#define X2 0x400

enum { ID = 0x20, VERSION = 0x30, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ISR = 0x100,
       TMR = 0x180, IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR_HIGH = 0x310, LVT_TIMER = 0x320, LINT0 = 0x350, LINT1 = 0x360,
       LVT_ERROR = 0x370, INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0 };

static volatile int count;
static volatile int order[16];
static int x2;

static u32 apic_read(u32 reg)
{
	return x2 ? (u32) rdmsr(0x800 + reg / 16) : *(volatile u32 *) (APIC + reg);
}

static void apic_write(u32 reg, u32 value)
{
	if (x2)
		wrmsr(0x800 + reg / 16, value);
	else
		*(volatile u32 *) (APIC + reg) = value;
}

static void message(u32 low)
{
	if (x2) {
		wrmsr(0x830, low);
	} else {
		apic_write(ICR_HIGH, 0);
		apic_write(ICR, low);
	}
}

static int bit(u32 reg, int vector)
{
	return apic_read(reg + (vector >> 5) * 16) >> (vector & 31) & 1;
}

static void counted(struct frame *frame)
{
	if (count < 16)
		order[count] = frame->vector;
	count++;
	apic_write(EOI, 0);
}

static void nested(struct frame *frame)
{
	if (count < 16)
		order[count] = frame->vector;
	count++;
	sti();
	for (volatile int i = 0; i < 100; i++)
		;
	cli();
	apic_write(EOI, 0);
}

static void wait_some(void)
{
	sti();
	for (volatile int i = 0; i < 1000; i++)
		;
	cli();
}

static int wait_for(int wanted)
{
	u64 end = rdtsc() + 2000000000ull;
	sti();
	while (count < wanted && rdtsc() < end)
		pause();
	cli();
	return count;
}

static void registers(void)
{
	section(x2 ? "x2APIC" : "local APIC");
	CHECK_EQUAL(apic_read(ID), 0);
	CHECK(apic_read(VERSION) >> 16 >= 5);
	CHECK_EQUAL(apic_read(VERSION) & 0xf0, 0x10);
	apic_write(SVR, 0x1ff);
	CHECK_EQUAL(apic_read(SVR) & 0x1ff, 0x1ff);
	apic_write(TPR, 0x50);
	CHECK_EQUAL(READ_CR(8), 5);
	WRITE_CR(8, 3);
	CHECK_EQUAL(apic_read(TPR), 0x30);
	WRITE_CR(8, 0);

	/* To oneself, held back by IF, delivered by STI but not in its shadow. */
	handlers[0x60] = counted;
	count = 0;
	message(0x40060);
	CHECK_EQUAL(bit(IRR, 0x60), 1);
	CHECK_EQUAL(count, 0);
	wait_some();
	CHECK_EQUAL(count, 1);
	CHECK_EQUAL(bit(IRR, 0x60), 0);
	CHECK_EQUAL(bit(ISR, 0x60), 0);
	count = 0;
	message(0x40060);
	asm volatile("sti; cli" : : : "memory");
	CHECK_EQUAL(count, 0);
	asm volatile("sti; nop; cli" : : : "memory");
	CHECK_EQUAL(count, 1);

	/* By priority: the higher class first, and while one runs only higher ones. */
	handlers[0x61] = handlers[0x71] = handlers[0x81] = nested;
	count = 0;
	message(0x40061);
	message(0x40071);
	message(0x40060);
	wait_some();
	CHECK_EQUAL(count, 3);
	CHECK_EQUAL(order[0], 0x71);
	CHECK_EQUAL(order[1], 0x61);
	CHECK_EQUAL(order[2], 0x60);
	/* The task priority holds its class and those below back. */
	WRITE_CR(8, 7);
	count = 0;
	message(0x40071);
	message(0x40060);
	wait_some();
	CHECK_EQUAL(count, 0);
	CHECK_EQUAL(apic_read(PPR), 0x70);
	WRITE_CR(8, 6);
	wait_some();
	CHECK_EQUAL(count, 1);
	WRITE_CR(8, 0);
	wait_some();
	CHECK_EQUAL(count, 2);

	/* Vectors below 16 are errors. */
	apic_write(ESR, 0);
	message(0x40005);
	apic_write(ESR, 0);
	CHECK(apic_read(ESR) & 0x60);
	apic_write(ESR, 0);

	/* Physical and logical destinations, all, all but oneself. */
	count = 0;
	message(0x00060);
	wait_some();
	CHECK_EQUAL(count, 1);
	message(0x80060);
	wait_some();
	CHECK_EQUAL(count, 2);
	message(0xc0060);
	wait_some();
	CHECK_EQUAL(count, 2);
}

static int nmis;
static void nmi(struct frame *frame)
{
	nmis++;
	/* Blocked until IRET. */
	if (nmis == 1) {
		message(0x40400);
		for (volatile int i = 0; i < 100; i++)
			;
		CHECK_EQUAL(nmis, 1);
	}
}

static void non_maskable(void)
{
	section("non-maskable interrupts");
	handlers[NMI] = nmi;
	nmis = 0;
	cli();
	message(0x40400);
	for (volatile int i = 0; i < 100; i++)
		;
	CHECK_EQUAL(nmis, 2);
	handlers[NMI] = 0;
}

static void timer(void)
{
	section("APIC timer");
	handlers[0x70] = counted;
	apic_write(DIVIDE, 0xb);
	count = 0;
	apic_write(LVT_TIMER, 0x70);
	apic_write(INITIAL, 100000);
	CHECK(apic_read(CURRENT) <= 100000);
	CHECK_EQUAL(wait_for(1), 1);
	CHECK_EQUAL(apic_read(CURRENT), 0);
	wait_some();
	CHECK_EQUAL(count, 1);
	/* Masked: counts, but nothing comes. */
	apic_write(LVT_TIMER, 0x10070);
	apic_write(INITIAL, 1000);
	while (apic_read(CURRENT))
		;
	wait_some();
	CHECK_EQUAL(count, 1);
	/* Periodic. */
	apic_write(LVT_TIMER, 0x20070);
	apic_write(INITIAL, 500000);
	CHECK(wait_for(6) >= 6);
	apic_write(INITIAL, 0);
	apic_write(LVT_TIMER, 0x10070);
	wait_some();
	count = 0;
	wait_some();
	CHECK_EQUAL(count, 0);
	/* The divider: 16 times slower. Never early; late as the host has it, so there are several tries. */
	struct cpuid rates = cpuid(0x40000010, 0);
	int alike = 0;
	for (int i = 0; i < 20 && !alike; i++) {
		u64 length[2];
		for (int divided = 0; divided < 2; divided++) {
			count = 0;
			apic_write(DIVIDE, divided ? 3 : 0xb);
			apic_write(LVT_TIMER, 0x70);
			u64 start = rdtsc();
			apic_write(INITIAL, divided ? 100000 : 1600000);
			CHECK_EQUAL(wait_for(1), 1);
			length[divided] = rdtsc() - start;
			CHECK(length[divided] >= 1600000ull * rates.a / rates.b);
		}
		alike = length[0] < 2 * length[1] && length[1] < 2 * length[0];
	}
	CHECK(alike);
	apic_write(DIVIDE, 0xb);
	/* HLT waits for it, and with IF set only behind STI. */
	count = 0;
	apic_write(INITIAL, 1000000);
	asm volatile("sti; hlt; cli" : : : "memory");
	CHECK_EQUAL(count, 1);

	if (!(cpuid(1, 0).c >> 24 & 1))
		return;
	section("TSC deadline");
	apic_write(LVT_TIMER, 0x40070);
	asm volatile("mfence");
	count = 0;
	u64 deadline = rdtsc() + 2000000;
	wrmsr(0x6e0, deadline);
	CHECK(rdmsr(0x6e0) == deadline || count);
	CHECK_EQUAL(wait_for(1), 1);
	CHECK(rdtsc() >= deadline);
	CHECK_EQUAL(rdmsr(0x6e0), 0);
	/* One in the past is at once; 0 disarms. */
	wrmsr(0x6e0, 1);
	CHECK_EQUAL(wait_for(2), 2);
	wrmsr(0x6e0, rdtsc() + 3000000);
	wrmsr(0x6e0, 0);
	u64 end = rdtsc() + 20000000;
	sti();
	while (rdtsc() < end)
		pause();
	cli();
	CHECK_EQUAL(count, 2);
	apic_write(LVT_TIMER, 0x10070);
	wrmsr(0x6e0, rdtsc() + 1000000);
	CHECK_EQUAL(rdmsr(0x6e0), 0);
}

static u32 io_read(u32 reg)
{
	*(volatile u32 *) IOAPIC = reg;
	return *(volatile u32 *) (IOAPIC + 0x10);
}

static void io_write(u32 reg, u32 value)
{
	*(volatile u32 *) IOAPIC = reg;
	*(volatile u32 *) (IOAPIC + 0x10) = value;
}

static void redirect(int pin, u32 low)
{
	io_write(0x10 + 2 * pin, low);
	io_write(0x11 + 2 * pin, 0);
}

static void line(int number, int level)
{
	outb(0x2000 + number, level);
}

static int lowered;
static void level_handler(struct frame *frame)
{
	if (count < 16)
		order[count] = frame->vector;
	count++;
	/* Lowered by the second only: the first end of interrupt finds the line up and delivers again. */
	if (count == 2) {
		line(14, 0);
		lowered = 1;
	}
	CHECK_EQUAL(io_read(0x10 + 2 * 14) >> 14 & 1, 1);
	CHECK_EQUAL(bit(TMR, 0x78), 1);
	apic_write(EOI, 0);
}

static void io_apic(void)
{
	section("I/O APIC");
	CHECK_EQUAL(io_read(1) >> 16 & 0xff, 23);
	io_write(0, 0x0f000000);
	CHECK_EQUAL(io_read(0), 0x0f000000);
	io_write(0, 0);
	*(volatile u8 *) IOAPIC = 1;
	CHECK_EQUAL(*(volatile u8 *) IOAPIC, 1);

	handlers[0x76] = handlers[0x77] = counted;
	handlers[0x78] = level_handler;
	/* Edges. */
	redirect(14, 0x76);
	count = 0;
	line(14, 1);
	line(14, 0);
	wait_some();
	CHECK_EQUAL(count, 1);
	line(14, 1);
	line(14, 0);
	line(14, 1);
	line(14, 0);
	wait_some();
	CHECK_EQUAL(count, 2);
	/* Masked edges are lost. */
	redirect(14, 0x10076);
	line(14, 1);
	line(14, 0);
	redirect(14, 0x76);
	wait_some();
	CHECK_EQUAL(count, 2);
	/* Two at once, the higher vector first. */
	redirect(15, 0x87);
	handlers[0x87] = counted;
	count = 0;
	line(14, 1);
	line(15, 1);
	line(14, 0);
	line(15, 0);
	wait_some();
	CHECK_EQUAL(count, 2);
	CHECK_EQUAL(order[0], 0x87);
	CHECK_EQUAL(order[1], 0x76);

	section("level-triggered interrupts");
	redirect(14, 0x8078);
	count = 0;
	lowered = 0;
	line(14, 1);
	wait_some();
	CHECK_EQUAL(count, 2);
	CHECK(lowered);
	CHECK_EQUAL(io_read(0x10 + 2 * 14) >> 14 & 1, 0);
	/* Raised while masked, delivered when unmasked. */
	redirect(14, 0x18078);
	count = 0;
	line(14, 1);
	wait_some();
	CHECK_EQUAL(count, 0);
	redirect(14, 0x8078);
	wait_some();
	CHECK_EQUAL(count, 2);
	redirect(14, 0x10000);
}

static void legacy(void)
{
	section("8259A through LINT0");
	outb(0x20, 0x11); outb(0xa0, 0x11);
	outb(0x21, 0x30); outb(0xa1, 0x38);
	outb(0x21, 4); outb(0xa1, 2);
	outb(0x21, 1); outb(0xa1, 1);
	/* Input 6 of the slave, through input 2 of the master. */
	outb(0x21, 0xfb); outb(0xa1, 0xbf);
	apic_write(LINT0, 0x700);
	extern void pic_handler(struct frame *);
	handlers[0x3e] = pic_handler;
	count = 0;
	line(14, 1);
	wait_some();
	CHECK_EQUAL(count, 1);
	line(14, 0);
	apic_write(LINT0, 0x10700);
	line(14, 1);
	wait_some();
	CHECK_EQUAL(count, 1);
	line(14, 0);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	apic_write(LINT0, 0x700);
}

void pic_handler(struct frame *frame)
{
	count++;
	outb(0xa0, 0x0b);
	CHECK_EQUAL(inb(0xa0), 0x40);
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

static void modes(void)
{
	section("APIC base and its modes");
	u64 base = rdmsr(APIC_BASE);
	CHECK_EQUAL(base & 0x100, 0x100);
	CHECK_EQUAL(base & ENABLED, ENABLED);
	CHECK_EQUAL(try_wrmsr(APIC_BASE, base | 1), GP);
	CHECK_EQUAL(try_wrmsr(APIC_BASE, base | 1ull << 52), GP);
	CHECK_EQUAL(try_wrmsr(APIC_BASE, (base & ~(u64) ENABLED) | X2), GP);
	CHECK_EQUAL(try_rdmsr(0x802), GP);
	/* Off: CPUID says so, and the registers are gone. */
	wrmsr(APIC_BASE, base & ~(u64) ENABLED);
	CHECK_EQUAL(cpuid(1, 0).d >> 9 & 1, 0);
	wrmsr(APIC_BASE, base);
	CHECK_EQUAL(cpuid(1, 0).d >> 9 & 1, 1);
	apic_write(SVR, 0x1ff);
}

static void x2_mode(void)
{
	u64 base = rdmsr(APIC_BASE);
	if (!(cpuid(1, 0).c >> 21 & 1))
		return;
	CHECK_EQUAL(try_wrmsr(APIC_BASE, base | X2), NONE);
	x2 = 1;
	/* No way back but through off. */
	CHECK_EQUAL(try_wrmsr(APIC_BASE, base), GP);
	registers();
	section("x2APIC registers");
	CHECK_EQUAL(rdmsr(0x80d), 1);
	CHECK_EQUAL(try_wrmsr(0x80d, 1), GP);
	CHECK_EQUAL(try_wrmsr(0x802, 1), GP);
	CHECK_EQUAL(try_wrmsr(0x803, 1), GP);
	CHECK_EQUAL(try_rdmsr(0x80e), GP);
	CHECK_EQUAL(try_rdmsr(0x831), GP);
	CHECK_EQUAL(try_rdmsr(0x80b), GP);
	CHECK_EQUAL(try_wrmsr(0x80b, 1), GP);
	CHECK_EQUAL(try_wrmsr(0x808, 0x100), GP);
	CHECK_EQUAL(try_wrmsr(0x828, 1), GP);
	CHECK_EQUAL(try_wrmsr(0x80f, 1ull << 32), GP);
	CHECK_EQUAL(try_rdmsr(0x83f), GP);
	count = 0;
	wrmsr(0x83f, 0x60);
	wait_some();
	CHECK_EQUAL(count, 1);
	CHECK_EQUAL(try_wrmsr(0x83f, 0x160), GP);
	/* 32-bit destinations. */
	wrmsr(0x830, 0x60);
	wait_some();
	CHECK_EQUAL(count, 2);
	wrmsr(0x830, 0xffffffffull << 32 | 0x60);
	wait_some();
	CHECK_EQUAL(count, 3);
	wrmsr(0x830, 5ull << 32 | 0x60);
	wait_some();
	CHECK_EQUAL(count, 3);
	timer();
	non_maskable();

	section("paravirtual end of interrupt");
	if (cpuid(0x40000000, 0).b == 0x4b4d564b && cpuid(0x40000001, 0).a >> 6 & 1) {
		static volatile u32 flag;
		extern void flag_handler(struct frame *);
		extern volatile u32 *paravirtual_flag;
		paravirtual_flag = &flag;
		handlers[0x62] = flag_handler;
		CHECK_EQUAL(try_wrmsr(0x4b564d04, (u64) &flag | 1), NONE);
		count = 0;
		message(0x40062);
		wait_some();
		CHECK_EQUAL(count, 1);
		message(0x40062);
		wait_some();
		CHECK_EQUAL(count, 2);
		CHECK_EQUAL(bit(ISR, 0x62), 0);
		wrmsr(0x4b564d04, 0);
		message(0x40060);
		wait_some();
		CHECK_EQUAL(count, 3);
	}
}

volatile u32 *paravirtual_flag;
void flag_handler(struct frame *frame)
{
	count++;
	u8 ended;
	asm volatile("lock; btrl $0, %1; setc %0" : "=q"(ended), "+m"(*paravirtual_flag));
	if (!ended)
		apic_write(EOI, 0);
}

void kernel_main(void)
{
	modes();
	registers();
	timer();
	non_maskable();
	io_apic();
	legacy();
	x2_mode();
}
