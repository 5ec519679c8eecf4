/* Exceptions and interrupts of every kind, with what they push, at both privilege levels. */
#include "kernel.h"

#define NONCANONICAL 0x8000000000000000ull
#define UNMAPPED 0x100000000ull

static volatile int count;
static volatile u64 last_rip, last_rsp, last_flags, last_dr6, last_cs;
static u8 other_stack[4096] __attribute__((aligned(16)));
static u64 scratch[8];

static void note(struct frame *frame)
{
	count++;
	last_rip = frame->rip;
	last_rsp = (u64) frame;
	last_flags = frame->rflags;
	last_cs = frame->cs;
}

static void plain(void)
{
	section("exceptions and their error codes");
	CHECK_EQUAL(TRY0("ud2"), UD);
	CHECK_EQUAL(fault.error, 0);
	CHECK_EQUAL(TRY("div %0", : : "r"(0ull), "a"(1ull), "d"(0ull)), DE);
	CHECK_EQUAL(TRY("div %0", : : "r"(1ull), "a"(1ull), "d"(1ull)), DE);
	CHECK_EQUAL(TRY("idiv %b0", : : "r"(-1), "a"(0x8000)), DE);
	CHECK_EQUAL(TRY0("int3"), BP);
	/* A trap: behind the instruction. */
	CHECK_EQUAL(*(u8 *) (fault.rip - 1), 0xcc);
	CHECK_EQUAL(TRY0("int $4"), OF);
	CHECK_EQUAL(TRY("mov (%0), %%r10", : : "r"(UNMAPPED)), PF);
	CHECK_EQUAL(fault.error, 0);
	CHECK_EQUAL(fault.address, UNMAPPED);
	CHECK_EQUAL(TRY("mov %%r10, 8(%0)", : : "r"(UNMAPPED)), PF);
	CHECK_EQUAL(fault.error, 2);
	CHECK_EQUAL(fault.address, UNMAPPED + 8);
	/* The second half of an access across the end of what is mapped. */
	CHECK_EQUAL(TRY("mov %%r10, (%0)", : : "r"(UNMAPPED - 4)), PF);
	CHECK_EQUAL(fault.address, UNMAPPED);
	CHECK_EQUAL(TRY("mov (%0), %%r10", : : "a"(NONCANONICAL)), GP);
	CHECK_EQUAL(fault.error, 0);
	u64 rbp;
	asm volatile("mov %%rbp, %0" : "=r"(rbp));
	CHECK_EQUAL(TRY("xchg %0, %%rbp; push (%%rbp); xchg %0, %%rbp", : : "r"(0x800000000000ull)), SS);
	asm volatile("mov %0, %%rbp" : : "r"(rbp));
	CHECK_EQUAL(TRY("jmp *%0", : : "r"(NONCANONICAL)), GP);
	CHECK_EQUAL(TRY("mov %0, %%ds", : : "r"(0x3f8)), GP);
	CHECK_EQUAL(fault.error, 0x3f8);
	CHECK_EQUAL(TRY("mov %0, %%ds", : : "r"(FREE_SELECTOR | 3)), GP);
	CHECK_EQUAL(fault.error, FREE_SELECTOR);
	set_descriptor(FREE_SELECTOR, 0, 0xfffff, 0xc013);
	CHECK_EQUAL(TRY("mov %0, %%es", : : "r"(FREE_SELECTOR)), NP);
	CHECK_EQUAL(fault.error, FREE_SELECTOR);
	CHECK_EQUAL(TRY("mov %0, %%ss", : : "r"(FREE_SELECTOR)), SS);
	CHECK_EQUAL(fault.error, FREE_SELECTOR);
	gdt[FREE_SELECTOR >> 3] = 0;
	CHECK_EQUAL(TRY("ltr %w0", : : "r"(KERNEL_DATA)), GP);
	CHECK_EQUAL(TRY("lldt %w0", : : "r"(TASK)), GP);
	CHECK_EQUAL(TRY("lldt %w0", : : "r"(0)), NONE);
	/* Instructions that 64-bit mode doesn't have. */
	CHECK_EQUAL(TRY0(".byte 0x37"), UD);
	CHECK_EQUAL(TRY0(".byte 0x06"), UD);
	CHECK_EQUAL(TRY0(".byte 0x60"), UD);
	CHECK_EQUAL(TRY0(".byte 0xce"), UD);
	CHECK_EQUAL(TRY0(".byte 0xd4, 10"), UD);
	CHECK_EQUAL(TRY0(".byte 0x9a, 0, 0, 0, 0, 8, 0"), UD);
	CHECK_EQUAL(TRY0(".byte 0xf0, 0x90"), UD);
	CHECK_EQUAL(TRY("lock; mov %0, %1", : : "r"(0), "m"(scratch[0])), UD);
	CHECK_EQUAL(TRY("lock; incl %0", : "+m"(scratch[0]) :), NONE);
	CHECK_EQUAL(TRY0(".byte 0xf0, 0xff, 0xc0"), UD);
	/* Longer than 15 bytes. */
	CHECK_EQUAL(TRY0(".rept 15; .byte 0x66; .endr; nop"), GP);
	CHECK_EQUAL(TRY0(".rept 14; .byte 0x66; .endr; nop"), NONE);
	/* Alignment: MOVAPS, CMPXCHG16B. */
	CHECK_EQUAL(TRY("movaps (%0), %%xmm0", : : "r"((u64) scratch | 8)), GP);
	CHECK_EQUAL(TRY("cmpxchg16b (%0)", : : "r"((u64) scratch | 8), "a"(0), "b"(0), "c"(0), "d"(0)), GP);
	/* The unit is somebody else's. */
	WRITE_CR(0, READ_CR(0) | 8);
	CHECK_EQUAL(TRY0("fnop"), NM);
	CHECK_EQUAL(TRY0("xorps %%xmm0, %%xmm0"), NM);
	CHECK_EQUAL(TRY0("wait"), NM);
	asm volatile("clts");
	WRITE_CR(0, READ_CR(0) | 4);
	CHECK_EQUAL(TRY0("fnop"), NM);
	CHECK_EQUAL(TRY0("xorps %%xmm0, %%xmm0"), UD);
	WRITE_CR(0, READ_CR(0) & ~4ull);
	WRITE_CR(4, READ_CR(4) & ~0x200ull);
	CHECK_EQUAL(TRY0("xorps %%xmm0, %%xmm0"), UD);
	WRITE_CR(4, READ_CR(4) | 0x200);
	/* Unmasked floating-point exceptions. */
	u32 mxcsr = 0x1f80 & ~0x200, usual = 0x1f80;
	asm volatile("ldmxcsr %0" : : "m"(mxcsr));
	CHECK_EQUAL(TRY("xorps %%xmm0, %%xmm0; cvtsi2ss %0, %%xmm1; divss %%xmm0, %%xmm1", : : "r"(1)), XM);
	asm volatile("ldmxcsr %0" : : "m"(usual));
	u16 control = 0x37b;
	asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(control));
	CHECK_EQUAL(TRY0("fwait"), MF);
	asm volatile("fninit");
	u32 bad = 0x10000;
	CHECK_EQUAL(TRY("ldmxcsr %0", : : "m"(bad)), GP);
}

