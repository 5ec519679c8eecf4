# A multiboot kernel that enters 64-bit mode, runs a loop of ALU and memory instructions, and leaves by the debug-exit
# port 0xf4 with the value 0. Assembled by:
#   as -o warm-loop.o warm-loop.S && ld -Ttext 0x100000 --oformat binary -o warm-loop.bin warm-loop.o

        .set BASE, 0x100000
        .set FLAGS, 0x10000             # the header has load addresses
        .set MAGIC, 0x1badb002
        .set PML4, 0x201000
        .set PDPT, 0x202000
        .set DATA, 0x300000
        .set TARGET, 0x400000
        .set ROUNDS, 24000              # 4096 iterations of 11 instructions each

        .text
        .globl _start
_start:
        .balign 4
header: .long MAGIC, FLAGS, -(MAGIC + FLAGS)
        .long header, _start, 0, 0, entry

        .code32
entry:  movl $PDPT + 3, PML4
        movl $0x83, PDPT                # 1 GiB, identity
        movl $PML4, %eax
        movl %eax, %cr3
        movl $0x20, %eax                # PAE
        movl %eax, %cr4
        movl $0xc0000080, %ecx          # EFER: LME
        movl $0x100, %eax
        xorl %edx, %edx
        wrmsr
        movl $0x80000011, %eax          # PG, ET, PE
        movl %eax, %cr0
        lgdt gdtr
        ljmp $8, $long
        .balign 8
gdt:    .quad 0, 0x00af9b000000ffff
gdtr:   .word gdtr - gdt - 1
        .long gdt

        .code64
long:   movl $DATA, %esi
        movl $TARGET, %edi
        movl $ROUNDS, %r15d
        xorl %ecx, %ecx
        xorl %ebx, %ebx
        xorl %edx, %edx
again:  movq (%rsi,%rcx,8), %rax
        addq %rax, %rbx
        xorq %rdx, %rbx
        movq %rbx, 8(%rdi)
        leal 1(%rcx), %ecx
        andl $0xfff, %ecx
        movq %rax, %r8
        shlq $3, %r8
        subq %r8, %rbx
        testl %ecx, %ecx
        jne again
        decl %r15d
        jne again
        xorl %eax, %eax
        outb %al, $0xf4
1:      hlt
        jmp 1b
