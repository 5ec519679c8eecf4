package dev.kagami.platform.device;

/**
 * State of {@link IoApic}, without the pins, which are wires.
 *
 * @param table the redirection table
 * @param id the identification register
 * @param selected the register select register
 */
public record IoApicState(long[] table, int id, int selected) {}
