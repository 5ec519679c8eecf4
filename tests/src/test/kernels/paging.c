/* Every combination of what decides about an access to a page, against a model of the rules (SDM 3A 5.6 and 5.7). */
#include "kernel.h"

#define VIRTUAL 0x7f8000000000ull		/* entry 255 of the top level */
#define P 1ull
#define W 2ull
#define U 4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull
#define G 0x100ull
#define NX (1ull << 63)
#define FRAME 0xffffffffff000ull
#define CR0_WP (1ull << 16)
#define CR4_PGE (1ull << 7)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define CR4_LA57 (1ull << 12)
#define EFER 0xc0000080
#define AC_FLAG (1ull << 18)

static u64 tables[3][512] __attribute__((aligned(4096)));
static u8 target[2 << 20] __attribute__((aligned(2 << 20)));
static u64 kernel_tables[2][512] __attribute__((aligned(4096)));

enum access { READ, WRITE, FETCH, USER_READ, USER_WRITE, USER_FETCH, ACCESSES };

static volatile enum access user_access;
static volatile int user_vector;
extern u8 user_return[];

/* Runs at privilege level 3 in a page of its own, so that the kernel's pages may be the supervisor's. */
#define USER_PAGE 0x7f0000000000ull
static u64 user_tables[3][512] __attribute__((aligned(4096)));
static u8 user_page[4096] __attribute__((aligned(4096)));

asm(".pushsection .text; .globl user_snippet, user_snippet_end; user_snippet:"
    "cmp $4, %ecx; je 1f; cmp $5, %ecx; je 2f; movb (%rdi), %al; jmp 3f;"
    "1: movb $0xc3, (%rdi); jmp 3f;"
    "2: call *%rdi;"
    "3: xor %ebx, %ebx; int $0x82; user_snippet_end: .popsection");
extern u8 user_snippet[], user_snippet_end[];

asm(".pushsection .text; .globl access_user, access_user_back; access_user:"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; pushf; mov %rsp, saved_rsp;"
    "mov %rdi, %rcx; mov %rsi, %rdi; mov $0xffff, %ebx;"
    "pushq $0x23; pushq %r8; pushq $0x2; pushq $0x2b; pushq %rdx; iretq;"
    "access_user_back: mov saved_rsp, %rsp; mov %rbx, %rax; popf;"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret; .popsection;"
    ".pushsection .bss; saved_rsp: .skip 8; .popsection");
u64 access_user(u64 kind, u64 address, u64 rip, u64 unused, u64 stack);
extern u8 access_user_back[];

/* A fault of user code comes back like its end. */
static void user_fault(struct frame *frame)
{
	fault.vector = frame->vector;
	fault.error = frame->error;
	fault.address = READ_CR(2);
	frame->rip = (u64) access_user_back;
	frame->cs = KERNEL_CODE;
	frame->ss = KERNEL_DATA;
	frame->rbx = 0;
}

static void page_fault(struct frame *frame)
{
	if (frame->cs & 3) {
		user_fault(frame);
		return;
	}
	fault.vector = frame->vector;
	fault.error = frame->error;
	fault.address = READ_CR(2);
	frame->rip = resume;
	frame->rsp = resume_rsp;
	frame->rflags &= ~AC_FLAG;
	resume = 0;
}

static int try_access(enum access access, u64 address, int ac)
{
	fault.vector = NONE;
	switch (access) {
	case READ:
		if (ac)
			return TRY("stac; movb (%0), %%r10b; clac", : : "a"(address));
		return TRY("movb (%0), %%r10b", : : "a"(address));
	case WRITE:
		if (ac)
			return TRY("stac; movb $0xc3, (%0); clac", : : "a"(address));
		return TRY("movb $0xc3, (%0)", : : "a"(address));
	case FETCH:
		return TRY("call *%0", : : "a"(address));
	default:
		access_user(access, address, USER_PAGE, 0, USER_PAGE + 4096 - 16);
		return fault.vector;
	}
}

struct combination {
	u64 pde, pte;		/* flags; with a large page, pte is not used */
	int large, wp, nxe, smep, smap, ac;
	enum access access;
};

