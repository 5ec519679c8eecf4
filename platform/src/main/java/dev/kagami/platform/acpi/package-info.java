/**
 * The ACPI tables that tell a kernel what the machine is made of, and the little AML that the DSDT needs.
 *
 * <p>{@link dev.kagami.platform.acpi.Aml} encodes terms bottom-up: every method returns the bytes of a term, and terms
 * nest by passing them on.
 */
package dev.kagami.platform.acpi;
