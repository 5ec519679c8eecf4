/* Multiboot entry, to 64-bit mode with the first 4 GiB mapped where they are, for every privilege level. */
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define TASK 0x30

	.section .multiboot, "a"
	.balign 4
	.long 0x1badb002
	.long 3				/* page-aligned modules, memory information */
	.long -(0x1badb002 + 3)

	.text
	.code32
	.globl _start
_start:
	mov $stack_end, %esp
	mov %eax, boot_magic
	mov %ebx, boot_info

	/* 4 directories of 2 MiB pages. */
	mov $directories, %edi
	mov $0xe7, %eax			/* present, writable, user, accessed, dirty, large */
	xor %ecx, %ecx
1:	mov %eax, (%edi, %ecx, 8)
	add $0x200000, %eax
	inc %ecx
	cmp $2048, %ecx
	jne 1b
	mov $directories + 7, %eax
	mov $pdpt, %edi
	xor %ecx, %ecx
2:	mov %eax, (%edi, %ecx, 8)
	add $0x1000, %eax
	inc %ecx
	cmp $4, %ecx
	jne 2b
	movl $pdpt + 7, pml4

	mov $0x620, %eax		/* PAE, OSFXSR, OSXMMEXCPT */
	mov %eax, %cr4
	mov $pml4, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	rdmsr
	or $0x901, %eax			/* NXE, LME, SCE */
	wrmsr
	mov $0x80010033, %eax		/* PG, WP, NE, ET, MP, PE */
	mov %eax, %cr0

	mov $tss, %eax
	mov %ax, gdt + TASK + 2
	shr $16, %eax
	mov %al, gdt + TASK + 4
	mov %ah, gdt + TASK + 7
	lgdt gdt_pointer
	ljmp $KERNEL_CODE, $3f

	.code64
3:	mov $KERNEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $TASK, %eax
	ltr %ax
	mov $stack_end, %rsp
	call start
	hlt

	/* Interrupt stubs, 16 bytes each. */
	.balign 16
	.globl stubs
stubs:
	vector = 0
	.rept 256
	.balign 16
	.if vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17
	push $0
	.endif
	pushq $vector
	jmp common
	vector = vector + 1
	.endr

common:
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %rbp
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	cld
	call handle
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rbp
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	add $16, %rsp
	iretq

	/* run_user(function): runs it at privilege level 3 until it does int $0x81. */
	.globl run_user
run_user:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	pushf
	mov %rsp, kernel_rsp
	pushq $0x23
	pushq $user_stack_end - 8
	pushq $0x202
	pushq $0x2b
	push %rdi
	iretq
	.globl user_left
user_left:
	mov kernel_rsp, %rsp
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	popf
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.data
	.balign 16
	.globl gdt
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 08 kernel code */
	.quad 0x00cf93000000ffff	/* 10 kernel data */
	.quad 0x00cffb000000ffff	/* 18 user code, 32 bits */
	.quad 0x00cff3000000ffff	/* 20 user data */
	.quad 0x00affb000000ffff	/* 28 user code */
	.quad 0x0000890000000067	/* 30 task state */
	.quad 0
	.quad 0x00cf9b000000ffff	/* 40 kernel code, 32 bits */
	.fill 55, 8, 0
gdt_pointer:
	.word . - gdt - 1
	.quad gdt
	.globl boot_magic
boot_magic:
	.long 0
	.balign 8
	.globl boot_info
boot_info:
	.quad 0

	.bss
	.balign 4096
	.globl pml4
pml4:	.skip 4096
pdpt:	.skip 4096
directories: .skip 4 * 4096
	.globl idt
idt:	.skip 4096
	.skip 16384
	.globl stack_end
stack_end:
	.skip 8192
	.globl exception_stack_end
exception_stack_end:
	.skip 8192
user_stack_end:
kernel_rsp: .skip 8

	.section .note.GNU-stack, "", @progbits