static void gates(void)
{
	section("gates of the interrupt table");
	handlers[0x90] = note;
	count = 0;
	asm volatile("int $0x90");
	CHECK_EQUAL(count, 1);
	CHECK(last_flags & 2);
	set_gate(0x90, stub(0x90), KERNEL_CODE, 0x0e, 0);
	CHECK_EQUAL(TRY0("int $0x90"), NP);
	CHECK_EQUAL(fault.error, 0x90 << 3 | 2);
	set_gate(0x90, stub(0x90), KERNEL_CODE, 0x85, 0);
	CHECK_EQUAL(TRY0("int $0x90"), GP);
	CHECK_EQUAL(fault.error, 0x90 << 3 | 2);
	set_gate(0x90, stub(0x90), 0, 0x8e, 0);
	CHECK_EQUAL(TRY0("int $0x90"), GP);
	CHECK_EQUAL(fault.error, 0);
	set_gate(0x90, stub(0x90), KERNEL_DATA, 0x8e, 0);
	CHECK_EQUAL(TRY0("int $0x90"), GP);
	CHECK_EQUAL(fault.error, KERNEL_DATA);
	/* 32-bit code can't be an interrupt handler in long mode. */
	set_gate(0x90, stub(0x90), KERNEL_CODE32, 0x8e, 0);
	CHECK_EQUAL(TRY0("int $0x90"), GP);
	CHECK_EQUAL(fault.error, KERNEL_CODE32);

	/* Interrupt gates clear IF, trap gates leave it. */
	set_gate(0x90, (u64) stub(0x90), KERNEL_CODE, 0x8e, 1);
	tss.ist[0] = (u64) other_stack + sizeof other_stack - 8;
	asm volatile("int $0x90");
	CHECK_EQUAL(count, 2);
	/* The stack is aligned to 16 bytes before anything is pushed: 22 words of frame below. */
	CHECK_EQUAL(last_rsp, (((u64) other_stack + sizeof other_stack - 8) & ~15ull) - 22 * 8);
	tss.ist[0] = NONCANONICAL;
	set_gate(SS, stub(SS), KERNEL_CODE, 0x8e, 0);
	CHECK_EQUAL(TRY0("int $0x90"), SS);
	set_gate(0x90, stub(0x90), KERNEL_CODE, 0x8e, 0);
	tss.ist[0] = (u64) other_stack + sizeof other_stack;

	/* A table that ends before the vector. */
	struct table table = {0x90 * 16 + 14, (u64) idt}, whole = {4095, (u64) idt};
	asm volatile("lidt %0" : : "m"(table));
	CHECK_EQUAL(TRY0("int $0x90"), GP);
	CHECK_EQUAL(fault.error, 0x90 << 3 | 2);
	handlers[0x8f] = note;
	count = 0;
	asm volatile("int $0x8f");
	CHECK_EQUAL(count, 1);
	count = 2;
	asm volatile("lidt %0" : : "m"(whole));
	struct table stored;
	asm volatile("sidt %0" : "=m"(stored));
	CHECK_EQUAL(stored.limit, 4095);
	CHECK_EQUAL(stored.base, (u64) idt);
	struct table outside = {4095, NONCANONICAL};
	CHECK_EQUAL(TRY("lidt %0", : : "m"(outside)), GP);
	handlers[0x90] = 0;
}

