/* Instructions of all kinds on memory-mapped I/O: 64 KiB of plain memory behind a device, RAM behind the next page. */
#include "kernel.h"

#define MMIO 0xff000000ull

static u8 ram[16384] __attribute__((aligned(4096)));
static volatile u64 *const device = (volatile u64 *) MMIO;

static void strings(void)
{
	section("strings");
	for (u32 i = 0; i < 4096; i++)
		ram[i] = i * 13;
	void *to = (void *) (MMIO + 0x100), *from = ram;
	u64 count = 1000;
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	CHECK(to == (void *) (MMIO + 0x100 + 1000) && from == ram + 1000 && count == 0);
	to = ram + 8192;
	from = (void *) (MMIO + 0x100);
	count = 125;
	asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	int same = 1;
	for (u32 i = 0; i < 1000; i++)
		same &= ram[8192 + i] == ram[i];
	CHECK(same);
	/* Device to device, downwards, overlapping. */
	to = (void *) (MMIO + 0x208);
	from = (void *) (MMIO + 0x200);
	count = 4;
	device[0x40] = 1; device[0x3f] = 2; device[0x3e] = 3; device[0x3d] = 4;
	asm volatile("std; rep movsq; cld" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	CHECK_EQUAL(device[0x41], 1);
	CHECK_EQUAL(device[0x40], 2);
	CHECK_EQUAL(device[0x3e], 4);
	to = (void *) MMIO;
	count = 20;
	asm volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(0xdeadbeef) : "memory");
	CHECK_EQUAL(device[9], 0xdeadbeefdeadbeefull);
	u64 flags;
	to = (void *) MMIO;
	count = 100;
	asm volatile("repe scasb; pushf; pop %2" : "+D"(to), "+c"(count), "=r"(flags) : "a"(0xef) : "memory");
	CHECK_EQUAL(count, 98);
	CHECK_EQUAL(flags & 0x40, 0);
	for (int i = 0; i < 16; i++)
		ram[i] = ((volatile u8 *) MMIO)[i];
	ram[11] ^= 1;
	to = (void *) MMIO;
	from = ram;
	count = 16;
	asm volatile("repe cmpsb; pushf; pop %3" : "+D"(to), "+S"(from), "+c"(count), "=r"(flags) : : "memory");
	CHECK_EQUAL(count, 4);
	u64 value;
	from = (void *) MMIO;
	asm volatile("lodsq" : "=a"(value), "+S"(from) : : "memory");
	CHECK_EQUAL(value, 0xdeadbeefdeadbeefull);
	/* A fault in the middle leaves what was done, and the registers say how far it came. */
	from = ram;
	to = (void *) (0xfffff000ull + 4096 - 40);
	count = 10;
	CHECK_EQUAL(TRY("rep stosq", : "+D"(to), "+c"(count) : "a"(0)), PF);
	CHECK_EQUAL((u64) to, 0x100000000ull);
	CHECK_EQUAL(count, 5);
}

