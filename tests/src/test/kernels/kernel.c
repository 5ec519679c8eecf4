#include "kernel.h"

volatile struct fault fault;
volatile u64 resume, resume_rsp;
void (*handlers[256])(struct frame *);
struct tss tss;

static int checks, failures;

extern u8 stubs[], user_left[];

static void put(char c)
{
	while (!(inb(0x3fd) & 0x20))
		;
	outb(0x3f8, c);
}

void print(const char *text)
{
	while (*text)
		put(*text++);
}

void print_hex(u64 value)
{
	print("0x");
	for (int shift = 60; shift >= 0; shift -= 4)
		if (value >> shift || shift == 0)
			put("0123456789abcdef"[value >> shift & 15]);
}

static void not_ok(const char *file, int line, const char *what)
{
	failures++;
	print("not ok: ");
	print(file);
	print(" line ");
	print_hex(line);
	print(": ");
	print(what);
}

void check(int ok, const char *file, int line, const char *what)
{
	checks++;
	if (!ok) {
		not_ok(file, line, what);
		print("\n");
	}
}

void check_equal(u64 actual, u64 expected, const char *file, int line, const char *what)
{
	checks++;
	if (actual != expected) {
		not_ok(file, line, what);
		print(" is ");
		print_hex(actual);
		print(", expected ");
		print_hex(expected);
		print("\n");
	}
}

void section(const char *name)
{
	print("# ");
	print(name);
	print("\n");
}

void shut_down(int status)
{
	/* The serial port has shifted out the last byte before the machine goes. */
	while (!(inb(0x3fd) & 0x40))
		;
	outb(0xf4, status);
	for (;;)
		asm volatile("cli; hlt");
}

int equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

void *memory_set(void *target, int value, u64 count)
{
	void *at = target;
	asm volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(value) : "memory");
	return target;
}

u64 stub(int vector)
{
	return (u64) stubs + 16 * vector;
}

void set_gate(int vector, u64 handler, u16 selector, u8 access, int ist)
{
	idt[2 * vector] = (handler & 0xffff) | (u64) selector << 16 | (u64) ist << 32 | (u64) access << 40
		| (handler >> 16 & 0xffff) << 48;
	idt[2 * vector + 1] = handler >> 32;
}

void set_descriptor(int selector, u32 base, u32 limit, u16 attributes)
{
	gdt[selector >> 3] = (limit & 0xffff) | (u64) (base & 0xffffff) << 16 | (u64) attributes << 40
		| (u64) (limit >> 16 & 15) << 48 | (u64) (base >> 24) << 56;
}

void handle(struct frame *frame)
{
	if (handlers[frame->vector]) {
		handlers[frame->vector](frame);
		return;
	}
	if (resume && frame->vector < 32) {
		fault.vector = frame->vector;
		fault.error = frame->error;
		fault.rip = frame->rip;
		fault.rflags = frame->rflags;
		fault.address = READ_CR(2);
		frame->rip = resume;
		frame->rsp = resume_rsp;
		frame->rflags &= ~0x100ull;
		resume = 0;
		return;
	}
	static int dying;
	if (dying++)
		shut_down(3);
	print("not ok: unexpected vector ");
	print_hex(frame->vector);
	print(" error ");
	print_hex(frame->error);
	print(" at ");
	print_hex(frame->rip);
	print(" cr2 ");
	print_hex(READ_CR(2));
	print("\n");
	shut_down(2);
}

void start(void)
{
	for (int vector = 0; vector < 256; vector++)
		set_gate(vector, stub(vector), KERNEL_CODE, 0x8e, 0);
	set_gate(BP, stub(BP), KERNEL_CODE, 0xee, 0);
	set_gate(OF, stub(OF), KERNEL_CODE, 0xee, 0);
	set_gate(0x80, stub(0x80), KERNEL_CODE, 0xee, 0);
	set_gate(0x81, (u64) user_left, KERNEL_CODE, 0xee, 0);
	tss.rsp[0] = (u64) exception_stack_end;
	tss.map = sizeof tss;
	struct table table = {4095, (u64) idt};
	asm volatile("lidt %0" : : "m"(table));
	/* The 8259As: no interrupt unless a test asks for it. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	kernel_main();
	print(failures ? "failed " : "passed ");
	print_hex(checks);
	print(" checks\n");
	shut_down(failures != 0);
}
