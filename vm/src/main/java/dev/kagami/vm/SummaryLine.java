package dev.kagami.vm;

/**
 * One line of {@link VirtualMachine#summary}.
 *
 * @param topic what it is about, for example {@code memory} or {@code disk 1}
 * @param text what was chosen, for a person
 */
public record SummaryLine(String topic, String text) {}