/* What the manual says: NONE or PF, the error code, and the flags that the tables have afterwards. */
static int model(const struct combination *c, u64 *error, u64 *pde, u64 *pte)
{
	int user = c->access >= USER_READ;
	int write = c->access == WRITE || c->access == USER_WRITE;
	int fetch = c->access == FETCH || c->access == USER_FETCH;
	u64 all = c->large ? c->pde : c->pde & c->pte;
	u64 any = c->large ? c->pde : c->pde | c->pte;
	*pde = c->pde;
	*pte = c->pte;
	*error = (write ? 2 : 0) | (user ? 4 : 0) | (fetch && (c->nxe || c->smep) ? 16 : 0);
	if (!(c->pde & P))
		return PF;
	int reserved = (c->pde & NX && !c->nxe) || (c->large && c->pde & 1 << 13);
	if (!reserved && !c->large) {
		if (!(c->pte & P)) {
			*pde |= A;
			return PF;
		}
		reserved = c->pte & NX && !c->nxe;
		if (reserved)
			*pde |= A;
	}
	if (reserved) {
		*error |= 9;
		return PF;
	}
	*error |= 1;
	int ok = 1;
	if (user)
		ok = all & U && (!write || all & W) && !(fetch && any & NX);
	else if (fetch)
		ok = !(any & NX) && !(c->smep && all & U);
	else
		ok = (!write || all & W || !c->wp) && !(c->smap && all & U && !c->ac);
	if (!ok) {
		/* A fault for rights may leave accessed flags; they are not compared. */
		return PF;
	}
	if (c->large) {
		*pde |= A | (write ? D : 0);
	} else {
		*pde |= A;
		*pte |= A | (write ? D : 0);
	}
	return NONE;
}

static int reported;

static void one(const struct combination *c)
{
	u64 frame = (u64) target;
	u64 address = VIRTUAL + (c->large ? 0x5000 : 0) + 0x678;
	target[(c->large ? 0x5000 : 0) + 0x678] = 0xc3;
	tables[1][0] = c->large ? frame | c->pde | PS : (u64) tables[2] | c->pde;
	tables[2][0] = frame | c->pte;
	invlpg(address);
	u64 error, pde, pte;
	int expected = model(c, &error, &pde, &pte);
	u64 cr0 = READ_CR(0), cr4 = READ_CR(4), efer = rdmsr(EFER);
	WRITE_CR(0, c->wp ? cr0 | CR0_WP : cr0 & ~CR0_WP);
	wrmsr(EFER, c->nxe ? efer | 0x800 : efer & ~0x800ull);
	WRITE_CR(4, cr4 | (c->smep ? CR4_SMEP : 0) | (c->smap ? CR4_SMAP : 0));
	int vector = try_access(c->access, address, c->ac);
	WRITE_CR(4, cr4);
	WRITE_CR(0, cr0);
	wrmsr(EFER, efer);
	u64 flags = ~FRAME & ~PS;
	int same = vector == expected;
	if (same && vector == PF)
		same = fault.error == error && fault.address == address;
	if (same && vector == NONE)
		same = (tables[1][0] & flags) == pde && (c->large || (tables[2][0] & flags) == pte);
	check(same, __FILE__, __LINE__, "an access as the model says");
	if (!same && reported++ < 5) {
		print("  pde "); print_hex(c->pde);
		print(" pte "); print_hex(c->pte);
		print(" large,wp,nxe,smep,smap,ac ");
		print_hex(c->large << 5 | c->wp << 4 | c->nxe << 3 | c->smep << 2 | c->smap << 1 | c->ac);
		print(" access "); print_hex(c->access);
		print(": vector "); print_hex(vector);
		print(" error "); print_hex(fault.error);
		print(" expected "); print_hex(expected);
		print(" error "); print_hex(error);
		print(" left "); print_hex(tables[1][0]); print(" "); print_hex(tables[2][0]);
		print("\n");
	}
}

static void all(void)
{
	section("rights of pages");
	u32 features = cpuid(7, 0).b;
	int has_smep = features >> 7 & 1, has_smap = features >> 20 & 1;
	for (int modes = 0; modes < 32; modes++) {
		struct combination c = {.wp = modes & 1, .nxe = modes >> 1 & 1, .smep = modes >> 2 & 1,
					.smap = modes >> 3 & 1, .ac = modes >> 4 & 1};
		if ((c.smep && !has_smep) || (c.smap && !has_smap) || (c.ac && !c.smap))
			continue;
		for (c.access = 0; c.access < ACCESSES; c.access++) {
			for (int upper = 0; upper < 16; upper++) {
				for (int lower = 0; lower < 32; lower++) {
					c.large = 0;
					c.pde = (upper & 7) | (upper & 8 ? NX : 0);
					c.pte = (lower & 7) | (lower & 8 ? NX : 0) | (lower & 16 ? A : 0);
					one(&c);
				}
				c.large = 1;
				c.pte = 0;
				one(&c);
				c.pde |= A | D;
				one(&c);
				c.pde |= 1 << 13;
				one(&c);
			}
		}
	}
}

