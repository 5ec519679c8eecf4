/* Control registers, model-specific registers, CPUID and what hangs on it, time, hypercalls. */
#include "kernel.h"

#define NONCANONICAL 0x8000000000000000ull

static int has_nothing(u32 index)
{
	return try_rdmsr(index) == GP && fault.error == 0 && try_wrmsr(index, 0) == GP;
}

static void holds(u32 index, u64 value)
{
	u64 before = rdmsr(index);
	CHECK_EQUAL(try_wrmsr(index, value), NONE);
	CHECK_EQUAL(rdmsr(index), value);
	wrmsr(index, before);
}

static void model_specific_registers(void)
{
	section("model-specific registers");
	holds(0x174, 0x1234);
	holds(0x175, 0xffff800012345678ull);
	holds(0x176, 0x00007fff12345678ull);
	holds(0x277, 0x0007040600010406ull);
	holds(0xc0000100, 0xffff8000abcdef01ull);
	holds(0xc0000101, 0x00007fffabcdef01ull);
	holds(0xc0000102, 0xffffffffffffffffull);
	holds(0xc0000081, 0x0123456789abcdefull);
	holds(0xc0000082, 0xffff800000001234ull);
	holds(0xc0000083, 0xffff800000001234ull);
	holds(0xc0000084, 0xffffffffull);
	holds(0xc0000103, 0x89abcdefull);
	static const u32 addresses[] = {0x175, 0x176, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000082, 0xc0000083};
	for (u32 i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		CHECK_EQUAL(try_wrmsr(addresses[i], NONCANONICAL), GP);
		CHECK_EQUAL(try_wrmsr(addresses[i], 0x0001000000000000ull << 15), GP);
	}
	/* Memory types: 2 and 3 are reserved, and 8 and above. */
	CHECK_EQUAL(try_wrmsr(0x277, 0x0007040600010402ull), GP);
	CHECK_EQUAL(try_wrmsr(0x277, 0x0807040600010406ull), GP);
	CHECK_EQUAL(try_wrmsr(0xc0000080, rdmsr(0xc0000080) | 1 << 9), GP);
	/* LME can't be changed while paging is on. */
	CHECK_EQUAL(try_wrmsr(0xc0000080, rdmsr(0xc0000080) & ~0x100ull), GP);
	CHECK_EQUAL(rdmsr(0xc0000080) & 0x500, 0x500);
	CHECK(has_nothing(0x12345678));
	CHECK(has_nothing(0x40000000 + 0x3000));
	CHECK_EQUAL(try_rdmsr(0xfe), NONE);
	CHECK_EQUAL(try_wrmsr(0xfe, 0), GP);
	/* Address translation of what a program is given to: FS and GS bases by instruction. */
	if (cpuid(7, 0).b & 1) {
		CHECK_EQUAL(TRY0("rdfsbase %%r10"), UD);
		WRITE_CR(4, READ_CR(4) | 1 << 16);
		u64 value = 0xffff800012340000ull, read;
		CHECK_EQUAL(TRY("wrgsbase %1; rdgsbase %0", : "=r"(read) : "r"(value)), NONE);
		CHECK_EQUAL(read, value);
		CHECK_EQUAL(rdmsr(0xc0000101), value);
		CHECK_EQUAL(TRY("wrfsbase %0", : : "r"(NONCANONICAL)), GP);
		wrmsr(0xc0000102, 0x1111);
		asm volatile("swapgs");
		CHECK_EQUAL(rdmsr(0xc0000101), 0x1111);
		CHECK_EQUAL(rdmsr(0xc0000102), value);
		wrmsr(0xc0000101, 0);
		WRITE_CR(4, READ_CR(4) & ~(1ull << 16));
	}
}