static void double_faults(void)
{
	section("double fault");
	set_gate(DF, stub(DF), KERNEL_CODE, 0x8e, 1);
	/* A #NP while delivering #GP, contributory both; pushed on a stack of its own. */
	set_gate(GP, stub(GP), KERNEL_CODE, 0x0e, 0);
	CHECK_EQUAL(TRY("mov %0, %%ds", : : "r"(0x3f8)), DF);
	CHECK_EQUAL(fault.error, 0);
	/* A #PF while delivering #GP is a page fault; a #GP while delivering #PF is a double fault. */
	set_gate(GP, stub(GP), KERNEL_CODE, 0x8e, 0);
	set_gate(PF, stub(PF), KERNEL_CODE, 0x0e, 0);
	CHECK_EQUAL(TRY("mov (%0), %%r10", : : "r"(UNMAPPED)), DF);
	set_gate(PF, stub(PF), KERNEL_CODE, 0x8e, 0);
	/* A benign one is not: #NP while delivering #UD stays #NP. */
	set_gate(UD, stub(UD), KERNEL_CODE, 0x0e, 0);
	CHECK_EQUAL(TRY0("ud2"), NP);
	/* The event was external to the program. */
	CHECK_EQUAL(fault.error, UD << 3 | 3);
	set_gate(UD, stub(UD), KERNEL_CODE, 0x8e, 0);
}

