package dev.kagami.cpu.x86.interpreter;

/** Something that a translator has derived from the code bytes of one page. */
public interface CodeDependent {
    /** Called once, on the vCPU's thread outside of translated code, when the bytes may have changed. */
    void codeChanged();

    /** {@return whether a change still matters; once it doesn't it never does} */
    boolean lives();
}
