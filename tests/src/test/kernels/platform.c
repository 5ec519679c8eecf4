/* What a bare kernel gets from its loader, and the devices that only test kernels have. */
#include "kernel.h"

#define MMIO 0xff000000ull

struct __attribute__((packed)) region {
	u32 size;
	u64 base, length;
	u32 type;
};
struct module {
	u32 start, end, string, reserved;
};

static u64 firmware(u16 key, int bytes)
{
	u64 value = 0;
	outw(0x510, key);
	for (int i = 0; i < bytes; i++)
		value |= (u64) inb(0x511) << 8 * i;
	return value;
}

static void loader(void)
{
	section("multiboot information");
	CHECK_EQUAL(boot_magic, 0x2badb002);
	u32 flags = boot_info->flags;
	CHECK(flags & 1);
	CHECK_EQUAL(boot_info->mem_lower, 639);
	CHECK(boot_info->mem_upper >= 31 * 1024);
	CHECK(flags & 4);
	/* The file's name, a space, and the text. */
	const char *line = (const char *) (u64) boot_info->cmdline;
	int has_name = 0;
	while (*line && *line != ' ')
		line++, has_name = 1;
	CHECK(has_name);
	CHECK(equal(line, " one two=2"));
	CHECK(flags & 8);
	CHECK_EQUAL(boot_info->mods_count, 1);
	const struct module *module = (const struct module *) (u64) boot_info->mods_addr;
	CHECK_EQUAL(module->start & 4095, 0);
	CHECK_EQUAL(module->end - module->start, 5000);
	int same = 1;
	for (u32 i = 0; i < 5000; i++)
		same &= ((const u8 *) (u64) module->start)[i] == (u8) (i * 7);
	CHECK(same);
	CHECK(flags & 0x40);
	u64 usable = 0;
	for (u32 at = 0; at < boot_info->mmap_length;) {
		const struct region *region = (const struct region *) (u64) (boot_info->mmap_addr + at);
		usable += region->type == 1 ? region->length : 0;
		at += region->size + 4;
	}

	section("firmware configuration");
	CHECK_EQUAL(firmware(0, 4), 0x554d4551);
	CHECK_EQUAL(firmware(5, 2), 1);
	CHECK_EQUAL(firmware(15, 2), 1);
	u64 memory = firmware(3, 8);
	CHECK(usable <= memory && usable > memory - 0x80000);
}

static void test_device(void)
{
	section("latch");
	outl(0xe0, 0x12345678);
	CHECK_EQUAL(inl(0xe0), 0x12345678);
	CHECK_EQUAL(inb(0xe1), 0x56);
	CHECK_EQUAL(inw(0xe2), 0x1234);
	CHECK_EQUAL(inl(0xe8), 0x12345678);
	outb(0xe9, 0xff);
	CHECK_EQUAL(inl(0xe0), 0x1234ff78);
	outl(0xe4, 0x100000);

	section("string input and output");
	static u32 words[64];
	for (int i = 0; i < 64; i++)
		words[i] = i * 0x01010101;
	u32 *from = words;
	u64 count = 64;
	asm volatile("rep outsl" : "+S"(from), "+c"(count) : "d"((u16) 0xe0) : "memory");
	CHECK(from == words + 64 && count == 0);
	CHECK_EQUAL(inl(0xe0), 0x3f3f3f3f);
	u8 bytes[16];
	void *to = bytes;
	count = 16;
	asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"((u16) 0xe0) : "memory");
	CHECK(to == bytes + 16 && bytes[0] == 0x3f && bytes[15] == 0x3f);
	/* Downwards. */
	to = bytes + 15;
	count = 16;
	asm volatile("std; rep insb; cld" : "+D"(to), "+c"(count) : "d"((u16) 0xe0) : "memory");
	CHECK(to == bytes - 1);

	section("memory-mapped latch");
	volatile u64 *mmio = (volatile u64 *) MMIO;
	mmio[0] = 0x0123456789abcdefull;
	CHECK_EQUAL(mmio[0], 0x0123456789abcdefull);
	CHECK_EQUAL(*(volatile u32 *) (MMIO + 2), 0x456789ab);
	CHECK_EQUAL(*(volatile u16 *) (MMIO + 7), 0x01);
	*(volatile u8 *) (MMIO + 0xffff) = 0x77;
	CHECK_EQUAL(*(volatile u8 *) (MMIO + 0xffff), 0x77);
}

static void timers(void)
{
	section("interval timer");
	outb(0x61, (inb(0x61) & ~2) | 1);
	outb(0x43, 0xb0);
	outb(0x42, 0xff);
	outb(0x42, 0xff);
	u64 start = rdtsc();
	while (!(inb(0x61) & 0x20))
		;
	/* 65,535 ticks at 1.193182 MHz are 54.9 ms; the counter's rate is told by leaf 0x15 or 0x40000010. */
	u64 ticks = rdtsc() - start;
	struct cpuid timing = cpuid(0x40000010, 0);
	u64 expected = (u64) timing.a * 55;
	CHECK(timing.a > 1000);
	CHECK(ticks > expected * 9 / 10);
	CHECK(ticks < expected * 20);
}

void kernel_main(void)
{
	loader();
	test_device();
	timers();
}