static u64 step_start, steps[8];

static void debug_handler(struct frame *frame)
{
	if (count < 8)
		steps[count] = frame->rip - step_start;
	count++;
	last_rip = frame->rip;
	last_flags = frame->rflags;
	last_dr6 = READ_DR(6);
	WRITE_DR(6, 0xffff0ff0);
	/* RF, so that an instruction breakpoint lets the instruction pass. */
	frame->rflags |= 1 << 16;
	if (count > 20)
		frame->rflags &= ~0x100ull;
}

static void debug(void)
{
	section("debug registers and single step");
	handlers[DB] = debug_handler;
	CHECK_EQUAL(READ_DR(6) & 0xffff0ff0, 0xffff0ff0);
	count = 0;
	asm volatile("movq $1f, %0; pushf; orl $0x100, (%%rsp); popf; 1: nop; nop; pushf; andl $~0x100, (%%rsp); popf"
		     : "=m"(step_start) : : "memory", "cc");
	/* After POPF takes TF away, one more. */
	CHECK_EQUAL(count, 5);
	CHECK_EQUAL(steps[0], 1);
	CHECK_EQUAL(steps[1], 2);
	CHECK_EQUAL(steps[2], 3);
	CHECK(last_dr6 & 0x4000);
	CHECK(!(last_dr6 & 0xf));

	/* MOV SS holds the trap back for one instruction. */
	count = 0;
	asm volatile("mov %%ss, %%eax; movq $1f, %0; pushf; orl $0x100, (%%rsp); popf; 1: mov %%eax, %%ss; nop; nop;"
		     "pushf; andl $~0x100, (%%rsp); popf" : "=m"(step_start) : : "rax", "memory", "cc");
	CHECK_EQUAL(steps[0], 3);
	CHECK_EQUAL(steps[1], 4);

	/* Instruction breakpoint: a fault, before the instruction. */
	extern u8 breakpoint[];
	WRITE_DR(0, breakpoint);
	WRITE_DR(7, 0x402);
	count = 0;
	last_dr6 = 0;
	asm volatile("nop; .globl breakpoint; breakpoint: inc %0" : "+r"(scratch[1]));
	CHECK_EQUAL(count, 1);
	CHECK_EQUAL(last_rip, (u64) breakpoint);
	CHECK_EQUAL(last_dr6 & 0x400f, 1);

	/* Data breakpoints: traps, behind the instruction. */
	WRITE_DR(1, &scratch[2]);
	WRITE_DR(7, 0x400 | 2 << 2 | 0xdull << 20);	/* 4 bytes, writes */
	count = 0;
	asm volatile("movl $1, %0; 1: nop" : "=m"(*(u32 *) &scratch[2]));
	CHECK_EQUAL(count, 1);
	CHECK_EQUAL(last_dr6 & 0x400f, 2);
	asm volatile("movl %0, %%eax" : : "m"(*(u32 *) &scratch[2]) : "rax");
	CHECK_EQUAL(count, 1);
	asm volatile("movb $1, %0" : "=m"(*((u8 *) &scratch[2] + 3)));
	CHECK_EQUAL(count, 2);
	asm volatile("movb $1, %0" : "=m"(*((u8 *) &scratch[2] + 4)));
	CHECK_EQUAL(count, 2);
	WRITE_DR(7, 0x400 | 2 << 2 | 0xfull << 20);	/* reads too */
	asm volatile("movl %0, %%eax" : : "m"(*(u32 *) &scratch[2]) : "rax");
	CHECK_EQUAL(count, 3);
	WRITE_DR(7, 0x400);

	/* ICEBP, and access to debug registers under GD. */
	count = 0;
	asm volatile(".byte 0xf1");
	CHECK_EQUAL(count, 1);
	CHECK_EQUAL(last_dr6 & 0x400f, 0);
	WRITE_DR(7, 0x2400);
	count = 0;
	WRITE_DR(0, 0);
	CHECK_EQUAL(count, 1);
	CHECK(last_dr6 & 0x2000);
	WRITE_DR(7, 0x400);
	handlers[DB] = 0;
	CHECK_EQUAL(TRY("mov %0, %%dr7", : : "r"(1ull << 32)), GP);
	WRITE_CR(4, READ_CR(4) | 8);
	CHECK_EQUAL(TRY0("mov %%dr4, %%r10"), UD);
	WRITE_CR(4, READ_CR(4) & ~8ull);
	CHECK_EQUAL(TRY0("mov %%dr4, %%r10"), NONE);
}