static void arithmetic(void)
{
	section("read, change, write");
	volatile u64 *m = device + 32;
	u64 x;
	u8 set;
	*m = 10;
	asm volatile("addq $5, %0" : "+m"(*m));
	CHECK_EQUAL(*m, 15);
	asm volatile("lock; subl $20, %0; setc %1" : "+m"(*(volatile u32 *) m), "=q"(set));
	CHECK_EQUAL(set, 1);
	CHECK_EQUAL(*m, 0xfffffffb);
	asm volatile("notb %0" : "+m"(*(volatile u8 *) m));
	CHECK_EQUAL(*m, 0xffffff04);
	asm volatile("negw %0" : "+m"(*(volatile u16 *) m));
	CHECK_EQUAL(*m, 0xffff00fc);
	asm volatile("shlq $8, %0; rolq $4, %0" : "+m"(*m));
	CHECK_EQUAL(*m, 0xffff00fc000ull);
	asm volatile("shldq $16, %1, %0" : "+m"(*m) : "r"(0xabcd000000000000ull));
	CHECK_EQUAL(*m, 0xffff00fc000abcdull);
	asm volatile("btsq $63, %0; setc %1" : "+m"(*m), "=q"(set));
	CHECK_EQUAL(set, 0);
	CHECK_EQUAL(*m >> 63, 1);
	/* A bit offset reaches beyond the operand. */
	device[40] = 0;
	asm volatile("btsq %1, %0" : "+m"(device[0]) : "r"(64 * 40ull + 3) : "memory");
	CHECK_EQUAL(device[40], 8);
	x = 77;
	asm volatile("xchgq %1, %0" : "+m"(*m), "+r"(x));
	CHECK_EQUAL(*m, 77);
	x = 3;
	asm volatile("lock; xaddq %1, %0" : "+m"(*m), "+r"(x));
	CHECK_EQUAL(*m, 80);
	CHECK_EQUAL(x, 77);
	u64 expected = 80;
	asm volatile("lock; cmpxchgq %3, %0; setz %2" : "+m"(*m), "+a"(expected), "=q"(set) : "r"(99ull));
	CHECK_EQUAL(set, 1);
	CHECK_EQUAL(*m, 99);
	asm volatile("lock; cmpxchgq %3, %0; setz %2" : "+m"(*m), "+a"(expected), "=q"(set) : "r"(5ull));
	CHECK_EQUAL(set, 0);
	CHECK_EQUAL(expected, 99);
	u32 low = 99, high = 0;
	asm volatile("lock; cmpxchg8b %0; setz %3" : "+m"(*m), "+a"(low), "+d"(high), "=q"(set) : "b"(1), "c"(2));
	CHECK_EQUAL(set, 1);
	CHECK_EQUAL(*m, 0x200000001ull);
	u64 wide_low = 0x200000001ull, wide_high = m[1];
	asm volatile("lock; cmpxchg16b %0; setz %3"
		     : "+m"(*m), "+a"(wide_low), "+d"(wide_high), "=q"(set) : "b"(3ull), "c"(4ull) : "memory");
	CHECK_EQUAL(set, 1);
	CHECK(m[0] == 3 && m[1] == 4);
	asm volatile("mulq %2" : "=a"(x), "=&d"(wide_high) : "m"(*m), "0"(7ull));
	CHECK_EQUAL(x, 21);
	*m = 0;
	CHECK_EQUAL(TRY("divq %0", : : "m"(*m), "a"(1ull), "d"(0ull)), DE);
	*(volatile u8 *) m = 0x80;
	asm volatile("movsbq %1, %0" : "=r"(x) : "m"(*(volatile u8 *) m));
	CHECK_EQUAL(x, -128ull);
	asm volatile("movzbl %1, %k0" : "=r"(x) : "m"(*(volatile u8 *) m));
	CHECK_EQUAL(x, 128);
	asm volatile("push %1; pop %0" : "=m"(m[2]) : "m"(*m) : "memory");
	CHECK_EQUAL(m[2], *m);
	asm volatile("movbeq %1, %0" : "=m"(m[3]) : "r"(0x0102030405060708ull));
	CHECK_EQUAL(m[3], 0x0807060504030201ull);
	asm volatile("xlatb" : "=a"(x) : "b"(MMIO + 256 + 24), "a"(7ull) : "memory");
	CHECK_EQUAL(x, 8);
	asm volatile("cmovzq %1, %0" : "=r"(x) : "m"(m[3]), "0"(5ull), "r"(0));
	asm volatile("enter $0, $0; leave");
	m[4] = (u64) &&there;
	asm goto("jmp *%0" : : "m"(m[4]) : : there);
	CHECK(0);
there:
	asm volatile("movabs %%al, 0xff000008; movabs 0xff000008, %%rax" : "=a"(x) : "a"(0x5aull));
	CHECK_EQUAL(x & 0xff, 0x5a);
}

