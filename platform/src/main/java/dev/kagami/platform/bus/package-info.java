/**
 * What devices are attached to: ports, memory-mapped windows and interrupt lines. Devices implement the small interfaces
 * here and never see an engine or the machine.
 */
package dev.kagami.platform.bus;