/* What user mode found, written by itself. */
static volatile u64 user_results[32];

static void user_body(void)
{
	int i = 0;
	u32 low, high;
	user_results[i++] = TRY0("hlt");
	user_results[i++] = TRY0("cli");
	user_results[i++] = TRY0("mov %%cr0, %%r10");
	user_results[i++] = TRY("rdmsr", : "=a"(low), "=d"(high) : "c"(0x10));
	user_results[i++] = TRY("lgdt %0", : : "m"(scratch));
	user_results[i++] = TRY0("invlpg 0");
	user_results[i++] = TRY0("wbinvd");
	user_results[i++] = TRY("inb $0x80", : "=a"(low) :);
	user_results[i++] = TRY0("int $0x90");
	user_results[i++] = fault.error;
	user_results[i++] = TRY("mov %0, %%ds", : : "r"(KERNEL_DATA));
	user_results[i++] = TRY("mov (%0), %%r10", : : "r"(UNMAPPED));
	user_results[i++] = fault.error;
	user_results[i++] = TRY0("mov %%dr7, %%r10");
	user_results[i++] = TRY0("swapgs");
	user_results[i++] = TRY0("clts");
	user_results[i++] = TRY("ltr %w0", : : "r"(TASK));
	user_results[i++] = TRY0("int3");
	/* POPF leaves IF and IOPL alone without complaint. */
	user_results[i++] = TRY0("pushf; andl $~0x200, (%%rsp); orl $0x3000, (%%rsp); popf");
	user_results[i++] = flags() & 0x3200;
	user_results[i++] = TRY0("int $0x80");
	leave_user();
}

static void user_mode(void)
{
	section("user mode");
	handlers[0x80] = note;
	count = 0;
	run_user(user_body);
	static const u64 expected[] = {GP, GP, GP, GP, GP, GP, GP, GP, GP, 0x90 << 3 | 2, GP, PF, 4, GP, GP, GP, GP, BP,
				       (u64) NONE, 0x200, (u64) NONE};
	for (u32 i = 0; i < sizeof expected / sizeof *expected; i++) {
		CHECK_EQUAL(user_results[i] << 32 >> 32, expected[i] << 32 >> 32);
		if (user_results[i] << 32 != expected[i] << 32) {
			print("  (user result ");
			print_hex(i);
			print(")\n");
		}
	}
	CHECK_EQUAL(count, 1);
	CHECK_EQUAL(last_cs, USER_CODE);
	/* The stack of privilege level 0, from the task-state segment. */
	CHECK_EQUAL(last_rsp, (u64) exception_stack_end - 22 * 8);
	handlers[0x80] = 0;
}

static void user_umip(void)
{
	u16 word;
	struct table table;
	int i = 0;
	user_results[i++] = TRY("sgdt %0", : "=m"(table) :);
	user_results[i++] = TRY("sidt %0", : "=m"(table) :);
	user_results[i++] = TRY("sldt %0", : "=r"(word) :);
	user_results[i++] = TRY("smsw %0", : "=r"(word) :);
	user_results[i++] = TRY("str %0", : "=r"(word) :);
	leave_user();
}

static void umip(void)
{
	section("user-mode instruction prevention");
	if (!(cpuid(7, 0).c & 4))
		return;
	run_user(user_umip);
	for (int i = 0; i < 5; i++)
		CHECK_EQUAL((int) user_results[i], NONE);
	WRITE_CR(4, READ_CR(4) | 0x800);
	run_user(user_umip);
	for (int i = 0; i < 5; i++)
		CHECK_EQUAL((int) user_results[i], GP);
	struct table table;
	CHECK_EQUAL(TRY("sgdt %0", : "=m"(table) :), NONE);
	CHECK_EQUAL(table.base, (u64) gdt);
	WRITE_CR(4, READ_CR(4) & ~0x800ull);
}