static void control_registers(void)
{
	section("control registers");
	CHECK_EQUAL(TRY_CR(0, READ_CR(0) & ~1ull), GP);
	CHECK_EQUAL(TRY_CR(0, READ_CR(0) | 1ull << 32), GP);
	CHECK_EQUAL(TRY_CR(0, (READ_CR(0) | 1 << 29) & ~(1ull << 30)), GP);
	CHECK_EQUAL(TRY_CR(0, READ_CR(0) & ~(1ull << 31)), GP);
	CHECK_EQUAL(TRY_CR(4, READ_CR(4) & ~0x20ull), GP);
	CHECK_EQUAL(TRY_CR(4, READ_CR(4) | 1 << 24), GP);
	CHECK_EQUAL(TRY_CR(4, READ_CR(4) | 1ull << 40), GP);
	CHECK_EQUAL(TRY_CR(4, READ_CR(4) ^ 1 << 12), GP);
	CHECK_EQUAL(TRY_CR(3, READ_CR(3) | 1ull << 52), GP);
	CHECK_EQUAL(TRY_CR(8, 16), GP);
	CHECK_EQUAL(TRY_CR(8, 15), NONE);
	CHECK_EQUAL(READ_CR(8), 15);
	WRITE_CR(8, 0);
	CHECK_EQUAL(TRY0(".byte 0x0f, 0x20, 0xc8"), UD);
	CHECK_EQUAL(TRY0(".byte 0x0f, 0x22, 0xe8"), UD);
	/* LMSW sets PE and TS and can't clear PE. */
	u64 cr0 = READ_CR(0);
	asm volatile("lmsw %w0" : : "r"(8));
	CHECK_EQUAL(READ_CR(0), (cr0 & ~0xfull) | 9);
	WRITE_CR(0, cr0);
	u64 word;
	asm volatile("smsw %0" : "=r"(word));
	CHECK_EQUAL(word & 0xffffffff, cr0 & 0xffffffff);
	/* Features that CPUID doesn't have. */
	struct cpuid seven = cpuid(7, 0);
	struct cpuid one = cpuid(1, 0);
	/* With it, this kernel on its user pages would end at once. */
	if (!(seven.b >> 7 & 1))
		CHECK_EQUAL(TRY_CR(4, READ_CR(4) | 1 << 20), GP);
	CHECK_EQUAL(TRY_CR(4, READ_CR(4) | 1 << 11), seven.c >> 2 & 1 ? NONE : GP);
	CHECK_EQUAL(TRY_CR(4, READ_CR(4) | 1 << 22), seven.c >> 3 & 1 ? NONE : GP);
	CHECK_EQUAL(TRY_CR(4, READ_CR(4) | 1 << 13), one.c >> 5 & 1 ? NONE : GP);
	WRITE_CR(4, 0x620);

	section("process-context identifiers");
	if (one.c >> 17 & 1) {
		WRITE_CR(3, READ_CR(3) | 8);
		CHECK_EQUAL(TRY_CR(4, READ_CR(4) | 1 << 17), GP);
		WRITE_CR(3, READ_CR(3) & ~0xfffull);
		CHECK_EQUAL(TRY_CR(4, READ_CR(4) | 1 << 17), NONE);
		CHECK_EQUAL(TRY_CR(3, READ_CR(3) | 1ull << 63 | 0x123), NONE);
		CHECK_EQUAL(READ_CR(3) & 0xfff, 0x123);
		CHECK_EQUAL(READ_CR(3) >> 63, 0);
		WRITE_CR(3, READ_CR(3) & ~0xfffull);
		if (seven.b >> 10 & 1) {
			struct { u64 pcid, address; } descriptor = {0, 0}, wide = {0x1000, 0}, far = {0, NONCANONICAL};
			for (u64 type = 0; type < 4; type++)
				CHECK_EQUAL(TRY("invpcid %0, %1", : : "m"(descriptor), "r"(type)), NONE);
			CHECK_EQUAL(TRY("invpcid %0, %1", : : "m"(descriptor), "r"(4ull)), GP);
			CHECK_EQUAL(TRY("invpcid %0, %1", : : "m"(descriptor), "r"(-1ull)), GP);
			CHECK_EQUAL(TRY("invpcid %0, %1", : : "m"(wide), "r"(1ull)), GP);
			CHECK_EQUAL(TRY("invpcid %0, %1", : : "m"(far), "r"(0ull)), GP);
		}
		WRITE_CR(4, READ_CR(4) & ~(1ull << 17));
	} else {
		CHECK_EQUAL(TRY_CR(4, READ_CR(4) | 1 << 17), GP);
	}
}