static void wide(void)
{
	section("wide registers");
	static u64 pair[2] __attribute__((aligned(16))) = {0x1111222233334444ull, 0x5555666677778888ull}, back[2];
	asm volatile("movaps %2, %%xmm0; movups %%xmm0, 3(%1); movups 3(%1), %%xmm1; movups %%xmm1, %0"
		     : "=m"(back) : "r"(MMIO + 0x800), "m"(pair) : "memory");
	CHECK(back[0] == pair[0] && back[1] == pair[1]);
	asm volatile("movaps %%xmm0, (%0)" : : "r"(MMIO + 0x900) : "memory");
	CHECK_EQUAL(*(volatile u64 *) (MMIO + 0x908), pair[1]);
	asm volatile("paddq (%1), %%xmm0; movups %%xmm0, %0" : "=m"(back) : "r"(MMIO + 0x900) : "memory");
	CHECK_EQUAL(back[0], 2 * pair[0]);
	asm volatile("movhps (%1), %%xmm0; movq %%xmm0, (%1); movups %%xmm0, %0" : "=m"(back) : "r"(MMIO + 0x900) : "memory");
	CHECK_EQUAL(back[1], pair[0]);
	asm volatile("movq 0x908(%0), %%mm0; movq %%mm0, 0x910(%0); emms" : : "r"(MMIO) : "memory");
	CHECK_EQUAL(*(volatile u64 *) (MMIO + 0x910), pair[1]);
	asm volatile("fninit; fldpi; fstpt 0x920(%0); fldt 0x920(%0); fistpll 0x930(%0); fldl2e; fstl 0x938(%0); fstp %%st"
		     : : "r"(MMIO) : "memory");
	CHECK_EQUAL(*(volatile u64 *) (MMIO + 0x930), 3);
	CHECK_EQUAL(*(volatile u64 *) (MMIO + 0x920), 0xc90fdaa22168c235ull);
	CHECK_EQUAL(*(volatile u64 *) (MMIO + 0x938), 0x3ff71547652b82feull);
	asm volatile("fxsave (%0); fxrstor (%0)" : : "r"(MMIO + 0xa00) : "memory");
	CHECK_EQUAL(*(volatile u32 *) (MMIO + 0xa18), 0x1f80);
	asm volatile("movntiq %1, (%0); sfence" : : "r"(MMIO + 0xc00), "r"(42ull) : "memory");
	CHECK_EQUAL(*(volatile u64 *) (MMIO + 0xc00), 42);
}

static void tables_there(void)
{
	section("tables and code of the processor in a device");
	struct table saved, moved = {0, MMIO + 0x1000};
	asm volatile("sgdt %0" : "=m"(saved));
	moved.limit = saved.limit;
	for (int i = 0; i <= saved.limit / 8; i++)
		*(volatile u64 *) (MMIO + 0x1000 + 8 * i) = gdt[i];
	asm volatile("lgdt %0; mov %1, %%es; mov %1, %%ds" : : "m"(moved), "r"(KERNEL_DATA));
	asm volatile("lgdt %0" : : "m"(saved));
	asm volatile("sgdt (%0)" : : "r"(MMIO + 0x2003) : "memory");
	CHECK_EQUAL(*(volatile u64 *) (MMIO + 0x2005), (u64) gdt);
	asm volatile("smsww (%0); sldtw 2(%0); strw 4(%0)" : : "r"(MMIO + 0x2010) : "memory");
	CHECK_EQUAL(*(volatile u64 *) (MMIO + 0x2010) >> 32 & 0xffff, TASK);
	/* A stack there: calls, exceptions. */
	u64 result;
	asm volatile("mov %%rsp, %%rbx; mov %1, %%rsp; call 1f; jmp 2f; 1: ret; 2: push $7; int3; pop %0; mov %%rbx, %%rsp"
		     : "=&r"(result) : "r"(MMIO + 0x8000) : "rbx", "memory");
	CHECK_EQUAL(result, 7);
}

static void breakpoint(struct frame *frame)
{
	CHECK(frame->rsp > MMIO && frame->rsp < MMIO + 0x8000);
}

void kernel_main(void)
{
	strings();
	arithmetic();
	wide();
	handlers[BP] = breakpoint;
	tables_there();
}