extern u8 syscall_entry[], syscall_back[];
static volatile u64 syscall_rcx, syscall_r11, syscall_flags;

static void user_syscall(void)
{
	u64 rcx;
	asm volatile("mov $0x1234, %%eax; syscall; .globl syscall_back; syscall_back: mov %%rcx, %0"
		     : "=r"(rcx) : : "rax", "rcx", "r11", "memory");
	user_results[0] = rcx;
	user_results[1] = flags();
	leave_user();
}

static void system_calls(void)
{
	section("SYSCALL and SYSRET");
	wrmsr(0xc0000081, (u64) (USER_CODE32) << 48 | (u64) KERNEL_CODE << 32);
	wrmsr(0xc0000082, (u64) syscall_entry);
	wrmsr(0xc0000084, 0x700);
	asm volatile("jmp 1f; .globl syscall_entry; syscall_entry: mov %%rcx, %0; mov %%r11, %1; pushf; pop %2; sysretq; 1:"
		     : "=m"(syscall_rcx), "=m"(syscall_r11), "=m"(syscall_flags) : : "memory");
	run_user(user_syscall);
	CHECK_EQUAL(syscall_rcx, (u64) syscall_back);
	CHECK_EQUAL(user_results[0], (u64) syscall_back);
	CHECK_EQUAL(syscall_r11 & 0x200, 0x200);
	CHECK_EQUAL(syscall_flags & 0x700, 0);
	CHECK_EQUAL(user_results[1] & 0x200, 0x200);
	CHECK_EQUAL(TRY("wrmsr", : : "c"(0xc0000082), "a"(0), "d"(0x80000000)), GP);
	/* Not enabled. */
	u64 rcx;
	wrmsr(0xc0000080, rdmsr(0xc0000080) & ~1ull);
	CHECK_EQUAL(TRY("syscall", : "=c"(rcx) :), UD);
	CHECK_EQUAL(TRY0("sysretq"), UD);
	wrmsr(0xc0000080, rdmsr(0xc0000080) | 1);
}

static void returns(void)
{
	section("IRET and far returns");
	/* To an inner ring, to a bad selector, to a non-canonical address. */
	CHECK_EQUAL(TRY("mov %%rsp, %%r10; push $0x10; push %%r10; pushf; push $0x3f8; push $0; iretq", : :), GP);
	CHECK_EQUAL(fault.error, 0x3f8);
	asm volatile("" : : : "memory");
	u64 rsp;
	asm volatile("mov %%rsp, %0" : "=r"(rsp));
	CHECK_EQUAL(TRY("mov %%rsp, %%r10; push $0; push %%r10; pushf; push $8; push %0; iretq", : : "r"(NONCANONICAL)), GP);
	CHECK_EQUAL(fault.error, 0);
	/* IRET in 64-bit mode pops SS:RSP always; null SS is allowed at level 0. */
	u16 ss;
	asm volatile("mov %%rsp, %%rbx; push $0; push %%rbx; pushf; push $8; push $1f; iretq; 1: mov %%ss, %0; mov %1, %%ss"
		     : "=&r"(ss) : "r"(KERNEL_DATA) : "rbx", "memory");
	CHECK_EQUAL(ss, 0);
	u64 reached = 0;
	asm volatile("push $8; push $1f; lretq; ud2; 1: mov $1, %0" : "+r"(reached));
	CHECK_EQUAL(reached, 1);
	CHECK_EQUAL(TRY("push $0x2b; push $0; lretq", : :), GP);
}

void kernel_main(void)
{
	plain();
	gates();
	double_faults();
	debug();
	user_mode();
	umip();
	system_calls();
	returns();
}