static void extended_state(void)
{
	section("XSAVE");
	if (!(cpuid(1, 0).c >> 26 & 1))
		return;
	u32 low, high;
	CHECK_EQUAL(TRY("xgetbv", : "=a"(low), "=d"(high) : "c"(0)), UD);
	CHECK_EQUAL(cpuid(1, 0).c >> 27 & 1, 0);
	WRITE_CR(4, READ_CR(4) | 1 << 18);
	CHECK_EQUAL(cpuid(1, 0).c >> 27 & 1, 1);
	CHECK_EQUAL(TRY("xgetbv", : "=a"(low), "=d"(high) : "c"(0)), NONE);
	CHECK_EQUAL(low, 1);
	CHECK_EQUAL(TRY("xsetbv", : : "a"(3), "d"(0), "c"(0)), NONE);
	/* No x87 state, AVX without SSE, states that there aren't, registers that there aren't. */
	CHECK_EQUAL(TRY("xsetbv", : : "a"(2), "d"(0), "c"(0)), GP);
	CHECK_EQUAL(TRY("xsetbv", : : "a"(0), "d"(0), "c"(0)), GP);
	CHECK_EQUAL(TRY("xsetbv", : : "a"(5), "d"(0), "c"(0)), GP);
	CHECK_EQUAL(TRY("xsetbv", : : "a"(3), "d"(1u << 31), "c"(0)), GP);
	CHECK_EQUAL(TRY("xsetbv", : : "a"(3), "d"(0), "c"(1)), GP);
	struct cpuid state = cpuid(13, 0);
	CHECK_EQUAL(state.a & 3, 3);
	CHECK_EQUAL(state.b, 576);
	CHECK(state.c >= 576);
	CHECK_EQUAL(TRY("xsetbv", : : "a"(state.a), "d"(state.d), "c"(0)), NONE);
	CHECK_EQUAL(TRY("xsetbv", : : "a"(3), "d"(0), "c"(0)), NONE);
	static u8 area[4096] __attribute__((aligned(64)));
	memory_set(area, 0xaa, sizeof area);
	memory_set(area + 512, 0, 64);
	asm volatile("fninit; fld1; pcmpeqd %%xmm3, %%xmm3; xsave %0; fninit" : "=m"(area) : "a"(3), "d"(0));
	CHECK_EQUAL(*(u64 *) (area + 512), 3);
	CHECK_EQUAL(*(u64 *) (area + 160 + 48), -1ull);
	asm volatile("pxor %%xmm3, %%xmm3; xrstor %0" : : "m"(area), "a"(2), "d"(0));
	u64 value;
	asm volatile("movq %%xmm3, %0" : "=r"(value));
	CHECK_EQUAL(value, -1ull);
	/* Components that the header says are in their initial configuration. */
	*(u64 *) (area + 512) = 0;
	asm volatile("xrstor %0; movq %%xmm3, %1" : "+m"(area), "=r"(value) : "a"(3), "d"(0));
	CHECK_EQUAL(value, 0);
	*(u64 *) (area + 520) = 1;
	CHECK_EQUAL(TRY("xrstor %0", : : "m"(area), "a"(3), "d"(0)), GP);
	*(u64 *) (area + 520) = 0;
	*(u64 *) (area + 512) = 1ull << 40;
	CHECK_EQUAL(TRY("xrstor %0", : : "m"(area), "a"(3), "d"(0)), GP);
	CHECK_EQUAL(TRY("xsave 8(%0)", : : "r"(area), "a"(3), "d"(0)), GP);
	WRITE_CR(4, READ_CR(4) & ~(1ull << 18));
	CHECK_EQUAL(TRY("xsave %0", : "=m"(area) : "a"(3), "d"(0)), UD);
}

static void time(void)
{
	section("time-stamp counter");
	u64 before = rdtsc();
	int backwards = 0;
	for (int i = 0; i < 10000; i++) {
		u64 now = rdtsc();
		backwards |= now < before;
		before = now;
	}
	CHECK(!backwards);
	CHECK_EQUAL(try_wrmsr(0x10, 1ull << 40), NONE);
	CHECK(rdtsc() - (1ull << 40) < 1ull << 36);
	if (cpuid(7, 0).b >> 1 & 1) {
		wrmsr(0x3b, 0);
		wrmsr(0x10, 0);
		CHECK(rdmsr(0x3b) >> 63);
		wrmsr(0x3b, 1ull << 42);
		u64 with = rdtsc();
		wrmsr(0x3b, 0);
		CHECK(with > rdtsc());
	}
	if (cpuid(0x80000001, 0).d >> 27 & 1) {
		wrmsr(0xc0000103, 0x5a5a);
		u32 a, d, c;
		asm volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(c));
		CHECK_EQUAL(c, 0x5a5a);
	}
	WRITE_CR(4, READ_CR(4) | 4);
	u32 low, high;
	CHECK_EQUAL(TRY("rdtsc", : "=a"(low), "=d"(high) :), NONE);
	WRITE_CR(4, READ_CR(4) & ~4ull);
	CHECK_EQUAL(TRY("rdpmc", : : "c"(0x7fffffff), "a"(0), "d"(0)), GP);

	section("paravirtual clock");
	struct cpuid signature = cpuid(0x40000000, 0);
	if (signature.b != 0x4b4d564b || signature.c != 0x564b4d56 || signature.d != 0x4d)
		return;
	struct clock {
		u32 version, pad;
		u64 tsc, nanoseconds;
		u32 multiplier;
		signed char shift;
		u8 flags, pad2[2];
	};
	static volatile struct clock clock __attribute__((aligned(64)));
	if (cpuid(0x40000001, 0).a >> 3 & 1) {
		CHECK_EQUAL(try_wrmsr(0x4b564d01, (u64) &clock | 1), NONE);
		CHECK_EQUAL(rdmsr(0x4b564d01), (u64) &clock | 1);
		CHECK(clock.version != 0 && clock.version % 2 == 0);
		CHECK(clock.multiplier != 0);
		wrmsr(0x4b564d01, 0);
		static volatile u32 wall[3] __attribute__((aligned(16)));
		CHECK_EQUAL(try_wrmsr(0x4b564d00, (u64) wall), NONE);
		CHECK(wall[0] % 2 == 0 && wall[1] > 1700000000u);
	}
}

