package dev.kagami.platform.device;

/**
 * State of {@link Pic8259}, without the inputs, which are wires.
 *
 * @param master the master chip
 * @param slave the slave chip
 */
public record PicState(Chip master, Chip slave) {
    /**
     * State of one 8259A.
     *
     * @param requests the interrupt request register
     * @param masked the interrupt mask register
     * @param inService the in-service register
     * @param edgeLevel which inputs are level-triggered
     * @param vectorBase the vector of input 0
     * @param lowest the input with the lowest priority, 0 to 7
     * @param expected which initialization word comes next, 2 to 4; 0 for none
     * @param flags ICW4 wanted, single, read in-service, poll, special mask, special fully nested, automatic EOI, rotate on
     *     automatic EOI, from bit 0 up
     */
    public record Chip(
            int requests,
            int masked,
            int inService,
            int edgeLevel,
            int vectorBase,
            int lowest,
            int expected,
            int flags) {
        /** Checks the values. */
        public Chip {
            if ((requests | masked | inService | edgeLevel | vectorBase) >>> 8 != 0
                    || lowest >>> 3 != 0
                    || expected < 0
                    || expected > 4
                    || flags >>> 8 != 0) {
                throw new IllegalArgumentException("not the state of an 8259A");
            }
        }
    }
}
