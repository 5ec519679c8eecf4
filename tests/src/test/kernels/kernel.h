/* What the test kernels share: a serial port, checks, exceptions that tests wait for, user mode. */
#ifndef KERNEL_H
#define KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE32 0x1b
#define USER_DATA 0x23
#define USER_CODE 0x2b
#define TASK 0x30
#define KERNEL_CODE32 0x40
#define FREE_SELECTOR 0x48

enum { DE, DB, NMI, BP, OF, BR, UD, NM, DF, TS = 10, NP, SS, GP, PF, MF = 16, AC, MC, XM };
#define NONE (-1)

/* The registers as the interrupt stubs push them. */
struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

/* The exception that TRY met. */
struct fault {
	int vector;
	u64 error, address, rip, rflags;
};
extern volatile struct fault fault;
extern volatile u64 resume, resume_rsp;
extern void (*handlers[256])(struct frame *);

struct multiboot {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
};
extern u32 boot_magic;
extern struct multiboot *boot_info;

struct __attribute__((packed)) table {
	u16 limit;
	u64 base;
};
struct __attribute__((packed)) tss {
	u32 reserved0;
	u64 rsp[3], reserved1, ist[7], reserved2;
	u16 reserved3, map;
};
extern struct tss tss;
extern u64 gdt[], idt[];
extern u8 stack_end[], exception_stack_end[];
extern u64 pml4[512];

/* Executes instructions; an exception in them ends in `fault` and behind them, with the stack as it was before. R10 and R11 are lost. */
#define TRY(code, ...)                                                                                                 \
	({                                                                                                             \
		fault.vector = NONE;                                                                                   \
		asm volatile("movq $1f, resume\n\tmovq %%rsp, resume_rsp\n\t" code "\n1:\tmovq $0, resume" __VA_ARGS__                          \
			     : "r10", "r11", "memory", "cc");                                                                 \
		fault.vector;                                                                                          \
	})
#define TRY0(code) TRY(code, : :)

#define CHECK(condition) check(condition, __FILE__, __LINE__, #condition)
#define CHECK_EQUAL(actual, expected) check_equal(actual, expected, __FILE__, __LINE__, #actual)

void kernel_main(void);
void check(int ok, const char *file, int line, const char *what);
void check_equal(u64 actual, u64 expected, const char *file, int line, const char *what);
void print(const char *text);
void print_hex(u64 value);
void section(const char *name);
void set_gate(int vector, u64 handler, u16 selector, u8 access, int ist);
void set_descriptor(int selector, u32 base, u32 limit, u16 attributes);
u64 stub(int vector);
void run_user(void (*function)(void));
#define leave_user() asm volatile("int $0x81")
void shut_down(int status) __attribute__((noreturn));
int equal(const char *a, const char *b);
void *memory_set(void *target, int value, u64 count);

static inline void outb(u16 port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outw(u16 port, u16 value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outl(u16 port, u32 value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static inline u8 inb(u16 port) { u8 v; asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u16 inw(u16 port) { u16 v; asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u32 inl(u16 port) { u32 v; asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }

static inline u64 rdmsr(u32 index)
{
	u32 low, high;
	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return (u64) high << 32 | low;
}
static inline void wrmsr(u32 index, u64 value)
{
	asm volatile("wrmsr" : : "c"(index), "a"((u32) value), "d"((u32) (value >> 32)) : "memory");
}
static inline int try_wrmsr(u32 index, u64 value)
{
	return TRY("wrmsr", : : "c"(index), "a"((u32) value), "d"((u32) (value >> 32)));
}
static inline int try_rdmsr(u32 index)
{
	u32 low, high;
	return TRY("rdmsr", : "=a"(low), "=d"(high) : "c"(index));
}
static inline u64 rdtsc(void)
{
	u32 low, high;
	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64) high << 32 | low;
}
struct cpuid { u32 a, b, c, d; };
static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;
	asm volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
	return r;
}
#define READ_CR(n) ({ u64 v; asm volatile("mov %%cr" #n ", %0" : "=r"(v)); v; })
#define WRITE_CR(n, v) asm volatile("mov %0, %%cr" #n : : "r"((u64) (v)) : "memory")
#define TRY_CR(n, v) TRY("mov %0, %%cr" #n, : : "r"((u64) (v)))
#define READ_DR(n) ({ u64 v; asm volatile("mov %%dr" #n ", %0" : "=r"(v)); v; })
#define WRITE_DR(n, v) asm volatile("mov %0, %%dr" #n : : "r"((u64) (v)) : "memory")
static inline u64 flags(void) { u64 v; asm volatile("pushf; pop %0" : "=r"(v)); return v; }
static inline void invlpg(u64 address) { asm volatile("invlpg (%0)" : : "r"(address) : "memory"); }
#define sti() asm volatile("sti" : : : "memory")
#define cli() asm volatile("cli" : : : "memory")
#define pause() asm volatile("pause")

#endif