/* The kernel's own pages must be the supervisor's while SMEP and SMAP are tried. */
static void own_pages(void)
{
	u64 *pdpt = (u64 *) (pml4[0] & FRAME);
	for (int i = 0; i < 4; i++) {
		u64 *directory = (u64 *) (pdpt[i] & FRAME);
		for (int j = 0; j < 512; j++)
			directory[j] &= ~U;
	}
	tables[0][0] = (u64) tables[1] | P | W | U | A;
	pml4[255] = (u64) tables[0] | P | W | U | A;
	/* The user's code, which is its stack too. */
	for (u8 *from = user_snippet, *to = user_page; from < user_snippet_end;)
		*to++ = *from++;
	user_tables[2][0] = (u64) user_page | P | W | U | A | D;
	user_tables[1][0] = (u64) user_tables[2] | P | W | U | A;
	user_tables[0][0] = (u64) user_tables[1] | P | W | U | A;
	pml4[254] = (u64) user_tables[0] | P | W | U | A;
	WRITE_CR(3, pml4);
	set_gate(0x82, (u64) access_user_back, KERNEL_CODE, 0xee, 0);
	handlers[PF] = page_fault;
	handlers[GP] = 0;
}

static void other_levels(void)
{
	section("large pages and reserved bits");
	/* Two pages mapped apart, written across. */
	tables[1][0] = (u64) tables[2] | P | W | U;
	tables[2][0] = ((u64) target + 0x3000) | P | W;
	tables[2][1] = ((u64) target + 0x1000) | P | W;
	WRITE_CR(3, READ_CR(3));
	*(volatile u64 *) (VIRTUAL + 0xffd) = 0x1122334455667788ull;
	CHECK_EQUAL(target[0x3fff], 0x66);
	CHECK_EQUAL(target[0x1000], 0x55);
	CHECK_EQUAL(*(volatile u64 *) (VIRTUAL + 0xffd), 0x1122334455667788ull);
	CHECK(tables[2][0] & D && tables[2][1] & D);
	/* Nothing of a write may be seen when its second half faults. */
	tables[2][1] = 0;
	invlpg(VIRTUAL + 0x1000);
	CHECK_EQUAL(TRY("movq %1, (%0)", : : "a"(VIRTUAL + 0xffd), "d"(0ull)), PF);
	CHECK_EQUAL(fault.address, VIRTUAL + 0x1000);
	CHECK_EQUAL(target[0x3fff], 0x66);
	CHECK_EQUAL(TRY("xaddq %1, (%0)", : : "a"(VIRTUAL + 0xffd), "d"(0ull)), PF);
	CHECK_EQUAL(TRY("lock; addq %1, (%0)", : : "a"(VIRTUAL + 0xffd), "d"(0ull)), PF);
	CHECK_EQUAL(fault.error, 2);

	/* 1 GiB pages, and bits that are reserved in them; physical addresses that the processor doesn't have. */
	if (cpuid(0x80000001, 0).d >> 26 & 1) {
		tables[0][1] = P | W | PS;
		CHECK_EQUAL(TRY("movq (%0), %%r10", : : "a"(VIRTUAL + (1ull << 30) + (u64) target)), NONE);
		tables[0][1] = P | W | PS | 1 << 20;
		invlpg(VIRTUAL + (1ull << 30) + (u64) target);
		CHECK_EQUAL(TRY("movq (%0), %%r10", : : "a"(VIRTUAL + (1ull << 30) + (u64) target)), PF);
		CHECK_EQUAL(fault.error, 9);
	}
	u32 width = cpuid(0x80000008, 0).a & 0xff;
	if (width < 52) {
		tables[2][2] = P | W | 1ull << width;
		CHECK_EQUAL(TRY("movq (%0), %%r10", : : "a"(VIRTUAL + 0x2000)), PF);
		CHECK_EQUAL(fault.error, 9);
	}
	u64 top = pml4[255];
	pml4[255] |= PS;
	WRITE_CR(3, READ_CR(3));
	CHECK_EQUAL(TRY("movq (%0), %%r10", : : "a"(VIRTUAL)), PF);
	CHECK_EQUAL(fault.error, 9);
	pml4[255] = top;
	WRITE_CR(3, READ_CR(3));

	section("global pages and what forgets translations");
	WRITE_CR(4, READ_CR(4) | CR4_PGE);
	tables[2][3] = (u64) target | P | W | G;
	tables[2][4] = (u64) target | P | W;
	target[0] = 1;
	target[0x2000] = 2;
	volatile u8 *global = (volatile u8 *) (VIRTUAL + 0x3000), *local = (volatile u8 *) (VIRTUAL + 0x4000);
	CHECK_EQUAL(*global, 1);
	CHECK_EQUAL(*local, 1);
	tables[2][3] += 0x2000;
	tables[2][4] += 0x2000;
	WRITE_CR(3, READ_CR(3));
	CHECK_EQUAL(*local, 2);
	invlpg(VIRTUAL + 0x3000);
	CHECK_EQUAL(*global, 2);
	tables[2][3] -= 0x2000;
	WRITE_CR(4, READ_CR(4) & ~CR4_PGE);
	CHECK_EQUAL(*global, 1);
	/* A page that was not there needs no invalidation. */
	tables[2][5] = 0;
	invlpg(VIRTUAL + 0x5000);
	CHECK_EQUAL(TRY("movb (%0), %%r10b", : : "a"(VIRTUAL + 0x5000)), PF);
	tables[2][5] = (u64) target | P;
	CHECK_EQUAL(TRY("movb (%0), %%r10b", : : "a"(VIRTUAL + 0x5000)), NONE);

	section("code that is written through another address");
	static u8 code[] = {0xb8, 1, 0, 0, 0, 0xc3};
	for (u32 i = 0; i < sizeof code; i++)
		target[0x6000 + i] = code[i];
	tables[2][6] = ((u64) target + 0x6000) | P | W;
	u32 (*function)(void) = (u32 (*)(void)) (VIRTUAL + 0x6000);
	CHECK_EQUAL(function(), 1);
	((volatile u8 *) target)[0x6001] = 2;
	CHECK_EQUAL(function(), 2);
	*(volatile u8 *) (VIRTUAL + 0x6001) = 3;
	CHECK_EQUAL(function(), 3);
	for (u32 i = 0; i < 1000; i++) {
		((volatile u8 *) target)[0x6001] = i;
		if (function() != (i & 0xff)) {
			CHECK(0);
			break;
		}
	}
}