static void instructions(void)
{
	section("CPUID and what it promises");
	struct cpuid zero = cpuid(0, 0), one = cpuid(1, 0), seven = cpuid(7, 0), extended = cpuid(0x80000001, 0);
	CHECK(zero.a >= 13);
	CHECK(one.c >> 31);
	/* x86-64-v2. */
	CHECK_EQUAL(one.c & 0x00982201, 0x00982201);
	CHECK_EQUAL(extended.c & 1, 1);
	CHECK_EQUAL(extended.d & 0x20100800, 0x20100800);
	/* The highest basic leaf stands in for those above it. */
	CHECK_EQUAL(cpuid(zero.a + 1, 0).a, cpuid(zero.a, 0).a);
	CHECK_EQUAL(cpuid(0x8fffffff, 0).a, cpuid(zero.a, 0).a);
	u64 r;
	CHECK_EQUAL(TRY("rdrand %0", : "=r"(r) :), one.c >> 30 & 1 ? NONE : UD);
	CHECK_EQUAL(TRY("rdseed %0", : "=r"(r) :), seven.b >> 18 & 1 ? NONE : UD);
	CHECK_EQUAL(TRY("xbegin 2f; xend; 2:", : : ), seven.b >> 11 & 1 ? NONE : UD);
	CHECK_EQUAL(TRY0("vzeroupper"), UD);
	CHECK_EQUAL(TRY("clflushopt %0", : "+m"(r) :), seven.b >> 23 & 1 ? NONE : UD);
	CHECK_EQUAL(TRY("clwb %0", : "+m"(r) :), seven.b >> 24 & 1 ? NONE : UD);
	CHECK_EQUAL(TRY("clflush %0", : "+m"(r) :), NONE);
	CHECK_EQUAL(TRY0("mfence; lfence; sfence; pause; endbr64; prefetcht0 0"), NONE);
	CHECK_EQUAL(TRY0(".byte 0x66, 0x0f, 0xae, 0xf8"), UD);
	CHECK_EQUAL(TRY0("monitor"), one.c >> 3 & 1 ? NONE : UD);
	CHECK_EQUAL(TRY0("vmxoff"), UD);
	CHECK_EQUAL(TRY0("vmread %%r10, %%r10"), UD);
	CHECK_EQUAL(TRY0(".byte 0x0f, 0x01, 0xd8"), extended.c >> 2 & 1 ? GP : UD);
	CHECK_EQUAL(TRY0("rsm"), UD);
	CHECK_EQUAL(TRY0("ud1 %%rax, %%rax"), UD);
	CHECK_EQUAL(TRY0("getsec"), one.c >> 6 & 1 ? GP : UD);
	CHECK_EQUAL(TRY0("wbinvd; invd"), NONE);

	section("hypercalls");
	/* One that there isn't: -1000, as KVM answers (Documentation/virt/kvm/x86/hypercalls.rst). */
	u64 answer = 0;
	if (cpuid(0x40000000, 0).b == 0x4b4d564b) {
		CHECK_EQUAL(TRY("vmcall", : "=a"(answer) : "a"(0x7fffffffull)), NONE);
		CHECK_EQUAL(answer, (u64) -1000);
		CHECK_EQUAL(TRY("vmmcall", : "=a"(answer) : "a"(0x7fffffffull)), NONE);
		CHECK_EQUAL(answer, (u64) -1000);
	} else {
		CHECK_EQUAL(TRY("vmcall", : "=a"(answer) : "a"(0x7fffffffull)), UD);
	}
}

void kernel_main(void)
{
	model_specific_registers();
	control_registers();
	extended_state();
	time();
	instructions();
}
