package dev.kagami.cpu.x86.nativecode;

/** What has become of an instruction that was to be translated. */
enum Outcome {
    /** The next instruction follows. */
    GOES_ON,
    /** The instruction ended the block. */
    ENDED,
    /** The block's own start follows: the instruction closes a loop that is repeated within the block. */
    REPEATS,
    /** The instruction is not translated. */
    REFUSED
}