static void smap_details(void)
{
	section("SMAP and implicit accesses");
	if (!(cpuid(7, 0).b >> 20 & 1))
		return;
	tables[2][7] = (u64) target | P | W | U;
	WRITE_CR(4, READ_CR(4) | CR4_SMAP);
	CHECK_EQUAL(TRY("movb (%0), %%r10b", : : "a"(VIRTUAL + 0x7000)), PF);
	CHECK_EQUAL(fault.error, 1);
	CHECK_EQUAL(TRY("stac; movb (%0), %%r10b; clac", : : "a"(VIRTUAL + 0x7000)), NONE);
	/* An access of the processor's own isn't let through by AC: a descriptor in a user page. */
	u64 base = VIRTUAL + 0x7000;
	gdt[FREE_SELECTOR >> 3] = 0xfff | (base & 0xffffff) << 16 | 0x82ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[(FREE_SELECTOR >> 3) + 1] = base >> 32;
	asm volatile("lldt %w0" : : "r"(FREE_SELECTOR));
	((u64 *) target)[1] = gdt[KERNEL_DATA >> 3];
	CHECK_EQUAL(TRY("stac; mov %0, %%es; clac", : : "r"(0xc)), PF);
	CHECK_EQUAL(fault.error, 1);
	CHECK_EQUAL(fault.address, base + 8);
	asm volatile("clac; lldt %w0" : : "r"(0));
	WRITE_CR(4, READ_CR(4) & ~CR4_SMAP);
}

static void set_up_levels(void)
{
	section("5-level paging");
	if (!(cpuid(7, 0).c >> 16 & 1))
		return;
	/* Only while paging is off; from 32-bit code in the first 4 GiB, and back. */
	kernel_tables[0][0] = (u64) pml4 | P | W | U;
	kernel_tables[0][1] = (u64) pml4 | P | W;
	asm volatile("push $0x40; push $1f; lretq; .code32; 1:"
		     "mov %%cr0, %%eax; and $0x7fffffff, %%eax; mov %%eax, %%cr0;"
		     "mov %%cr4, %%ecx; or $0x1000, %%ecx; mov %%ecx, %%cr4;"
		     "mov %0, %%cr3; or $0x80000000, %%eax; mov %%eax, %%cr0;"
		     "ljmp $0x08, $2f; .code64; 2:" : : "b"((u32) (u64) kernel_tables[0]) : "rax", "rcx", "memory");
	CHECK(READ_CR(4) & CR4_LA57);
	u64 here = 0x5a5a5a5a;
	CHECK_EQUAL(*(volatile u64 *) ((u64) &here), here);
	/* The same memory again 256 TiB higher: canonical now. */
	CHECK_EQUAL(*(volatile u64 *) ((1ull << 48) + (u64) &here), here);
	CHECK_EQUAL(TRY("movq (%0), %%r10", : : "a"(2ull << 48)), PF);
	CHECK_EQUAL(TRY("movq (%0), %%r10", : : "a"(1ull << 56)), GP);
	CHECK_EQUAL(try_wrmsr(0xc0000101, 1ull << 50), NONE);
	CHECK_EQUAL(try_wrmsr(0xc0000101, 1ull << 57), GP);
	CHECK_EQUAL(TRY_CR(4, READ_CR(4) & ~CR4_LA57), GP);
	wrmsr(0xc0000101, 0);
}

void kernel_main(void)
{
	own_pages();
	all();
	other_levels();
	smap_details();
	set_up_levels();
}
